"""The `ziwo` command (extra `cli`). One file per command; public names of the package only."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["main"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always; see `EXIT_CODES` for what the code means.
    """
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"rich", "typer"}:
            raise
        sys.stderr.write(
            f'ziwo: the command line needs {error.name}, which is not installed: pip install "ziwo-async[cli]"\n'
        )
        raise SystemExit(2) from None
    try:
        try:
            app(prog_name="ziwo")
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        sys.stderr.write(f"ziwo: the output cannot be written: {error.strerror}\n")
        # What is still to be written would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None

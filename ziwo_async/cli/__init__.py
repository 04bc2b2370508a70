"""The `ziwo` command (extra `cli`). One file per command; public names of the package only."""

from __future__ import annotations

import sys

__all__ = ["main"]


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
    app(prog_name="ziwo")

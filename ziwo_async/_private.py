"""A file that only its owner can read, for what is kept on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["make_private"]


def make_private(path: Path) -> None:
    """Make the file, empty and for its owner only, unless it exists already and is one.

    Raises:
        OSError: It cannot be made, others can read it, or it is no plain file.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no plain file") from None
        if status.st_mode & 0o077:
            raise OSError(f"others can read it; do: chmod 600 {path}") from None

"""A small file that only its owner can read: made so from its first byte, and refused when it is not."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from .. import ConfigError

__all__ = ["read_private", "remove_private", "write_private"]

_LARGEST = 65_536
# Where these do not exist (Windows), a file belongs to its user by the folder that it lies in.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


def read_private(path: Path, *, exposed: bool = False) -> str | None:
    """Read a private file.

    Args:
        path: The file.
        exposed: Read it even when others can: to end what they may know.

    Returns:
        Its text, or None when there is no file.

    Raises:
        ConfigError: It is no plain file of ours, others can read or change it, or it cannot be read.
    """
    try:
        opened = os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    try:
        _check(path, os.fstat(opened), exposed=exposed)
        return os.read(opened, _LARGEST).decode()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read") from None
    finally:
        os.close(opened)


def _check(path: Path, found: os.stat_result, *, exposed: bool) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_size >= _LARGEST:
        raise ConfigError(f"{path} is not a small plain file")
    if os.name == "nt":  # pragma: no cover - Windows has no such modes
        return
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077 and not exposed:
        raise ConfigError(f"other users of this machine can read {path}; its mode must be 600")


def write_private(path: Path, text: str) -> None:
    """Write a private file, in place of an earlier one; a reader sees the old one or the new one, whole.

    Args:
        path: The file; its folder is made when there is none.
        text: What to write.

    Raises:
        ConfigError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC, 0o600)
        try:
            with open(opened, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def remove_private(path: Path) -> None:
    """Remove a file, if there is one.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be removed.
    """
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise ConfigError(f"{path} cannot be removed: {error.strerror}") from None

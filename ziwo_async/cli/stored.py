"""Where `ziwo login` keeps its token: in the keyring of the operating system, or in a private file when asked to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar, cast

from pydantic import SecretStr

from .. import ConfigError
from .private_file import read_private, remove_private, write_private

__all__ = ["StoredLogin", "check_keyring", "forget", "keep", "load", "login_file"]

_SERVICE, _ENTRY = "ziwo_async", "login"
_USE_A_FILE = "`ziwo login --file` keeps the token in a file instead"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLogin:
    """A REST session that is open, and whose it is. There is at most one for each user of the machine.

    Attributes:
        username: E-mail address of the user.
        token: Their access token.
        contact_center: Name of the contact centre, None when only its address is known.
        api_url: Address of the REST API, None when the name says it.
        place: Where it is kept, for people.
    """

    username: str
    token: SecretStr
    contact_center: str | None
    api_url: str | None
    place: str = ""

    def as_text(self) -> str:
        """Give what is kept: a secret."""
        fields = {
            "username": self.username,
            "token": self.token.get_secret_value(),
            "contact_center": self.contact_center,
            "api_url": self.api_url,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None})

    @classmethod
    def from_text(cls, text: str, place: str) -> Self:
        """Read what was kept.

        Raises:
            ConfigError: It is something else; nothing of it is shown.
        """
        try:
            found: object = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        fields = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        texts = {name: value for name, value in fields.items() if isinstance(value, str) and value}
        if not {"username", "token"} <= texts.keys() or not texts.keys() & {"contact_center", "api_url"}:
            raise ConfigError(f"the login in the {place} cannot be read: run `ziwo login` again")
        return cls(
            username=texts["username"],
            token=SecretStr(texts["token"]),
            contact_center=texts.get("contact_center"),
            api_url=texts.get("api_url"),
            place=place,
        )


def login_file() -> Path:
    """Where `ziwo login --file` keeps the token.

    Raises:
        ConfigError: There is no home folder.
    """
    home = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        # The XDG specification: a path that is not absolute is to be ignored.
        folder = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    except RuntimeError:
        raise ConfigError("this user has no home folder: set XDG_CONFIG_HOME") from None
    return folder / "ziwo_async" / "login.json"


def load(*, exposed: bool = False) -> StoredLogin | None:
    """Give the login that was kept last, or None.

    Args:
        exposed: Give it even when others can read it, to end it.

    Raises:
        ConfigError: It cannot be read, or others can read it too.
    """
    path = login_file()
    if (text := read_private(path, exposed=exposed)) is not None:
        return StoredLogin.from_text(text, f"file {path}")
    if (text := _with_keyring(_read_entry, None)) is not None:
        return StoredLogin.from_text(text, "keyring")
    return None


def check_keyring() -> None:
    """Make sure that there is a keyring, before a user is asked for a password in vain.

    Raises:
        ConfigError: There is none, or it is locked.
    """
    _with_keyring(_read_entry)


def keep(login: StoredLogin, *, in_file: bool) -> str:
    """Keep a login in place of an earlier one, wherever that was.

    Args:
        login: The login.
        in_file: Keep it in the private file, not in the keyring.

    Returns:
        Where it is now, for people.

    Raises:
        ConfigError: It could not be kept.
    """
    path = login_file()
    if in_file:
        write_private(path, login.as_text())
        with suppress(ConfigError):  # what may be left in the keyring: the file is looked at first
            _with_keyring(_delete_entry, None)
        return f"file {path}"
    _with_keyring(lambda: _write_entry(login.as_text()))
    remove_private(path)
    return "keyring"


def forget() -> None:
    """Forget the login that was kept, wherever it is.

    Raises:
        ConfigError: The file or the keyring does not give it up.
    """
    remove_private(login_file())
    _with_keyring(_delete_entry, None)


# --- the keyring ----------------------------------------------------------------------------------------------------


def _read_entry() -> str | None:
    import keyring

    return keyring.get_password(_SERVICE, _ENTRY)


def _write_entry(text: str) -> None:
    import keyring

    keyring.set_password(_SERVICE, _ENTRY, text)
    if keyring.get_password(_SERVICE, _ENTRY) != text:
        # The backend "null" takes everything and keeps nothing.
        raise ConfigError(f"the keyring did not keep the token: {_USE_A_FILE}")


def _delete_entry() -> None:
    import keyring

    if keyring.get_password(_SERVICE, _ENTRY) is not None:
        keyring.delete_password(_SERVICE, _ENTRY)


def _with_keyring(work: Callable[[], _T], *without: _T) -> _T:
    """Do something with the keyring.

    Args:
        work: What to do.
        without: What it gives where there is no keyring at all; by default that is an error.
    """
    try:
        from keyring.errors import NoKeyringError
    except ModuleNotFoundError:
        if without:
            return without[0]
        raise ConfigError(f'the keyring needs a package: pip install "ziwo-async[cli]"; or {_USE_A_FILE}') from None
    try:
        return work()
    except ConfigError:
        raise
    except NoKeyringError:
        if without:
            return without[0]
        raise ConfigError(f"this machine has no usable keyring: {_USE_A_FILE}") from None
    except Exception as error:  # noqa: BLE001 - a backend raises what its system gives it; the text may hold the secret
        kind = type(error).__name__
    raise ConfigError(f"the keyring refuses ({kind}): unlock it; or {_USE_A_FILE}")

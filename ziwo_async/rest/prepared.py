"""A request, checked and put together before any I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote, unquote, urlencode, urlsplit

from pydantic import JsonValue, Secret, SecretStr
from pydantic_core import to_json
from yarl import URL

from ..config import is_loopback
from ..errors import ApiError, ConfigError
from ..models.secret_keys import is_secret, secrets_in
from .auth import FormValue

__all__ = ["Form", "Json", "Params", "Prepared", "lies_under", "prepare", "redirected", "segment"]

ParamValue: TypeAlias = str | int | float | bool | SecretStr
Params: TypeAlias = Mapping[str, ParamValue | Sequence[ParamValue] | None]
"""Query parameters. A list repeats its key, None leaves it out; ZIWO wants most lists as `name[]` (source: SDKs)."""
Form: TypeAlias = Mapping[str, FormValue | Sequence[FormValue] | None]
"""Fields of an urlencoded body, like `Params`; a SecretStr is unwrapped only when the bytes are made."""
Json: TypeAlias = JsonValue | Secret[JsonValue]
"""A JSON body; a Secret is unwrapped only when the bytes are made, and no repr of a frame shows it."""

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
# RFC 3986 path characters; everything else has to come percent-encoded, as `segment` does it.
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request. Its repr has neither query nor body, because they may hold secrets.

    Attributes:
        dials: Whether it makes a call: then errors after which the call may have been made say so.
    """

    method: str
    path: str
    url: URL = field(repr=False)
    form: Form | None = field(default=None, repr=False)
    json: Json = field(default=None, repr=False)
    has_json: bool = False
    dials: bool = False

    def body(self) -> bytes | None:
        """Make the bytes to send."""
        if self.form is not None:
            return urlencode(list(_pairs(self.form))).encode("ascii")
        return to_json(_bare(self.json)) if self.has_json else None

    @property
    def content_type(self) -> str | None:
        """What the bytes are."""
        if self.form is not None:
            return "application/x-www-form-urlencoded"
        return "application/json" if self.has_json else None

    def secrets(self) -> Iterator[str]:
        """Give the secrets that the request carries, to keep them out of error texts: servers repeat what they get."""
        for key, value in (self.form or {}).items():
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
                yield from _password_in(value.get_secret_value())
            elif isinstance(value, str) and is_secret(key):
                yield value
        yield from secrets_in(_bare(self.json))
        yield from (value for key, value in self.url.query.items() if is_secret(key))


def prepare(
    base_url: str,
    method: str,
    path: str,
    *,
    params: Params | None = None,
    form: Form | None = None,
    json: Json = None,
    dials: bool = False,
) -> Prepared:
    """Check a request and put it together.

    Args:
        base_url: Address of the REST API, without trailing slash.
        method: GET, POST, PUT, PATCH or DELETE.
        path: Path from the root of the API, percent-encoded where needed.
        params: Query parameters.
        form: Body as urlencoded fields.
        json: Body as JSON; None means no body.
        dials: Whether it makes a call.

    Raises:
        ConfigError: The method is not one of the five, the path could lead elsewhere, or there are two bodies.
    """
    _check(method, path)
    if form is not None and json is not None:
        raise ConfigError(f"{method} {_shown(path)} has two bodies: give form or json, not both")
    query = urlencode(list(_pairs(params))) if params else ""
    url = URL(f"{base_url}{path}" + (f"?{query}" if query else ""), encoded=True)
    return Prepared(method=method, path=path, url=url, form=form, json=json, has_json=json is not None, dials=dials)


@lru_cache(maxsize=512)
def _check(method: str, path: str) -> None:
    if method not in _METHODS:
        raise ConfigError(f"{method!r} is not one of the methods {', '.join(sorted(_METHODS))}")
    if not path.startswith("/"):
        raise ConfigError(f"the path {_shown(path)} must start with '/': it is relative to the REST address")
    if "?" in path or "#" in path:
        raise ConfigError(f"the path {_shown(path.partition('?')[0])} must have no query or fragment: use params")
    if _PATH.fullmatch(path) is None:
        raise ConfigError(f"the path {_shown(path)} has characters that must be percent-encoded (see `segment`)")
    if "//" in path:
        raise ConfigError(f"the path {_shown(path)} has an empty segment ('//')")
    # Decoded, because a server or a proxy may decode before it looks for dots.
    if any(part in {".", ".."} for part in re.split(r"[/\\]", unquote(path))):
        raise ConfigError(f"the path {_shown(path)} has a '.' or '..' segment")


def redirected(address: str | SecretStr, *, base: URL | None = None, plain_http: bool = False) -> Prepared:
    """Make a GET of an address that the server named: a redirect, or a signed URL. It may lead to another host.

    Args:
        address: The address; relative to `base`, when there is one.
        base: Where the server named it.
        plain_http: Whether http on loopback is followed: only when the REST API itself is there. Otherwise a server
            could make us ask what listens on our own machine.

    Raises:
        ApiError: It is no https address, or has user info. The text shows the host only.
    """
    address = SecretStr(address) if isinstance(address, str) else address  # no frame of ours shows it
    found = _target(address, base, plain_http=plain_http)
    if isinstance(found, str):
        raise ApiError(f"the server leads to {found}, which is not followed", status=302, method="GET", path="")
    return found


def _target(address: SecretStr, base: URL | None, *, plain_http: bool) -> Prepared | str:
    """Give the request, or where it would lead."""
    try:
        url = URL(address.get_secret_value(), encoded=True)
        url = url if base is None else base.join(url)
        host, odd = url.host or "", url.user is not None or url.password is not None
    except ValueError:
        url, host, odd = URL(), "", True
    if odd or not host or not (url.scheme == "https" or (plain_http and url.scheme == "http" and is_loopback(host))):
        # Not to plain http, nor to anything that is no web address: the body would be anybody's.
        return f"{url.scheme}://{host}" if host and not odd else "an unreadable address"
    # The path of another host may be a secret in itself, as the query of a signed URL is.
    ours = base is not None and base.origin() == url.origin()
    return Prepared(method="GET", path=url.raw_path if ours else f"({host})", url=url.with_fragment(None))


def lies_under(path: str, folders: Iterable[str]) -> bool:
    """Whether a path, which a server named, lies in one of these folders however it is decoded.

    Args:
        path: The path.
        folders: Their paths, each with a slash at its end.
    """
    plain = unquote(path)
    leaves = "%" in plain or "\\" in plain or any(part in {".", ".."} for part in plain.split("/"))
    return not leaves and path.startswith(tuple(folders))


def segment(value: str | int) -> str:
    """Quote one path segment, such as an id, so that it can never leave its place.

    Args:
        value: The id or name.

    Raises:
        ConfigError: It is empty, '.' or '..', or has control characters.
    """
    text = str(value)
    if text in {"", ".", ".."} or not text.isprintable():
        raise ConfigError(f"{_shown(text)} cannot be a part of a path")
    return quote(text, safe="")


def _password_in(address: str) -> Iterator[str]:
    """Give the password of an address such as https://user:password@host/, because a server may repeat it alone."""
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _bare(json: Json) -> JsonValue:
    return json.get_secret_value() if isinstance(json, Secret) else json


def _pairs(fields: Form | Params) -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        if value is None:
            continue
        items: Sequence[FormValue | ParamValue] = (
            value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        )
        for item in items:
            yield key, _text(item)


def _text(value: FormValue | ParamValue) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    # The way JSON and the official clients write them.
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _shown(path: str) -> str:
    return repr(path if len(path) <= 80 else path[:77] + "...")

"""The answers of the REST API, as pure functions: bytes and a status in, a `Reply` or one of our errors out.

Every answer is an envelope `{"result": true, "content": ..., "info": {...}}` (source: ZIWO docs). What real servers
make of it, and what is therefore handled here: `result: false` with HTTP 200 (source: ZIWO Manager app), an empty list
where an object is expected (source: ZIWO's Zendesk app), and totals in two spellings (sources: Android SDK,
integrators).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json

from ..errors import ApiError, Conflict, DecodeError, Forbidden, NotFound, RateLimited, ServerError
from ..models.shapes import JsonObject, as_list, as_object
from .scrub import Scrub

__all__ = [
    "JsonObject",
    "Reply",
    "as_list",
    "as_object",
    "decode",
    "error_for",
    "error_text",
    "not_json",
    "one_line",
    "retry_after_seconds",
    "total",
    "unwrap",
    "words_of",
]

_TEXT_LIMIT = 300
_LONGEST_PAUSE = 3600.0
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_WARNING = frozenset({"limit", "order", "skip", "status", "total", "totalrecords"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer.

    Attributes:
        content: The payload: usually an object or a list; None when the answer was empty. Not part of the repr, because
            it may hold secrets such as `ccPassword`.
        info: Messages of the server about the answer: totals, deprecation warnings.
        status: HTTP status code.
    """

    content: JsonValue = field(repr=False)
    info: JsonObject
    status: int

    @property
    def total(self) -> int | None:
        """How many records there are in all, if the server told (`info.total` or `info.totalRecords`)."""
        return total(self.info)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server says in `info` beside numbers: deprecation warnings and the like (source: ZIWO docs)."""
        found: list[str] = []
        for key, value in self.info.items():
            if key.lower() not in _NO_WARNING:
                found += [one_line(t) for t in (value if isinstance(value, list) else [value]) if isinstance(t, str)]
        return tuple(text for text in found if text)


def decode(body: bytes) -> JsonValue:
    """Parse a JSON body. An empty one is None.

    Raises:
        ValueError: The body is not JSON, or has NaN, infinity or absurd nesting.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if not body.strip():
        return None
    # pydantic-core bounds the nesting and refuses lone surrogates, where json.loads fails in other ways.
    return cast("JsonValue", from_json(body, allow_inf_nan=False))


def unwrap(value: JsonValue, *, status: int, method: str, path: str, clean: Scrub = str) -> Reply:
    """Take the content out of the envelope of a 2xx answer.

    A value that is no envelope is the content itself: the routes that answer with plain text or nothing do that.

    Args:
        value: The answer.
        status: HTTP status code.
        method: HTTP method of the request, for the error.
        path: Path of the request, for the error.
        clean: Takes secrets out of the server's words.

    Raises:
        ApiError: The envelope says `result: false`.
    """
    if not isinstance(value, dict) or not ("result" in value or "content" in value):
        return Reply(content=value, info={}, status=status)
    if value.get("result", True) in (False, 0, "false"):
        raise ApiError(error_text(value, clean), status=status, method=method, path=path)
    return Reply(content=value.get("content"), info=as_object(value.get("info")) or {}, status=status)


def total(info: JsonObject) -> int | None:
    """Read the total from `info`, in whichever spelling it has."""
    for key in ("total", "totalRecords"):
        value = info.get(key)
        if isinstance(value, str) and value.isdecimal() and len(value) < 16:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def error_text(value: JsonValue, clean: Scrub = str) -> str:
    """Find the server's own words: `error.message`, `message`, `content.message`, then `info`; "" when it has none.

    Args:
        value: The answer.
        clean: Takes secrets out of the words, before they are shortened.
    """
    if not isinstance(value, dict):
        return ""
    error, content, info = value.get("error"), value.get("content"), value.get("info")
    for found in (
        error.get("message") if isinstance(error, dict) else error,
        value.get("message"),
        content.get("message") if isinstance(content, dict) else None,
        info.get("message") if isinstance(info, dict) else info,
    ):
        if isinstance(found, str) and found.strip():
            return one_line(clean(found))
    if isinstance(info, dict):
        # The docs only say that info "contains error messages": any text in it is better than nothing.
        texts = [item for item in info.values() if isinstance(item, str) and item.strip()]
        return one_line(clean("; ".join(texts)))
    return ""


def words_of(body: bytes, clean: Scrub = str) -> str:
    """Find the server's own words in the body of an error, or say what the body is instead.

    Args:
        body: The body.
        clean: Takes secrets out of the words, before they are shortened.
    """
    try:
        return error_text(decode(body), clean)
    except ValueError:
        return f"the answer is {_kind(body)}"


def error_for(
    status: int, text: str, *, method: str, path: str, retry_after: float | None = None
) -> ApiError | Forbidden:
    """Give the error for an HTTP status of 400 or more (401 is the authenticator's business).

    Args:
        status: HTTP status code.
        text: The server's words.
        method: HTTP method of the request.
        path: Path of the request, without query.
        retry_after: Seconds the server asked to wait (429 only).
    """
    if status == 403:
        words = f"{method} {path} is not allowed for this user: {text or 'no reason given'}"
        return Forbidden(words, status=status, message=text, method=method, path=path)
    if status == 429:
        return RateLimited(text, status=status, method=method, path=path, retry_after=retry_after)
    if status >= 500:
        return ServerError(text, status=status, method=method, path=path)
    by_status: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict, 412: Conflict}
    return by_status.get(status, ApiError)(text, status=status, method=method, path=path)


def not_json(body: bytes, *, status: int, method: str, path: str) -> DecodeError:
    """Give the error for a 2xx answer that is no JSON. It says what kind of thing came, and none of its text."""
    text = f"the answer is {_kind(body)}; is this the REST address of ZIWO?"
    return DecodeError(text, status=status, method=method, path=path)


def retry_after_seconds(header: str | None, *, now: Callable[[], float]) -> float | None:
    """Read a `Retry-After` header: seconds (a fraction is fine) or an HTTP date.

    Args:
        header: The value of the header, None when there is none.
        now: Gives the present as seconds since the epoch, for dates.

    Returns:
        Seconds to wait, from 0 to an hour (a longer pause is taken for a mistake, and must not stop the program for
        good); None when there is no readable header.
    """
    if header is None:
        return None
    from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

    text = header.strip()
    if text.isascii() and text.replace(".", "", 1).isdecimal() and len(text) < 16:
        return min(float(text), _LONGEST_PAUSE)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now()), _LONGEST_PAUSE)
    except (ValueError, OverflowError, OSError):
        return None


def _kind(body: bytes) -> str:
    return "an HTML page" if body.lstrip()[:1] == b"<" else f"{len(body)} bytes that are no JSON"


def one_line(text: str) -> str:
    """Give a text of a server in one line of up to 300 printable characters.

    Args:
        text: The text; secrets have to be out of it before.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _TEXT_LIMIT]).split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 3] + "..."

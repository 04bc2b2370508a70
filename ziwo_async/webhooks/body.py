"""From the body of a request to its fields: multipart form data, urlencoded forms and JSON, each within limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast
from urllib.parse import parse_qsl

import multipart
from pydantic import JsonValue
from pydantic_core import from_json

from .request import Refused

__all__ = ["fields_of", "parts_of"]

_MOST_FIELDS = 200
_MOST_DEPTH = 32
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PLAIN = frozenset({"7bit", "8bit", "binary"})
_split = cast(
    "Callable[[str], tuple[str, dict[str, str]]]",
    multipart.parse_options_header,  # pyright: ignore[reportUnknownMemberType]
)


def fields_of(body: bytes, content_type: bytes | None) -> dict[str, JsonValue]:
    """Read a body.

    Args:
        body: The body.
        content_type: The header; without one the first character decides between JSON and urlencoded.

    Returns:
        The fields. A name that a form has several times has the list of its values.

    Raises:
        Refused: It is malformed, too deep, has too many fields, or is of another kind.
    """
    kind, parameters = _split((content_type or b"").decode("latin-1"))
    try:
        if kind == "multipart/form-data":
            return _joined(parts_of(body, parameters.get("boundary", "").encode("latin-1")))
        if not kind:
            kind = "application/json" if body.lstrip()[:1] == b"{" else "application/x-www-form-urlencoded"
        if kind == "application/x-www-form-urlencoded":
            return _joined(_urlencoded(body))
        if kind == "text/json" or (kind.startswith("application/") and kind.endswith(("/json", "+json"))):
            return _json(body)
    except ValueError:
        raise Refused(400) from None
    raise Refused(415)


def parts_of(body: bytes, boundary: bytes) -> Iterator[tuple[str, str]]:
    """Give name and value of the parts of multipart form data, one after the other.

    Args:
        body: The form data.
        boundary: What is between the parts.

    Raises:
        ValueError: What comes next is malformed, has no end, or is one part too much.
    """
    parser = multipart.PushMultipartParser(boundary, max_segment_count=_MOST_FIELDS)
    name: str | None = None
    value = b""
    with parser:
        for event in parser.parse(body):
            if isinstance(event, multipart.MultipartSegment):
                name, value = _name_of(event), b""
            elif event is not None:
                value += event
            elif name is not None:
                yield name, value.decode()


def _json(body: bytes) -> dict[str, JsonValue]:
    found: object = from_json(body.removeprefix(_BYTE_ORDER_MARK), allow_inf_nan=False)
    if not isinstance(found, dict):
        raise ValueError("no object")
    level: list[object] = [found]
    for _ in range(_MOST_DEPTH):
        level = [item for value in level for item in _inside(value)]
        if not level:
            return cast("dict[str, JsonValue]", found)
    raise ValueError("too deep")


def _inside(value: object) -> Iterable[object]:
    values = cast("dict[str, object]", value).values() if isinstance(value, dict) else cast("list[object]", value)
    nested: list[object] = [item for item in values if isinstance(item, (dict, list))]
    return nested


def _urlencoded(body: bytes) -> Iterable[tuple[str, str]]:
    text = body.decode("utf-8").strip("\r\n")
    return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)


def _name_of(part: multipart.MultipartSegment) -> str | None:
    name: str | None = part.name
    if dict(part.headerlist).get("Content-Transfer-Encoding", "8bit").strip().lower() not in _PLAIN:
        raise ValueError("an encoded part")
    if not name:
        raise ValueError("a part without a name")
    # Nobody sends a file to a call tracker; if somebody does, it is no field.
    return name if part.filename is None else None


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, value in pairs:
        earlier = found.get(name)
        if earlier is None:
            found[name] = value
        elif isinstance(earlier, list):
            earlier.append(value)
        else:
            found[name] = [earlier, value]
    return found

"""From the body of a request to its fields: multipart form data, urlencoded forms and JSON, each within limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast
from urllib.parse import parse_qsl

from pydantic import JsonValue
from pydantic_core import from_json

from .request import Refused

__all__ = ["fields_of"]

_MOST_FIELDS = 200
_MOST_DEPTH = 32
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PARAMETER = re.compile(rb';[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))[ \t]*')
_ESCAPED = re.compile(rb"\\(.)")
_LONGEST_BOUNDARY = 70
_LONGEST_PART_HEADER = 4096


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
    kind, parameters = _parts_of(content_type)
    try:
        if kind == b"multipart/form-data":
            return _joined(_multipart(body, parameters.get(b"boundary", b"")))
        if not kind:
            kind = b"application/json" if body.lstrip()[:1] == b"{" else b"application/x-www-form-urlencoded"
        if kind == b"application/x-www-form-urlencoded":
            return _joined(_urlencoded(body))
        if kind == b"text/json" or (kind.startswith(b"application/") and kind.endswith((b"/json", b"+json"))):
            return _json(body)
    except ValueError:
        raise Refused(400) from None
    raise Refused(415)


def _parts_of(header: bytes | None) -> tuple[bytes, dict[bytes, bytes]]:
    kind, semicolon, rest = (header or b"").partition(b";")
    return kind.strip().lower(), _parameters(semicolon + rest)


def _parameters(text: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            break
        quoted = cast("bytes | None", match[2])
        value = _ESCAPED.sub(rb"\1", quoted) if quoted is not None else cast("bytes", match[3])
        found.setdefault(match[1].lower(), value)
        at = match.end()
    return found


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


def _multipart(body: bytes, boundary: bytes) -> Iterable[tuple[str, str]]:
    if not 1 <= len(boundary) <= _LONGEST_BOUNDARY:
        raise ValueError("no boundary")
    mark = b"\r\n--" + boundary
    # So that the first boundary looks like the others, whether or not something stands before it.
    pieces = (b"\r\n" + body).split(mark, _MOST_FIELDS + 1)
    if len(pieces) > _MOST_FIELDS + 1:
        raise ValueError("too many fields")
    found: list[tuple[str, str]] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return found
        padding, line_end, part = piece.partition(b"\r\n")
        if padding.strip(b" \t") or not line_end:
            raise ValueError("a boundary is followed by something")
        field = _field(part)
        if field is not None:
            found.append(field)
    raise ValueError("the end is missing")


def _field(part: bytes) -> tuple[str, str] | None:
    head, blank, value = (b"\r\n" + part).partition(b"\r\n\r\n")
    if not blank or len(head) > _LONGEST_PART_HEADER:
        raise ValueError("a part without an end of its headers")
    parameters: dict[bytes, bytes] | None = None
    for line in head.split(b"\r\n"):
        name, _, rest = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            kind, parameters = _parts_of(rest)
            if kind != b"form-data":
                raise ValueError("no form data")
        elif name.strip().lower() == b"content-transfer-encoding" and rest.strip().lower() not in _PLAIN:
            raise ValueError("an encoded part")
    if parameters is None or b"name" not in parameters:
        raise ValueError("a part without a name")
    # Nobody sends a file to a call tracker; if somebody does, it is no field.
    return None if b"filename" in parameters else (parameters[b"name"].decode(), value.decode())


_PLAIN = (b"7bit", b"8bit", b"binary")


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

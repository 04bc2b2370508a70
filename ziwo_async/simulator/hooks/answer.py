"""The answer to startCall (source: ZIWO developers page)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeGuard, cast

from ...verto.frames import JsonObject

__all__ = ["BadAnswer", "Rule", "Rules", "read_rules"]


class BadAnswer(Exception):
    """The call cannot go by that answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A number to try.

    Attributes:
        number: The number to call.
        caller_id: The number that is shown there (`callerID`); None: the caller's.
        timeout: After how many seconds the next rule is tried; None: not given.
    """

    number: str
    caller_id: str | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What to do with a call.

    Attributes:
        rules: Tried in this order.
        voicemail: The caller can leave a message when nobody answers.
    """

    rules: tuple[Rule, ...]
    voicemail: bool = False


def read_rules(status: int, body: bytes, voicemail_flag: str) -> Rules:
    """Read an answer. Members that are not documented may be there and mean nothing, but for the voicemail's flag.

    Args:
        status: HTTP status.
        body: Its body.
        voicemail_flag: Name of a true member, beside `rules` or in one of them, that asks for the voicemail.

    Raises:
        BadAnswer: It is not what ZIWO documents.
    """
    if status != 200:
        raise BadAnswer(f"HTTP status {status}")
    try:
        envelope: object = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON") from None
    if not _is_object(envelope) or envelope.get("result") is not True:
        raise BadAnswer("result is not true")
    content = envelope.get("content")
    if not _is_object(content):
        raise BadAnswer("content is no object")
    rows = content.get("rules")
    if not isinstance(rows, list):
        raise BadAnswer("content.rules is no list")
    objects = [content, *(row for row in cast("list[object]", rows) if _is_object(row))]
    rules = tuple(_rule(row, number) for number, row in enumerate(cast("list[object]", rows), 1))
    return Rules(rules, any(found.get(voicemail_flag) is True for found in objects))


def _rule(row: object, number: int) -> Rule:
    if not _is_object(row) or row.get("action") != "call":
        raise BadAnswer(f"rule {number}: the action is not call")
    dialled, caller_id, timeout = row.get("number"), row.get("callerID"), row.get("timeout")
    if not isinstance(dialled, str) or not dialled:
        raise BadAnswer(f"rule {number}: the number is no text")
    if caller_id is not None and not isinstance(caller_id, str):
        raise BadAnswer(f"rule {number}: callerID is no text")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int) or timeout <= 0):
        raise BadAnswer(f"rule {number}: timeout is no number of seconds")
    return Rule(dialled, caller_id or None, None if timeout is None else float(timeout))


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)

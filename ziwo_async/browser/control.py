"""What a page may do with a phone: the commands behind `detail.dialog`, and click to call."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from ..errors import (
    BadArgument,
    CallError,
    ClientClosed,
    RequestTimeout,
    SpendRefused,
    TransportError,
    ZiwoError,
)

if TYPE_CHECKING:
    from ..events import DialogEvent
    from ..phone.call import Call
    from ..phone.phone import Phone

__all__ = ["Control", "Outcome"]

_log = logging.getLogger("ziwo_async.browser")

Outcome: TypeAlias = tuple[int, dict[str, object]]
"""Status and body of the answer."""

_MOST_REMEMBERED = 256
_LONGEST_ID = 64
_STATUS: tuple[tuple[type[ZiwoError], int], ...] = (
    (BadArgument, 400),
    (SpendRefused, 403),
    (CallError, 409),
    (RequestTimeout, 504),
    (TransportError, 503),
    (ClientClosed, 503),
)


class Control:
    """Carries out the commands of pages, each once: browsers send a request again when a connection ends under it."""

    def __init__(self, phone: Phone, calls: Callable[[], Mapping[str, DialogEvent]]) -> None:
        """Make it.

        Args:
            phone: Whose calls they are.
            calls: Gives the calls that the pages know of; others cannot be commanded.
        """
        self._phone = phone
        self._calls = calls
        self._tasks: OrderedDict[str, asyncio.Task[Outcome]] = OrderedDict()
        self._closed = False

    async def do(self, command: Mapping[str, object]) -> Outcome:
        """Carry out a command, or wait for the same one that was sent before.

        Args:
            command: `id` (unique), `action`, `callID` but for `call`, and `number` or `digits` where needed.
        """
        key, action = command.get("id"), command.get("action")
        if not isinstance(key, str) or not 16 <= len(key) <= _LONGEST_ID or not isinstance(action, str):
            return 400, {"error": "BadArgument", "message": "a command has an id of its own and an action"}
        task = self._tasks.get(key)
        if task is None:
            if self._closed or not self._make_room():
                return 503, {"error": "TooMany", "message": "too many commands at once"}
            name = f"ziwo_async:browser: {action[:20]}"
            task = self._tasks[key] = asyncio.create_task(self._carry_out(action, command), name=name)
        # The page may go away: what it asked for is done all the same, as with a phone on a desk.
        return await asyncio.shield(task)

    def _make_room(self) -> bool:
        if len(self._tasks) < _MOST_REMEMBERED:
            return True
        oldest = next((key for key, task in self._tasks.items() if task.done()), None)
        if oldest is None:
            return False
        del self._tasks[oldest]
        return True

    async def _carry_out(self, action: str, command: Mapping[str, object]) -> Outcome:
        try:
            call_id = await self._act(action, command)
        except ZiwoError as error:
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 502)
            _log.info("a page asked to %r: %s", action[:20], type(error).__name__)
            return status, {"error": type(error).__name__, "message": str(error)}
        if call_id is None:
            return 404, {"error": "CallGone", "message": "there is no such call"}
        _log.info("a page asked to %s call %s: done", action, call_id)
        return 200, {"callID": call_id}

    async def _act(self, action: str, command: Mapping[str, object]) -> str | None:
        if action == "call":
            return (await self._phone.dial(_text(command, "number"))).id
        call_id = _text(command, "callID")
        call = self._phone.call(call_id) if call_id in self._calls() else None
        if call is None:
            return None
        await _command(call, action, command)
        return call.id

    async def aclose(self) -> None:
        """Cancel what is under way, and take nothing more."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _command(call: Call, action: str, command: Mapping[str, object]) -> None:
    match action:
        case "answer":
            await call.answer()
        case "hangup":
            await call.hangup()
        case "hold":
            await call.hold()
        case "unhold":
            await call.unhold()
        case "dtmf":
            await call.dtmf(_text(command, "digits"))
        case "transfer":
            await call.transfer(_text(command, "number"))
        case _:
            raise BadArgument(f"there is no action {action[:20]!r}")


def _text(command: Mapping[str, object], name: str) -> str:
    found = command.get(name)
    if not isinstance(found, str):
        raise BadArgument(f"{name} must be a text")
    return found

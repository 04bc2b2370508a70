"""Asking ZIWO: may this agent be rung, and where is the call of this dial? Reads only."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from ..errors import BadArgument, DecodeError, NotFound
from ..rest.api import RestApi
from ..rest.models.cdr import Cdr
from ..rest.models.cti import CtiCall
from .evidence import SKEW, at_agent, in_history, known_before
from .machine import Nothing, Over, Up
from .records import Attempt, Callback

__all__ = ["Looker"]

_MOST = 500  # so many calls with one number within minutes are a server that does not look at the number


class Looker:
    """Looks things up for one client."""

    def __init__(self, client: RestApi) -> None:
        """Use a client; no I/O happens.

        Args:
            client: The contact centre, with the api_key and the login of an admin.
        """
        self._client = client
        self._by_id = True

    async def before(self, it: Callback, now: float) -> tuple[str, ...] | None:
        """Look before a dial: give the calls with the visitor that are in the history, or None: the agent has a call.

        That the history can be read is known then, too: without it, no outcome could be.

        Args:
            it: The callback.
            now: The time.

        Raises:
            ZiwoError: It could not be found out.
        """
        if await self._current(it.extension) is not None:
            return None
        return known_before(await self._calls_with(it.contact, now - SKEW))

    async def after(self, it: Callback, attempt: Attempt, *, thoroughly: bool) -> Nothing | Up | Over:
        """Look for the call of a dial: at the agent, by its id in the history, and among the calls with the visitor.

        Args:
            it: The callback.
            attempt: The dial.
            thoroughly: Read all calls of the time, too, in case the server compares numbers in another way than we.

        Raises:
            ZiwoError: It could not be found out.
        """
        others = tuple(
            earlier.call_id for earlier in it.attempts if earlier.call_id and earlier.number != attempt.number
        )
        # First the agent: a call that is over by the time of the second question is in the history then, or later.
        up = at_agent(await self._current(attempt.extension), attempt, it.contact, others)
        if up is not None:
            return up
        found: list[Cdr] = []
        if attempt.call_id is not None and self._by_id:
            try:
                cdr = await self._client.calls.by_call_id(attempt.call_id)
                found = [cdr] if cdr is not None else []
            except BadArgument:
                pass  # it is the number of a record: the number of the visitor has to do
            except DecodeError:
                self._by_id = False  # the server does not look for ids, and it took thousands of calls to know that
        since = attempt.began_at - SKEW
        if not found:
            found = await self._calls_with(it.contact, since)
        over = in_history(found, attempt, it.contact, others)
        if over is None and thoroughly:
            over = in_history(await self._calls_with(None, since), attempt, it.contact, others)
        return over or Nothing()

    async def _current(self, extension: str) -> CtiCall | None:
        # What an agent without a call is answered is not documented; a dial to an agent who is not there is refused.
        with suppress(NotFound):
            return await self._client.cti.current_call(extension)
        return None

    async def _calls_with(self, contact: str | None, since: float) -> list[Cdr]:
        calls = self._client.calls.history(datetime.fromtimestamp(since, UTC), contact_number=contact)
        return await calls.all(at_most=None if contact is None else _MOST)

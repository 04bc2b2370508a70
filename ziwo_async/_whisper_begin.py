"""Beginning: how a whisper session gets its call: asks for it, recognises it when it rings, answers it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from .dispatch.streams import EventStream
from .errors import (
    AgentNotFound,
    ApiError,
    CallEnded,
    ClientClosed,
    Conflict,
    DecodeError,
    EavesdropTimeout,
    NotFound,
    PositionNotConnected,
    RequestTimeout,
    WrongState,
    ZiwoError,
)
from .events import Active, Destroy, DialogState, Ringing

if TYPE_CHECKING:
    from ._whisper_audit import AuditTrail
    from .phone.call import Call
    from .phone.phone import Phone
    from .rest.eavesdrops import EavesdropsResource
    from .rest.models.eavesdrop import EavesdropCall

__all__ = ["LONGEST_WAIT", "Beginning"]

_log = logging.getLogger("ziwo_async.audit")

LONGEST_WAIT = 60.0
"""Seconds within which an eavesdrop call that we asked for is answered by itself; after that it is turned away."""


class Beginning:
    """The steps of one beginning, in their order: `create`, `recognise`, `answer`; or `give_up`."""

    def __init__(
        self,
        phone: Phone,
        eavesdrops: EavesdropsResource,
        audit: AuditTrail,
        agent: str,
        *,
        position: str | None,
        within: float,
    ) -> None:
        """Start the clock.

        Args:
            phone: Our phone, at which the call rings.
            eavesdrops: The REST side.
            audit: Told each step.
            agent: The agent to listen to.
            position: The position to ring.
            within: Seconds from now until the call must be answered.
        """
        self._phone = phone
        self._eavesdrops = eavesdrops
        self._audit = audit
        self._agent = agent
        self._position = position
        self._within = within
        self._deadline = asyncio.get_running_loop().time() + within
        self._call: Call | None = None

    async def create(self) -> str:
        """Ask for the call; gives its id.

        Raises:
            PositionNotConnected: Our position cannot ring.
            AgentNotFound: There is no such agent.
            ClientClosed: The phone was closed meanwhile.
            Exception: Whatever else the REST side raises.
        """
        # In a task of the phone's, so that a cancellation in the middle loses no call: it would ring, and nobody
        # would know why.
        outcome: asyncio.Future[EavesdropCall] = asyncio.get_running_loop().create_future()
        self._phone.announced.spawn(f"ask for an eavesdrop call on {self._agent}", self._ask, outcome)
        try:
            created = await asyncio.shield(outcome)
        except asyncio.CancelledError:
            outcome.add_done_callback(self._asked_in_vain)
            raise
        return created.call_id

    async def _ask(self, outcome: asyncio.Future[EavesdropCall]) -> None:
        try:
            with self._phone.announced.asking():
                created = await self._eavesdrops.create(self._agent, position=self._position)
                self._phone.announced.note(created.call_id)
        except asyncio.CancelledError:
            error = ClientClosed("the phone was closed while the eavesdrop call was asked for; it may have been made")
            self._audit.tell("create", error=error)
            outcome.set_exception(error)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the call is waited for
            told = _refused(error, self._agent) if isinstance(error, ApiError) else error
            self._audit.tell("create", error=told)
            outcome.set_exception(told)
        else:
            self._audit.call_id = created.call_id
            self._audit.tell("create")
            outcome.set_result(created)

    def _asked_in_vain(self, outcome: asyncio.Future[EavesdropCall]) -> None:
        if outcome.exception() is None:
            self.give_up(outcome.result().call_id, asyncio.CancelledError())

    async def recognise(self, call_id: str, rings: EventStream[Ringing]) -> Call:
        """Wait for the call that ZIWO's id names; it may ring already.

        Raises:
            EavesdropTimeout: It does not ring in time.
            WrongState: Another session has it.
            ClientClosed: The phone was closed.
        """
        announced = self._phone.announced
        if announced.is_claimed(call_id):
            raise WrongState("another whisper session has this call", call_id=call_id, state="active")
        try:
            async with asyncio.timeout_at(self._deadline):
                while (call := announced.find(call_id)) is None:
                    await anext(rings)
        except TimeoutError:
            text = f"the eavesdrop call {call_id} on agent {self._agent} did not ring within {self._within:g} s"
            raise EavesdropTimeout(text, agent=self._agent, call_id=call_id) from None
        except StopAsyncIteration:
            announced.check_ready()  # says why the phone is closed
            raise
        announced.note(call_id)
        announced.claim(call)
        self._call = call
        return call

    async def answer(self, call: Call) -> None:
        """Answer it, and wait until it is active.

        Raises:
            EavesdropTimeout: It was not confirmed in time.
            RequestTimeout: The server was silent.
            CallEnded: It ended first.
        """
        try:
            async with asyncio.timeout_at(self._deadline):
                await _answered(call)
        except RequestTimeout:
            raise  # the server's silence, which says so itself
        except TimeoutError:
            text = f"the eavesdrop call {call.id} on agent {self._agent} was not answered within {self._within:g} s"
            raise EavesdropTimeout(text, agent=self._agent, call_id=call.id) from None
        self._audit.tell("answer")
        self._phone.announced.spawn(f"see the end of eavesdrop call {call.id}", self._see_end, call)

    async def _see_end(self, call: Call) -> None:
        try:
            with contextlib.suppress(CallEnded):
                await call.wait_for(Destroy)
        finally:
            # A phone that closes may keep the call on the server: then it goes on, without us.
            self._audit.tell("end", error=None if call.is_over else ClientClosed())

    def give_up(self, call_id: str, error: BaseException) -> None:
        """Nobody waits for the call any more: if it rings, now or soon, it is hung up."""
        self._audit.tell("give up", error=error)
        with contextlib.suppress(ClientClosed):  # the phone is closed, and with it the call
            self._phone.announced.spawn(f"turn eavesdrop call {call_id} away", self._turn_away, call_id)

    async def _turn_away(self, call_id: str) -> None:
        try:
            call = self._call
            async with asyncio.timeout(LONGEST_WAIT), EventStream(self._phone.dispatcher, Ringing) as rings:
                while call is None and (call := self._phone.announced.find(call_id)) is None:
                    await anext(rings)
                await call.hangup()
        except (TimeoutError, StopAsyncIteration, ZiwoError) as error:
            _log.debug("eavesdrop call %s was not turned away: %s", call_id, error)


_UNKNOWN = ("not found", "no such", "unknown", "not exist", "invalid")


def _refused(error: ApiError, agent: str) -> ApiError:
    # Which status ZIWO answers in which case is not documented. Its words tell; the status only when they do not.
    words = error.message.lower()
    if isinstance(error, DecodeError) or "cannot post" in words:
        return error  # an answer that is not understood; a server that does not have the route
    if "position" in words or "not connected" in words:
        return PositionNotConnected(error.message, status=error.status, method=error.method, path=error.path)
    if isinstance(error, NotFound) or ("agent" in words and any(word in words for word in _UNKNOWN)):
        text = f"no agent {agent} to listen to: {error.message}"
        return AgentNotFound(text, status=error.status, method=error.method, path=error.path)
    if isinstance(error, Conflict):
        text = error.message or "our position is not connected"
        return PositionNotConnected(text, status=error.status, method=error.method, path=error.path)
    return error


async def _answered(call: Call) -> None:
    """Answer, and wait until the call is active; whichever of the two tells first that it is over, tells it."""
    active = asyncio.ensure_future(call.wait_for(Active))
    answering = asyncio.ensure_future(_answer_if_it_rings(call))
    try:
        await asyncio.wait({active, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not active.done():
            await answering
        await active
    finally:
        for task in (active, answering):
            task.cancel()
        await asyncio.gather(active, answering, return_exceptions=True)


async def _answer_if_it_rings(call: Call) -> None:
    if call.state is DialogState.RINGING:
        with contextlib.suppress(WrongState):  # a handler of the program, or ZIWO's pickup, was quicker
            await call.answer()

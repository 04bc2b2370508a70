"""Commands: what is done with calls and their media, for a program or because the server asks. On top of the core."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..errors import MediaError, RequestTimeout, WrongState, ZiwoError
from ..events import DialogState
from ..spend import SpendGuard, SpendKind
from ..verto.effects import Effect, Send
from ..verto.session import Phase

if TYPE_CHECKING:
    from .call import Call
    from .core import PhoneCore

__all__ = ["Commands"]

_log = logging.getLogger("ziwo_async.phone")

# The server gives up after 19.5 s (measured), and takes a late invite for a new call: better none than that.
_DIAL_WITHIN = 15.0


class Commands:
    """The commands of one phone.

    Attributes:
        guard: What the program may spend; None for everything. Asked for what the program wants, and not for what the
            server asks (`dial_asked`).
    """

    def __init__(self, core: PhoneCore) -> None:
        """Made by the core.

        Args:
            core: The phone's working parts.
        """
        self._core = core
        self.guard: SpendGuard | None = None

    def spend(self, kind: SpendKind, number: str) -> None:
        """Ask the guard, before anything is done. A phone that could not call anyway says so first, and counts nothing.

        Raises:
            SpendRefused: The policy forbids it.
            ConnectionLost: The phone is away.
            ClientClosed: The phone is not started, or closed.
        """
        if self.guard is not None:
            self._core.check_open(new_call=kind != "transfer")
            self.guard.check(kind, number)

    async def dial_new(
        self, number: str, *, user_variables: dict[str, str | bool] | None = None, primary: str | None = None
    ) -> Call:
        """Call a number with a new call id."""
        return await self.dial(number, self._core.new_id(), user_variables=user_variables, primary=primary)

    async def dial(
        self, number: str, call_id: str, *, user_variables: dict[str, str | bool] | None, primary: str | None
    ) -> Call:
        """Call a number; returns once the server took the call (`trying`)."""
        self._core.check_open(new_call=True)
        if call_id in self._core.session.calls or self._core.media.has(call_id):
            # Before the media are touched: they belong to the call that has the id.
            state = (
                str(self._core.session.calls[call_id].state) if call_id in self._core.session.calls else "requesting"
            )
            raise WrongState("a live call has this id already", call_id=call_id, state=state)
        offer = await self._core.media.offer(call_id)
        try:
            self._core.check_open(new_call=True)
            effects = self._core.session.dial(
                call_id, number, offer, self._core.clock(), user_variables=user_variables, primary_call_id=primary
            )
        except BaseException:
            await self._core.media.close(call_id)
            raise
        handle = self._handle_after(effects, call_id)
        try:
            await self._core.request([effect for effect in effects if isinstance(effect, Send)])
        except (RequestTimeout, asyncio.CancelledError):
            # The server may have taken the call all the same: a call nobody holds must not go on ringing.
            self._hang_up_behind(call_id)
            raise
        return handle

    def _handle_after(self, effects: list[Effect], call_id: str) -> Call:
        self._core.perform([effect for effect in effects if not isinstance(effect, Send)])
        return self._core.calls[call_id]

    def _hang_up_behind(self, call_id: str) -> None:
        if call_id in self._core.session.calls and self._core.owner.running:
            self._core.owner.spawn(f"hang up call {call_id}", self._hang_up_quietly, call_id)

    def take_no_new_calls(self) -> None:
        """Calls cannot be answered any more: those that ring, now or later, are turned away at once."""
        self._core.draining = True
        if self._core.owner.running:
            for call in self._core.calls.values():
                if call.state is DialogState.RINGING:
                    self._core.owner.spawn(f"turn call {call.id} away", self.turn_away, call.id)

    async def turn_away(self, call_id: str) -> None:
        """End a call that nobody will answer."""
        await self._hang_up_quietly(call_id, "USER_BUSY")

    async def _hang_up_quietly(self, call_id: str, cause: str | None = None) -> None:
        call = self._core.calls.get(call_id)
        if call is not None:
            try:
                await call.hangup(cause)
            except ZiwoError as error:
                _log.debug("call %s could not be hung up: %s", call_id, error)

    async def answer(self, call_id: str) -> None:
        """Answer a ringing call; returns once the server accepted (`active`)."""
        self._core.check_open(new_call=True)
        machine = self._core.session.calls.get(call_id)
        state = None if machine is None else machine.state
        offer = self._core.media.offer_of(call_id)
        if offer is None:
            raise WrongState(f"it is in state '{state}' and cannot be answered", call_id=call_id, state=str(state))
        answer = await self._core.media.answer(call_id, offer)
        self._core.check_open(new_call=True)
        await self._core.request(self._core.session.answer(call_id, answer, self._core.clock()))

    async def hang_up(self, call_id: str, cause: str, cause_code: int | None) -> None:
        """End a call; returns once it is destroyed. Goes on to the end even when the caller is cancelled."""
        if self._core.connection is None or self._core.session.phase not in (Phase.READY, Phase.LOGGED_IN):
            # Before the login was accepted a bye would be refused: it is said once the server is ready.
            self._core.perform(self._core.session.hang_up_unsent(call_id, cause, cause_code, self._core.clock()))
            return
        effects = self._core.session.hang_up(call_id, cause, cause_code, self._core.clock())
        # Told now, not when the task gets its turn: the connection may end before that, and `destroy` comes first.
        self._core.perform([effect for effect in effects if not isinstance(effect, Send)])
        send = next(effect for effect in effects if isinstance(effect, Send))
        task = self._core.owner.spawn(f"hang up call {call_id}", self._finish_bye, call_id, send)
        await task.wait()

    async def _finish_bye(self, call_id: str, send: Send) -> None:
        try:
            await self._core.request(send, limit=self._core.timeouts.close)
        except ZiwoError as error:
            _log.debug("the bye of call %s was not confirmed: %s", call_id, error)
        # Already destroyed when the server confirmed, refused or the socket ended: then this changes nothing.
        self._core.perform(self._core.session.bye_timed_out(call_id, self._core.clock()))

    async def accept(self, call_id: str, sdp: str) -> None:
        """Take the server's answer to our offer; a call whose media cannot be is hung up."""
        try:
            await self._core.media.accept(call_id, sdp)
        except MediaError as error:
            await self._media_failed(call_id, error)

    async def reattach(self, call_id: str, sdp: str) -> None:
        """Answer the server's offer to take a call over again."""
        try:
            answer = await self._core.media.answer(call_id, sdp)
            await self._core.request(self._core.session.attach(call_id, answer))
        except MediaError as error:
            await self._media_failed(call_id, error)
        except ZiwoError as error:
            _log.warning("call %s could not be re-attached: %s", call_id, error)

    async def _media_failed(self, call_id: str, error: MediaError) -> None:
        _log.error("the media of call %s failed: %s", call_id, error)
        call = self._core.calls.get(call_id)
        if call is not None and not call.is_over:
            await self._hang_up_quietly(call_id)

    async def pick_up(self, call_id: str) -> None:
        """Answer a call because the server asks for it (`verto.pickup`)."""
        try:
            await self.answer(call_id)
        except WrongState as error:
            # The server repeats itself (measured), or somebody else was quicker.
            _log.debug("the server asked to pick up call %s, which needs no more: %s", call_id, error)
        except ZiwoError as error:
            _log.warning("the server asked to pick up call %s, which failed: %s", call_id, error)

    async def dial_asked(self, number: str, call_id: str) -> None:
        """Call a number because the server asks for it (`verto.dial`); the guard is not asked (see `spend`)."""
        try:
            async with asyncio.timeout(_DIAL_WITHIN):
                await self.dial(number, call_id, user_variables=None, primary=None)
        except TimeoutError:
            _log.warning("the server asked to dial as call %s, which took longer than %s s", call_id, _DIAL_WITHIN)
        except ZiwoError as error:
            _log.warning("the server asked to dial as call %s, which failed: %s", call_id, error)

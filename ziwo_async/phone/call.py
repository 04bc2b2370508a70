"""Call: the handle of one call. What it tells is the machine's; what it does goes through the phone's core."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast, overload

from ..errors import BadArgument, CallEnded, CallGone, WrongState, ZiwoError
from ..events import (
    STATE_EVENTS,
    CallData,
    CallEvent,
    Destroy,
    DialogEvent,
    DialogState,
    Direction,
    StateFlowItem,
)
from ..verto.call import CallMachine
from .causes import CAUSE_CODES
from .transfer import AttendedTransfer

if TYPE_CHECKING:
    from ..media.audio import CallAudio
    from .core import PhoneCore
    from .media import MediaEngine

__all__ = ["Call"]

E = TypeVar("E", bound=CallEvent)

_DIGITS = re.compile(r"[0-9A-Da-d*#wW]+(@\d{1,5})?")
_LONGEST_NUMBER = 128
# States a call is in only once, so that having been there is as good as being there.
_ONCE = frozenset(
    {
        DialogState.REQUESTING,
        DialogState.TRYING,
        DialogState.EARLY,
        DialogState.RINGING,
        DialogState.ANSWERING,
        DialogState.HANGUP,
        DialogState.DESTROY,
    }
)


def check_number(number: str, what: str) -> str:
    """Refuse what can be no number. Kept as given otherwise: formats are the contact centre's business.

    Raises:
        BadArgument: It is empty, too long, or has control characters.
    """
    if not number.strip() or len(number) > _LONGEST_NUMBER or not number.isprintable():
        raise BadArgument(f"{what}: {number[:40]!r} is not a number that can be dialled")
    return number


class Call:
    """One call of this phone.

    You get it from `phone.dial()` and as the first argument of handlers of call events. It tells the state the call is
    in *now*, while an event tells the state at its moment.
    """

    def __init__(self, core: PhoneCore, machine: CallMachine) -> None:
        """Made by the phone."""
        self._core = core
        self._machine = machine
        self._seen: dict[DialogState, DialogEvent] = {}
        self._audio: CallAudio | None = None

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.direction} {self.customer_number!r} {self.state}>"

    # -- what it is ------------------------------------------------------------

    @property
    def id(self) -> str:
        """Id of the leg (`callID`)."""
        return self._machine.call_id

    @property
    def primary_call_id(self) -> str:
        """Id of the first leg; the call's own id when there is no other (`primaryCallID`)."""
        return self.data.primary_call_id

    @property
    def state(self) -> DialogState:
        """The state it is in now."""
        return self._machine.state or DialogState.REQUESTING

    @property
    def direction(self) -> Direction:
        """As the agent sees it."""
        return self.data.direction

    @property
    def customer_number(self) -> str:
        """The customer's number, as given."""
        return self.data.customer_number

    @property
    def state_flow(self) -> tuple[StateFlowItem, ...]:
        """The states it went through."""
        return self._machine.flow

    @property
    def headers(self) -> dict[str, str]:
        """Every `verto_h_*` header, by its full name."""
        return self.data.headers

    @property
    def data(self) -> CallData:
        """The full data of the call as it is now."""
        return self._machine.data

    @property
    def is_over(self) -> bool:
        """Whether the call is destroyed."""
        return self._machine.is_over

    @property
    def muted(self) -> bool:
        """Whether our microphone is off."""
        return self.data.muted

    @property
    def cause(self) -> str | None:
        """FreeSWITCH hang-up cause, once the call ended."""
        return self.data.hangup_cause

    @property
    def audio(self) -> CallAudio:
        """What is heard and said in the call: `frames()`, `play()`, `speak()`, `record()`, `levels()`, `voice()`.

        It stays the same over re-attachments, and comes to its end with the call.

        Raises:
            WrongState: The call rings still, or is over without ever having been asked for its audio.
            MediaError: The client was made without a media engine that carries audio (`AiortcMedia`).
        """
        if self._audio is None:
            self._audio = self._core.media.audio(self.id, self.state)
        return self._audio

    async def settled(self) -> None:
        """Wait until `direction` is sure.

        It is at once, but while an eavesdrop call is being asked for: a call that rings meanwhile may be that one, and
        is of kind `service` then. Takes as long as that request at most.
        """
        await self._core.announced.settled()

    # -- what it can do --------------------------------------------------------

    async def answer(self, *, hold_others: bool = False, media: MediaEngine | None = None) -> None:
        """Answer the ringing call. Returns when the server accepted (`active`).

        Args:
            hold_others: Put every other active call on hold first, as ZIWO's own client does.
            media: Makes the media of this call, instead of the client's engine.

        Raises:
            WrongState: It does not ring.
            MediaError: The server refused our media (the call rings on), or the engine failed.
            CallEnded: It ended meanwhile.
            ConnectionLost: The connection ended first.
        """
        if hold_others:
            await self._hold_others()
        try:
            async with self._core.media.using(self.id, media):
                await self._core.commands.answer(self.id)
        except CallGone as error:
            raise self.ended_or(error) from None

    async def _hold_others(self) -> None:
        for other in list(self._core.calls.values()):
            if other is not self and other.state is DialogState.ACTIVE:
                await other.hold()

    async def hangup(self, cause: str | None = None) -> None:
        """End the call, in any state. Returns when it is destroyed. Does nothing when it is over already.

        Args:
            cause: FreeSWITCH hang-up cause. By default what ZIWO's own client sends: `CALL_REJECTED` for an inbound
                call that was not answered, `ORIGINATOR_CANCEL` for such an outbound one, else `NORMAL_CLEARING`.
                A cause the server does not know becomes `NORMAL_CLEARING` there.

        Raises:
            ClientClosed: The phone is closed.
        """
        if self.state in (DialogState.HANGUP, DialogState.DESTROY):
            await self.wait_for(Destroy)
            return
        chosen = cause or self._usual_cause()
        await self._core.commands.hang_up(self.id, chosen, CAUSE_CODES.get(chosen))

    def _usual_cause(self) -> str:
        was = {step.state for step in self.state_flow}
        if was & {DialogState.ACTIVE, DialogState.HELD, DialogState.RECOVERING}:
            return "NORMAL_CLEARING"
        return "CALL_REJECTED" if DialogState.RINGING in was else "ORIGINATOR_CANCEL"

    async def hold(self) -> None:
        """Put the customer on hold. Returns when the server confirmed (`held`).

        Raises:
            WrongState: It is not answered, or the server did not hold it.
            CallGone: It ended meanwhile.
            ConnectionLost: The connection ended first.
        """
        await self._modify_hold("hold", "held")

    async def unhold(self, *, hold_others: bool = False) -> None:
        """Take the customer off hold. Returns when the server confirmed (`active`).

        Args:
            hold_others: Put every other active call on hold first, as ZIWO's own client does.

        Raises:
            WrongState: It is not answered, or the server did not unhold it.
            CallGone: It ended meanwhile.
            ConnectionLost: The connection ended first.
        """
        if hold_others:
            await self._hold_others()
        await self._modify_hold("unhold", "active")

    async def _modify_hold(self, action: str, wanted: str) -> None:
        self._core.check_open()
        result = await self._request_modify(action)
        if result.get("holdState") != wanted:
            raise WrongState(
                f"the server did not {action} it: its hold state is {result.get('holdState')!r}",
                call_id=self.id,
                state=str(self.state),
            )

    async def _request_modify(self, action: str, **extra: str) -> Mapping[str, object]:
        try:
            return await self._core.request(self._core.session.modify(self.id, action, **extra))
        except CallGone as error:
            raise self.ended_or(error) from None

    def ended_or(self, error: ZiwoError) -> ZiwoError:
        """Why a command failed: that the call ended outweighs that the server does not know it any more."""
        return self.ended_error("it ended before the command was done") if self.is_over else error

    async def mute(self) -> None:
        """Switch our microphone off. Local: the server is not told.

        Raises:
            WrongState: The call is over.
        """
        await self._mute(True)

    async def unmute(self) -> None:
        """Switch our microphone on again.

        Raises:
            WrongState: The call is over.
        """
        await self._mute(False)

    async def _mute(self, muted: bool) -> None:
        effects = self._core.session.mute(self.id, muted=muted)
        await self._core.media.mute(self.id, muted=muted)
        self._core.perform(effects)

    async def dtmf(self, digits: str) -> None:
        """Send DTMF digits, all in one message. Returns when the server took them.

        Args:
            digits: `0-9 A-D * #`, `w` and `W` for pauses; `12@150` sets the duration of each to 150 ms.

        Raises:
            BadArgument: There is a character that is no DTMF digit.
            WrongState: The call is over.
            CallGone: The server did not know the call.
            ConnectionLost: The connection ended first.
        """
        if not _DIGITS.fullmatch(digits):
            raise BadArgument(f"dtmf: {digits[:40]!r} has characters that are no DTMF digits (0-9 A-D * # w W)")
        self._core.check_open()
        result = await self._core.request(self._core.session.dtmf(self.id, digits))
        if result.get("message") != "SENT":
            # The server reports success for unknown calls as well; only the missing word tells (measured).
            raise CallGone("the server took the DTMF digits for no call", call_id=self.id)

    async def set_variables(self, variables: Mapping[str, str | bool]) -> None:
        """Set variables of the call on the server, as `verto_dvar_<name>` (ZIWO's `verto.sendToCall`).

        Args:
            variables: Strings and booleans. The server drops empty strings silently, so they are refused here.

        Raises:
            BadArgument: A value is neither, or empty.
            WrongState: The call is over.
            CallGone: The server did not know the call.
            ConnectionLost: The connection ended first.
        """
        for name, value in variables.items():
            if not isinstance(value, str | bool) or value == "":
                raise BadArgument(f"set_variables: {name!r} must be a string that is not empty, or a boolean")
        self._core.check_open()
        await self._core.request(self._core.session.send_to_call(self.id, variables))

    async def transfer(self, to: str) -> None:
        """Send the customer to another number (blind). Returns when the server did; our leg then ends by itself.

        Args:
            to: The number, extension or agent to send the customer to.

        Raises:
            BadArgument: It is no number.
            SpendRefused: The program's own `SpendPolicy` forbids it.
            TransferFailed: The server refused, for instance because nobody is on the other end.
            WrongState: The call is not answered.
            ConnectionLost: The connection ended first.
        """
        check_number(to, "transfer")
        self._core.check_open()
        self._core.commands.spend("transfer", to)
        await self._request_modify("transfer", destination=to)

    async def attended_transfer(self, to: str) -> AttendedTransfer:
        """Put the customer on hold and call the third party. Returns when that call was made.

        Args:
            to: The number to consult.

        Returns:
            The transfer: `complete()` joins the two others, `cancel()` goes back to the customer.

        Raises:
            BadArgument: It is no number.
            SpendRefused: The program's own `SpendPolicy` forbids the consultation call; the customer was not put on
                hold.
            CallRefused: The consultation call was not taken; the customer is off hold again.
            WrongState: The call is not answered.
            ConnectionLost: The connection ended first.
        """
        check_number(to, "attended_transfer")
        self._core.commands.spend("consult", to)
        if self.state is not DialogState.HELD:
            await self.hold()
        try:
            consult = await self._core.commands.dial_new(to, primary=self.primary_call_id)
        except ZiwoError:
            await self._unhold_quietly()
            raise
        return AttendedTransfer(self._core, self, consult)

    async def _unhold_quietly(self) -> None:
        if self.state is DialogState.HELD and self._core.connection is not None:
            try:
                await self.unhold()
            except ZiwoError:
                self._core.log.warning("call %s could not be taken off hold", self.id)

    # -- waiting ---------------------------------------------------------------

    @overload
    async def wait_for(self, what: type[E], timeout: float | None = None) -> E: ...
    @overload
    async def wait_for(self, what: DialogState | str, timeout: float | None = None) -> DialogEvent: ...
    async def wait_for(  # the limit's own error says which call and what was awaited, which asyncio.timeout cannot
        self,
        what: type[E] | DialogState | str,
        timeout: float | None = None,
    ) -> E | DialogEvent:
        """Wait until the call is in a state, or an event about it comes.

        Returns at once when the call is in that state now, or has been in it and can be only once (all but `active`,
        `held` and `recovering`).

        Args:
            what: A state (`"active"`), a state's class (`Active`), or another class of call events (`PartyChanged`).
            timeout: Seconds; None waits as long as the call lives.

        Returns:
            The event.

        Raises:
            CallEnded: The call ended first.
            ExpectTimeout: It did not come in time.
            BadArgument: There is no such state.
        """
        kind = what if isinstance(what, type) else _class_of(what)
        state = kind.STATE if issubclass(kind, DialogEvent) else None
        if state is not None:
            seen = self._seen.get(state)
            if seen is not None and (state in _ONCE or self.state is state):
                return cast("E", seen)
        if self.is_over:
            raise self.ended_error(f"it ended before {_name(kind)} came")

        def mine(event: CallEvent) -> bool:
            return event.call_id == self.id and isinstance(event, (kind, Destroy))

        found = await self._core.dispatcher.wait_for(CallEvent, mine, timeout, f"{_name(kind)} of call {self.id}")
        if not isinstance(found, kind):
            raise self.ended_error(f"it ended before {_name(kind)} came")
        return cast("E", found)

    def ended_error(self, message: str) -> CallEnded:
        """Build the error that says why the call ended."""
        cause, code = self.data.hangup_cause, self.data.hangup_cause_code
        by = self.data.hangup_by
        return CallEnded(
            f"{message} ({cause or 'no cause told'}, by {by or 'nobody known'})",
            call_id=self.id,
            cause=cause,
            cause_code=code,
        )

    def note(self, event: DialogEvent) -> None:
        """Called by the core for each state, before anybody else sees the event."""
        self._seen[event.state] = event


def _class_of(state: DialogState | str) -> type[DialogEvent]:
    found = STATE_EVENTS.get(DialogState(state))
    if found is None:
        raise BadArgument(f"there is no state {str(state)!r}; there are {', '.join(STATE_EVENTS)}")
    return found


def _name(kind: type[CallEvent]) -> str:
    if issubclass(kind, DialogEvent) and kind.STATE is not None:
        return f"'{kind.STATE}'"
    return kind.__name__

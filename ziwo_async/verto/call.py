"""CallMachine: one call from its first state to `destroy`. Pure: inputs and the time in, events out.

The machine owns what a call *is* (ids, direction, customer's number, state flow); `table.py` says what each input does.
Every call ends in exactly one `destroy`, and nothing comes after it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from ..events import (
    STATE_EVENTS,
    CallData,
    DialogEvent,
    DialogState,
    Direction,
    Event,
    FlowViolation,
    HangupBy,
    PartyChanged,
    StateFlowItem,
    trusted,
)
from . import direction as rules
from .ledger import LedgerCall
from .messages import Attach, Bye, Display, Invite
from .table import ROWS, Ignore, Input, Move, Violate

__all__ = ["CallMachine", "Input"]

_date = datetime.fromtimestamp
_RECOVERING, _DESTROY = DialogState.RECOVERING, DialogState.DESTROY
_NOT_LIVE = (None, DialogState.HANGUP, DialogState.DESTROY)
_UNANSWERED_LOSS = ("DESTINATION_OUT_OF_ORDER", 27)

# The fields of `CallData`, in its order, of a call of which nothing is known. Its dicts are replaced, never filled.
_BLANK: dict[str, Any] = {
    "call_id": "",
    "primary_call_id": "",
    "direction": Direction.OUTBOUND,
    "customer_number": "",
    "caller_id_name": "",
    "caller_id_number": "",
    "callee_id_name": "",
    "callee_id_number": "",
    "display_name": None,
    "display_number": None,
    "headers": {},
    "variables": {},
    "muted": False,
    "hangup_cause": None,
    "hangup_cause_code": None,
    "hangup_by": None,
    "source": "phone",
}


class CallMachine:
    """One call.

    Attributes:
        call_id: The leg's id.
        state: The state it is in; None before the first input.
        flow: The states it went through.
        doubtful: Whether the ledger we have the call from may be older than its answer, or than its recovery.
        detached: Whether the connection was lost and the call waits to be re-attached.
        media_told: Whether the server gave its SDP already (it comes once, with `verto.media` or `verto.answer`).
        bye_pending: Whether a bye of ours waits for its confirmation.
    """

    __slots__ = (
        "_agents",
        "_data",
        "_fields",
        "_resume",
        "bye_pending",
        "call_id",
        "detached",
        "doubtful",
        "flow",
        "media_told",
        "state",
    )

    def __init__(self, call_id: str, *, agents: Collection[str] = ()) -> None:
        """Make the machine of a call that has not begun.

        Args:
            call_id: The leg's id.
            agents: ccLogins of the contact centre's agents, for the direction `internal`.
        """
        self.call_id = call_id
        self.state: DialogState | None = None
        self.flow: tuple[StateFlowItem, ...] = ()
        self.detached = False
        self.doubtful = False
        self.media_told = False
        self.bye_pending = False
        self._agents = agents
        self._resume = DialogState.ACTIVE
        self._data: CallData | None = None
        self._fields: dict[str, Any] = _BLANK.copy()
        self._fields["call_id"] = self._fields["primary_call_id"] = call_id

    @classmethod
    def restored(cls, entry: LedgerCall) -> CallMachine:
        """Make the machine of a call from a ledger. It waits to be re-attached, if it was answered.

        Args:
            entry: What the ledger says.
        """
        call = cls(entry.data.call_id)
        call.state, call.flow, call._resume = entry.state, entry.flow, entry.resume
        call.media_told = entry.media_told
        call._fields = {name: getattr(entry.data, name) for name in _BLANK}
        return call

    # -- what the call is ------------------------------------------------------------

    @property
    def data(self) -> CallData:
        """The full data of the call as it is now."""
        if self._data is None:
            self._data = trusted(CallData, dict(self._fields))
        return self._data

    @property
    def entry(self) -> LedgerCall | None:
        """What a ledger must keep of the call; None before its first state."""
        if self.state is None:
            return None
        return trusted(
            LedgerCall,
            {
                "data": self.data,
                "state": self.state,
                "flow": self.flow,
                "resume": self._resume,
                "media_told": self.media_told,
            },
        )

    @property
    def headers(self) -> dict[str, str]:
        """Every `verto_h_*` header the server told, by its full name."""
        headers: dict[str, str] = self._fields["headers"]
        return headers

    @property
    def is_inbound_ringing(self) -> bool:
        """Whether `verto.pickup` may be honoured: an inbound call that rings and was not answered."""
        return self.state is DialogState.RINGING

    @property
    def is_outbound(self) -> bool:
        """Whether we made the call, so that the server's SDP answers our own offer."""
        return bool(self.flow) and self.flow[0].state is DialogState.REQUESTING

    @property
    def is_over(self) -> bool:
        """Whether the call has reached `destroy`."""
        return self.state is DialogState.DESTROY

    @property
    def is_answered(self) -> bool:
        """Whether the two sides were connected; such calls survive the loss of the connection."""
        return self.state in (DialogState.ACTIVE, DialogState.HELD, DialogState.RECOVERING)

    def _set(self, **fields: Any) -> None:
        self._fields.update(fields)
        self._data = None

    # -- inputs ------------------------------------------------------------

    def dial(self, number: str, at: float, *, primary_call_id: str | None = None) -> list[Event]:
        """Our `verto.invite` is written: call `number`."""
        if self.state is None:
            self._set(
                direction=rules.outbound_direction(number, self._agents),
                customer_number=number,
                callee_id_number=number,
                primary_call_id=primary_call_id or self.call_id,
            )
        return self.feed(Input.DIAL, at)

    def offered(self, invite: Invite, at: float, *, direction: Direction | None = None) -> list[Event]:
        """`verto.invite`: an inbound call.

        Args:
            invite: The message.
            at: Now, in seconds since the epoch.
            direction: Overrides the rule, for calls known to be of another kind (eavesdrop: `service`).
        """
        if self.state is None:
            number = rules.customer_of(invite.headers, invite.caller_id_number)
            self._take_party(invite)
            self._set(
                direction=direction or rules.inbound_direction(number, self._agents),
                customer_number=number,
                primary_call_id=rules.primary_of(invite.headers, self.call_id),
            )
        return self.feed(Input.OFFERED, at)

    def attached(self, attach: Attach, at: float) -> list[Event]:
        """`verto.attach`: the server offers the call again. What we know of it outweighs what the frame says."""
        if self.state is None:
            ours = attach.display_direction == "inbound"
            number = attach.callee_id_number if ours else rules.customer_of(attach.headers, attach.caller_id_number)
            self._take_party(attach)
            self._set(
                direction=rules.attached_direction(attach.display_direction, number, self._agents),
                customer_number=rules.unwrap(number),
                primary_call_id=rules.primary_of(attach.headers, self.call_id),
            )
            return self.feed(Input.ATTACHED, at)
        if not self.detached and self.state is not DialogState.RECOVERING:
            return self.feed(Input.RENEGOTIATE, at)
        what = Input.FOUND_ANSWERED if self.doubtful else Input.ATTACHED
        self.detached = self.doubtful = False
        return self.feed(what, at)

    def _take_party(self, message: Invite | Attach) -> None:
        fields, unwrap = self._fields, rules.unwrap
        fields["caller_id_name"] = unwrap(message.caller_id_name)
        fields["caller_id_number"] = unwrap(message.caller_id_number)
        fields["callee_id_name"] = unwrap(message.callee_id_name)
        fields["callee_id_number"] = unwrap(message.callee_id_number)
        fields["headers"] = message.headers
        fields["variables"] = message.variables

    def displayed(self, display: Display, at: float) -> list[Event]:
        """`verto.display`: the party on the other end changed."""
        if self.state in _NOT_LIVE:
            return self.feed(Input.DISPLAY, at)
        fields = self._fields
        name, number = rules.unwrap(display.display_name), rules.unwrap(display.display_number)
        if name != fields["display_name"] or number != fields["display_number"]:
            self._set(display_name=name, display_number=number)
        if display.headers is not fields["headers"] and display.headers and display.headers != fields["headers"]:
            self._set(headers={**fields["headers"], **display.headers})
        changed = trusted(
            PartyChanged,
            {
                "call_id": self.call_id,
                "event": "party_changed",
                "display_name": name,
                "display_number": number,
                "current_call": self.data,
            },
        )
        return [changed]

    def media_arrived(self, variables: dict[str, str], at: float, *, answered: bool) -> list[Event]:
        """`verto.media` or `verto.answer` of our outbound call."""
        if variables and self.state is not None:
            self._set(variables={**self._fields["variables"], **variables})
        return self.feed(Input.ANSWERED if answered else Input.MEDIA, at)

    def ended(self, bye: Bye, at: float) -> list[Event]:
        """`verto.bye`: ended by the other side or the system."""
        if self.state is not DialogState.HANGUP:
            self._why(bye.cause, bye.cause_code, HangupBy.REMOTE)
        return self.feed(Input.BYE, at)

    def hang_up(self, cause: str, cause_code: int | None, at: float) -> list[Event]:
        """Our `verto.bye` is written."""
        if self.state is not DialogState.HANGUP:
            self._why(cause, cause_code, HangupBy.LOCAL)
        events = self.feed(Input.HANGUP, at)
        self.bye_pending = self.state is DialogState.HANGUP
        return events

    def refused(self, cause: str | None, cause_code: int | None, at: float) -> list[Event]:
        """The server refused the request that the call hung on."""
        if self.state is not DialogState.HANGUP:
            self._why(cause, cause_code, HangupBy.REMOTE)
        return self.feed(Input.REFUSED, at)

    def gone(self, at: float) -> list[Event]:
        """The server does not know the call (any more): nothing was told, so the cause is not known."""
        if self.state is not DialogState.HANGUP:
            self._why(None, None, HangupBy.LOST)
        return self.feed(Input.GONE, at)

    def attach_failed(self, at: float) -> list[Event]:
        """Our answer to `verto.attach` was refused; the server hangs the call up for it (mod_verto)."""
        if self.state is not DialogState.HANGUP:
            self._why("BEARERCAPABILITY_NOTAVAIL", 58, HangupBy.LOST)
        return self.feed(Input.ATTACH_FAILED, at)

    def connection_lost(self, at: float) -> list[Event]:
        """The socket ended. Unanswered calls are over at once; answered ones wait to be re-attached."""
        if isinstance(ROWS[self.state][Input.LOST], Ignore):
            self.detached = not self.is_over
        elif self.state is not DialogState.HANGUP:
            self._why(*_UNANSWERED_LOSS, HangupBy.LOST)
        return self.feed(Input.LOST, at)

    def hold_state(self, *, held: bool, at: float) -> list[Event]:
        """The server confirmed that the call is held, or active again (`holdState`)."""
        if self.state is DialogState.RECOVERING:
            self._resume = DialogState.HELD if held else DialogState.ACTIVE
        return self.feed(Input.HELD if held else Input.RESUMED, at)

    def set_muted(self, muted: bool) -> bool:
        """Note that our microphone is off or on; returns whether that is a change."""
        if self._fields["muted"] == muted:
            return False
        self._set(muted=muted)
        return True

    def set_direction(self, direction: Direction) -> None:
        """Say what kind of call it is when something outside the protocol knows better (eavesdrop: `service`)."""
        self._set(direction=direction)

    def _why(self, cause: str | None, code: int | None, by: HangupBy) -> None:
        if self.state not in (None, DialogState.DESTROY):
            self._set(hangup_cause=cause or None, hangup_cause_code=code, hangup_by=by)

    # -- the step ------------------------------------------------------------

    def feed(self, what: Input, at: float) -> list[Event]:
        """Take one input and return the events to publish, in order.

        Args:
            what: What happened.
            at: Now, in seconds since the epoch.
        """
        entry = ROWS[self.state][what]
        if type(entry) is Move:
            events: list[Event] = [self._enter(state, at, inferred) for state, inferred in entry.path]
            return events
        if type(entry) is Ignore:
            return []
        if isinstance(entry, Violate):
            return [FlowViolation(call_id=self.call_id, state=self.state, input=what.value, reason=entry.reason)]
        return [self._enter(self._resume, at, False)]

    def _enter(self, state: DialogState, at: float, inferred: bool) -> DialogEvent:
        if state is _RECOVERING:
            if self.state is not _RECOVERING:
                self._resume = DialogState.HELD if self.state is DialogState.HELD else DialogState.ACTIVE
            self.detached = False
        elif state is _DESTROY:
            self.bye_pending = False
            self.detached = False
        self.state = state
        step = {"state": state, "date": _date(at, UTC), "date_unix": at, "inferred": inferred}
        self.flow = (*self.flow, trusted(StateFlowItem, step))
        fields = self._fields
        return trusted(
            STATE_EVENTS[state],
            {
                "call_id": self.call_id,
                "state": state,
                "primary_call_id": fields["primary_call_id"],
                "customer_number": fields["customer_number"],
                "direction": fields["direction"],
                "state_flow": self.flow,
                "current_call": self.data,
            },
        )

"""The switch: which channels exist, and what happens to one when the other changes.

Sources: the captured frames (named in the comments as sNN and zNN, see `tests/data/transcripts`) and mod_verto's
source. What media there is, is the business of a `Media`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..verto.frames import JsonObject
from .causes import code_of
from .clock import Clock, Timer
from .legs import FarEnd, Leg, Outside, Party
from .media import Descriptions, Media
from .options import ServerOptions
from .people import SimAgent
from .watch import Watch

if TYPE_CHECKING:
    from .call_log import CallLog

__all__ = ["Socket", "Sockets", "Switch"]


class Socket(Protocol):
    """What the switch needs of a client's socket."""

    @property
    def sessid(self) -> str:
        """The session id it holds."""
        ...

    @property
    def remembered_name(self) -> str:
        """First caller name an invite of this socket carried."""
        ...

    def queue(self, method: str, params: JsonObject) -> None:
        """Queue a request of the server."""
        ...


class Sockets(Protocol):
    """What the switch needs of the Verto server."""

    def by_sessid(self, sessid: str) -> Socket | None:
        """The socket that holds a session id."""
        ...

    def of_agent(self, agent: SimAgent) -> Sequence[Socket]:
        """The logged-in sockets of an agent, newest first."""
        ...


class Switch:
    """All channels of a running simulator. `log` is set by `Simulator`.

    Attributes:
        legs: Live Verto channels by callID.
        log: Is told what becomes of the calls.
        media: Their media; descriptions only, unless `Simulator` sets another.
    """

    log: CallLog

    def __init__(
        self, *, sockets: Sockets, clock: Clock, options: ServerOptions, rng: random.Random, watch: Watch
    ) -> None:
        self.sockets = sockets
        self.clock = clock
        self.options = options
        self.rng = rng
        self.watch = watch
        self.legs: dict[str, Leg] = {}
        self.media: Media = Descriptions(rng)
        self.core_uuid = self.new_uuid()
        self._sequence = 400

    def new_uuid(self) -> str:
        """A uuid out of the world's seeded generator."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    # ---- frames ----------------------------------------------------------------------------------------------

    def variables(self, leg: Leg) -> JsonObject:
        """The `variables` member: generic event headers (leaked by mod_verto) and the `verto_svar_*` variables."""
        self._sequence += 7
        now = self.clock.epoch()
        date = datetime.fromtimestamp(now, UTC)
        return {
            "Event-Name": "CHANNEL_DATA",
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": "simulator",
            "FreeSWITCH-Switchname": "simulator",
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
            "Event-Date-Local": date.strftime("%Y-%m-%d %H:%M:%S"),
            "Event-Date-GMT": date.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "Event-Date-Timestamp": str(int(now * 1_000_000)),
            "Event-Calling-File": "switch_channel.c",
            "Event-Calling-Function": "switch_channel_get_variables_prefix",
            "Event-Calling-Line-Number": "4465",
            "Event-Sequence": str(self._sequence),
            **{name: value for name, value in leg.variables.items() if name.startswith("verto_svar_")},
        }

    def send(self, leg: Leg, method: str, params: JsonObject) -> None:
        """Queue a request to the socket that owns the leg; nothing happens when there is none."""
        socket = self.sockets.by_sessid(leg.sessid)
        if socket is not None:
            socket.queue(method, params)

    def show(self, leg: Leg, party: Party) -> None:
        """`verto.display`: tell the client who is at the other end."""
        leg.shown = party
        if leg.ended or not (leg.attached or leg.offered):
            return
        self.send(
            leg,
            "verto.display",
            {
                "callID": leg.call_id,
                "display_name": party.name,
                "display_number": party.number,
                **leg.parties(),
            },
        )

    def offer_attach(self, leg: Leg) -> None:
        """`verto.attach`: offer the call to the session's socket (after a reconnect, or to renegotiate)."""
        offer = self.media.attach_offer(leg)
        leg.offered = True
        params: JsonObject = {"callID": leg.call_id, "variables": self.variables(leg), "sdp": offer}
        self.send(leg, "verto.attach", {**params, **leg.parties()})

    def send_media(self, leg: Leg) -> None:
        """`verto.media`: early media of a call the client dialled."""
        if leg.ended or leg.answered or leg.media_sent or leg.media is None:
            return
        leg.media_sent = True
        answer = self.media.answer(leg)
        self.send(leg, "verto.media", {"callID": leg.call_id, "sdp": answer, "variables": self.variables(leg)})
        self.watch.poke()

    def answer_to(self, leg: Leg) -> None:
        """`verto.answer`: a call the client dialled was answered; with the SDP only if no media frame had it."""
        if leg.ended or leg.answered:
            return
        self.mark_answered(leg)
        params: JsonObject = {"callID": leg.call_id}
        if not leg.media_sent and leg.media is not None:
            leg.media_sent = True
            params["sdp"] = self.media.answer(leg)
        params["variables"] = self.variables(leg)
        self.send(leg, "verto.answer", params)
        self.watch.poke()

    # ---- life of a leg ---------------------------------------------------------------------------------------

    def add(self, leg: Leg) -> None:
        """A new channel exists."""
        leg.began_at = self.clock.epoch()
        self.legs[leg.call_id] = leg
        self.log.changed(leg)
        self.watch.poke()

    def mark_answered(self, leg: Leg) -> None:
        """The leg is answered from now on."""
        leg.answered = True
        leg.answered_at = self.clock.epoch()
        self.log.changed(leg)
        self.watch.poke()

    def later(self, owner: FarEnd, delay: float, callback: Callable[[], None]) -> Timer:
        """A timer that ends with the channel."""
        timer = self.clock.later(delay, callback)
        owner.timers.append(timer)
        return timer

    def connect(self, a: FarEnd, b: Leg) -> None:
        """Join two ends; `a` is the calling side. Displays follow a little later."""
        _set_other(a, b)
        _set_other(b, a)
        if isinstance(a, Outside):
            a.answered = True
        else:
            self.later(a, self.options.bridge_delay, lambda: self._show_if_joined(a, b, a.callee))
        self.later(b, self.options.bridge_delay, lambda: self._show_if_joined(b, a, b.caller))
        for spy in self.legs.values():
            for leg in (a, b):
                if isinstance(leg, Leg) and spy.spied_agent is not None and spy.spied_agent is leg.agent:
                    self.show_soon(spy, leg.caller)
        self.log.changed(a)
        self.log.changed(b)
        self.watch.poke()

    def show_soon(self, leg: Leg, party: Party) -> None:
        """`verto.display` after the time a bridge takes."""
        self.later(leg, self.options.bridge_delay, lambda: self.show(leg, party))

    def _show_if_joined(self, leg: Leg, other: FarEnd, party: Party) -> None:
        if leg.other is other:
            self.show(leg, party)

    def end(self, leg: Leg, cause: str, *, silent: bool = False) -> None:
        """End a channel and tell its client (unless `silent`) and its far end."""
        if leg.ended:
            return
        leg.ended = True
        leg.cause = cause
        leg.stop_timers()
        self.legs.pop(leg.call_id, None)
        self.media.ended(leg)
        self.log.ended(leg)
        if not silent and not leg.silent and (leg.attached or leg.offered):
            self.send(leg, "verto.bye", {"callID": leg.call_id, "causeCode": code_of(cause), "cause": cause})
        other, leg.other = leg.other, None
        hunt = leg.hunt
        if hunt is not None:
            hunt.leg_ended(leg, cause)
        if other is not None:
            self._far_end_left(other, cause, answered=leg.answered)
        for spy in [spy for spy in self.legs.values() if spy.spies_on == leg.call_id]:
            self.end(spy, "NORMAL_CLEARING")
        self.watch.poke()

    def _far_end_left(self, other: FarEnd, cause: str, *, answered: bool) -> None:
        if isinstance(other, Outside):
            self.end_outside(other, cause)
            return
        other.other = None
        # A bridge that ends is an ordinary hangup for the one left behind, whatever the other's cause (s09, s13).
        # It takes a moment: both sides can say bye and both be told CALL ENDED (s23).
        left = "NORMAL_CLEARING" if answered and other.answered else cause
        self.later(other, self.options.answer_settle, lambda: self.end(other, left))

    def end_outside(self, outside: Outside, cause: str) -> None:
        """The far end hangs up (or is hung up)."""
        if outside.ended:
            return
        outside.ended = True
        outside.cause = cause
        outside.stop_timers()
        self.log.ended(outside)
        leg, outside.other = outside.other, None
        hunt, outside.hunt = outside.hunt, None
        if hunt is not None:
            # Answered, but not settled yet: no cancel any more, an ordinary hangup.
            rings = not any(found.answered for found in hunt.legs)
            hunt.cancel("ORIGINATOR_CANCEL" if rings and cause == "NORMAL_CLEARING" else cause)
        if leg is not None:
            leg.other = None
            self.end(leg, cause)
        if outside.on_end is not None:
            outside.on_end(cause)
        self.watch.poke()

    # ---- sockets come and go ---------------------------------------------------------------------------------

    def session_lost(self, sessid: str) -> None:
        """The socket of a session is gone: answered calls are kept for a while, the others end (s13)."""
        for leg in [leg for leg in self.legs.values() if leg.sessid == sessid and (leg.attached or leg.offered)]:
            if not leg.answered or not self.media.survives(leg):
                # The far end of an unanswered call sees a cancel (s11); a ringing agent's caller sees 27 (s13).
                # A call whose media never came up counts as not answered (z05: a socket lost behind its answer).
                self.end(leg, "DESTINATION_OUT_OF_ORDER", silent=True)
            elif not leg.recover:
                self.end(leg, "NORMAL_CLEARING", silent=True)
            else:
                leg.attached = False
                leg.offered = False
                self.media.detached(leg)
                self.later(leg, self.options.detach_timeout, partial(self._detach_over, leg))
        self.watch.poke()

    def _detach_over(self, leg: Leg) -> None:
        # A socket of that session, even one that never answered the attach, keeps the call (mod_verto.c:1438).
        if not leg.attached and self.sockets.by_sessid(leg.sessid) is None:
            self.end(leg, "RECOVERY_ON_TIMER_EXPIRE", silent=True)

    def end_detached(self, agent: SimAgent) -> int:
        """The detach window of an agent's calls is over now; gives how many ended (those without a socket)."""
        detached = [leg for leg in self.legs.values() if leg.agent is agent and leg.answered and not leg.attached]
        for leg in detached:
            self._detach_over(leg)
        return sum(leg.ended for leg in detached)

    def session_ready(self, sessid: str) -> list[str]:
        """A session is back: offer it its calls, the newest first (s13); gives their callIDs."""
        mine = [leg for leg in self.legs.values() if leg.sessid == sessid and not leg.attached and not leg.offered]
        mine.reverse()
        for leg in mine:
            self.offer_attach(leg)
        return [leg.call_id for leg in mine]

    def reattached(self, leg: Leg) -> None:
        """The client answered `verto.attach`."""
        leg.attached = True
        if leg.shown is not None:
            shown = leg.shown
            self.later(leg, self.options.bridge_delay, lambda: self.show(leg, shown))
        self.watch.poke()

    def close(self) -> None:
        """Forget every channel without a word, as a server that is shut down does (s24)."""
        for leg in tuple(self.legs.values()):
            leg.stop_timers()
            leg.ended = True
            leg.cause = "SYSTEM_SHUTDOWN"
            if leg.hunt is not None:
                leg.hunt.abandon()
            if isinstance(leg.other, Outside):
                leg.other.stop_timers()
            self.media.ended(leg)
            self.log.ended(leg)
        self.legs.clear()
        self.watch.poke()

    def restart(self) -> None:
        """The process is a new one: it knows no channel (s24)."""
        self.close()
        self.core_uuid = self.new_uuid()


def _set_other(end: FarEnd, other: Leg | Outside) -> None:
    if isinstance(end, Leg):
        end.other = other
    else:
        end.other = other if isinstance(other, Leg) else None

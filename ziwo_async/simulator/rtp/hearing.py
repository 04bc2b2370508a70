"""Who hears whom: asked of the state of the channels in each moment, so that nothing has to be kept in step.

Measured on ZIWO's own FreeSWITCH: an agent who holds gets no packet at all and the other party hears music; a
supervisor hears both parties, also during hold; the supervisor is heard by the agent, the other party, both or
nobody; whoever watches an agent without a call hears music.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

from ..legs import FarEnd, Leg, Outside
from ..people import SimCustomer
from .pcm import HOLD_MUSIC, RINGBACK, Source, Tone

__all__ = ["Hearing", "Side"]

Side: TypeAlias = Literal["agent", "customer"]
"""The two parties of a watched call: the leg that is watched, and its far end."""


class Hearing:
    """Says what each party of a call hears.

    Args:
        legs: The live channels by callID.
        voices: What comes from the client of a leg, for legs that have media.
        voice_of: What a customer says.
    """

    def __init__(
        self, legs: Mapping[str, Leg], voices: Mapping[Leg, Source], voice_of: Callable[[SimCustomer], Source]
    ) -> None:
        self._legs = legs
        self._voices = voices
        self._voice_of = voice_of
        self._music = Tone(HOLD_MUSIC)
        self._ringback = Tone(RINGBACK)

    def by_leg(self, leg: Leg) -> list[Source]:
        """What an agent hears; nothing in the list: no packet is sent."""
        if leg.ended or leg.held or not leg.attached:
            return []
        if not leg.answered:
            return [self._ringback] if leg.media_sent else []
        if leg.spied_agent is not None or leg.spies_on:
            return self._by_supervisor(leg)
        other = leg.other
        if isinstance(other, Leg) and other.held:
            return [self._music]
        # Between two agents the far end of the one who is watched is the other.
        far_side = self._whispers(other, "customer") if isinstance(other, Leg) else ()
        return [*self._far_end(leg), *self._whispers(leg, "agent"), *far_side]

    def by_outside(self, outside: Outside) -> list[Source]:
        """What a customer hears."""
        if outside.ended:
            return []
        leg = outside.other
        if leg is None:
            queued = outside.call is not None and outside.call.queue is not None
            return [self._music if queued and outside.hunt is None else self._ringback]
        if leg.held:
            return [self._music]
        return [*self._said_by(leg), *self._whispers(leg, "customer")]

    def _far_end(self, leg: Leg) -> list[Source]:
        other = leg.other
        if other is None:
            # Transferred, or asked to wait while somebody else is rung.
            waits = leg.hunt is not None and leg.hunt.origin is not leg
            return [] if leg.hunt is None else [self._music if waits else self._ringback]
        if isinstance(other, Outside) and not other.answered:
            return [self._ringback]
        return self._said_by(other, echo_of=leg)

    def _said_by(self, end: FarEnd, *, echo_of: Leg | None = None) -> list[Source]:
        if isinstance(end, Outside):
            if end.service:
                return [] if echo_of is None else self._said_by(echo_of)
            return [self._voice_of(end.customer)] if end.customer is not None else []
        voice = self._voices.get(end)
        return [voice] if voice is not None and end.attached else []

    # ---- listening in --------------------------------------------------------------------------------------------

    def _by_supervisor(self, leg: Leg) -> list[Source]:
        watched = self._watched_by(leg)
        if watched is None:
            return [self._music]
        far = watched.other
        service = isinstance(far, Outside) and far.service
        return [*self._said_by(watched), *([] if far is None or service else self._said_by(far))]

    def _watched_by(self, spy: Leg) -> Leg | None:
        if spy.spies_on:
            return self._legs.get(spy.spies_on)
        bridged = (leg for leg in self._legs.values() if leg.agent is spy.spied_agent and _in_conversation(leg))
        return next(bridged, None)

    def _whispers(self, leg: Leg, side: Side) -> Iterator[Source]:
        for spy in self._legs.values():
            if not spy.answered or spy.held or not (spy.spies_on or spy.spied_agent is not None):
                continue
            whisper = spy.call.whisper if spy.call is not None else "none"
            if whisper in ("both", side) and self._watched_by(spy) is leg:
                yield from self._said_by(spy)


def _in_conversation(leg: Leg) -> bool:
    return leg.answered and leg.other is not None and leg.other.answered

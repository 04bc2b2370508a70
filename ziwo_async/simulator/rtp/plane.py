"""Real media for the channels of a simulator: a peer for each leg, and one mixer for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping

from ..clock import Clock
from ..legs import FarEnd, Leg, Outside
from ..media import Descriptions
from ..people import SimCustomer
from ..problems import SimulatorError
from ..watch import Watch
from .hearing import Hearing
from .mixer import Mixer, Patch
from .pcm import Ear, Frame, Heard, Source
from .peer import MediaRefused, Peer

__all__ = ["RtpMedia"]

_HANDSHAKE_FAILED = "DESTINATION_OUT_OF_ORDER"


class RtpMedia:
    """A `Media` that carries sound. A client that wants none (plain RTP) gets a description only.

    Args:
        legs: The live channels by callID.
        clock: Keeps failures of the media until the simulator closes.
        watch: Is poked when media comes up or goes.
        rng: Makes credentials.
        end: Hangs a leg up with a cause.
        host: Loopback address.

    Attributes:
        peers: The media connection of each leg that has one.
    """

    def __init__(
        self,
        *,
        legs: Mapping[str, Leg],
        clock: Clock,
        watch: Watch,
        rng: random.Random,
        end: Callable[[Leg, str], None],
        host: str,
    ) -> None:
        self.peers: dict[Leg, Peer] = {}
        self._clock = clock
        self._watch = watch
        self._rng = rng
        self._end = end
        self._host = host
        self._descriptions = Descriptions(rng)
        self._hearing = Hearing(legs, self.peers, _voice)
        self._offers: dict[Leg, str] = {}
        self._next: dict[Leg, Peer] = {}
        self._ears: list[tuple[Ear, Callable[[], list[Source]]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._mixing: asyncio.Task[None] | None = None

    # ---- life ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to mix."""
        self._mixing = self._spawn(Mixer(self._plan).run())

    async def close(self) -> None:
        """End all media; when this returns, no task and no socket of it is left."""
        if self._mixing is not None:
            self._mixing.cancel()
        for leg in {*self.peers, *self._next}:
            self.ended(leg)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._clock.failures.append(error)

    # ---- what the switch asks ------------------------------------------------------------------------------------

    def offer(self, leg: Leg) -> str:
        """The offer of a `verto.invite`."""
        peer = self.peers[leg] = self._peer(leg)
        return peer.offer()

    def attach_offer(self, leg: Leg) -> str:
        """The offer of a `verto.attach`: another peer, which takes over when the client has answered."""
        before = self.peers.get(leg)
        if before is None or before.line is None:
            return self._descriptions.attach_offer(leg)
        self._drop(self._next.pop(leg, None))
        peer = self._next[leg] = self._peer(leg, after=before)
        return peer.offer(renegotiation=leg.attached)

    def accept(self, leg: Leg, sdp: str) -> None:
        """The client has answered the offer of an invite; a second answer changes nothing."""
        peer = self.peers.get(leg)
        if peer is not None and peer.state == "new":
            self._take(leg, peer, sdp)

    def accept_attach(self, leg: Leg, sdp: str) -> None:
        """The client has answered the offer of a `verto.attach`: the old peer goes."""
        peer = self._next.pop(leg, None)
        if peer is None:
            return
        self._replace(leg, peer)
        self._take(leg, peer, sdp)

    def offered(self, leg: Leg, sdp: str) -> None:
        """The client dials with this offer; it is answered later, if at all."""
        self._offers[leg] = sdp

    def answer(self, leg: Leg) -> str:
        """The answer to the client's offer: from now on the media comes up."""
        offer = self._offers.pop(leg, "")
        peer = self._peer(leg)
        try:
            answer = peer.answer(offer)
        except MediaRefused:
            self._drop(peer)
            return self._descriptions.answer(leg)
        self._replace(leg, peer)
        return answer

    def update(self, leg: Leg, sdp: str) -> str:
        """The answer to an offer in the middle of a call."""
        self._offers[leg] = sdp
        return self.answer(leg)

    def survives(self, leg: Leg) -> bool:
        """Only a leg whose media came up once counts as answered when its socket is lost (measured)."""
        peer = self.peers.get(leg)
        return peer is None or peer.was_up

    def detached(self, leg: Leg) -> None:
        """The client is gone: so is its media; the peer is remembered for what a re-attach keeps."""
        self._drop(self._next.pop(leg, None))
        self._drop(self.peers.get(leg))

    def ended(self, leg: Leg) -> None:
        """The leg is over."""
        self._offers.pop(leg, None)
        self._drop(self._next.pop(leg, None))
        self._drop(self.peers.pop(leg, None))

    def _peer(self, leg: Leg, after: Peer | None = None) -> Peer:
        return Peer(
            host=self._host,
            rng=self._rng,
            bridged=False,
            after=after,
            require_candidates=False,  # the switch has looked at them, if it is to
            changed=lambda: self._changed(leg),
        )

    def _take(self, leg: Leg, peer: Peer, sdp: str) -> None:
        try:
            peer.accept(sdp)
        except MediaRefused:
            self._drop(self.peers.pop(leg, None))

    def _replace(self, leg: Leg, peer: Peer) -> None:
        self._drop(self.peers.get(leg))
        self.peers[leg] = peer

    def _drop(self, peer: Peer | None) -> None:
        if peer is not None and peer.state != "closed":
            self._spawn(peer.close())

    def _changed(self, leg: Leg) -> None:
        peer = self.peers.get(leg)
        if peer is not None and peer.state == "failed":
            self._clock.later(0.0, lambda: self._end(leg, _HANDSHAKE_FAILED))
        self._watch.poke()

    # ---- sound ---------------------------------------------------------------------------------------------------

    def _plan(self) -> Iterator[Patch]:
        for leg, peer in tuple(self.peers.items()):
            peer.bridged = leg.other is not None and not (isinstance(leg.other, Outside) and leg.other.service)
            yield Patch(peer, self._hearing.by_leg(leg), peer)
        for ear, sources in self._ears:
            yield Patch(_Listener(ear, self._watch), sources())

    async def heard_by(self, end: FarEnd, seconds: float) -> Heard:
        """What one end of a call hears in the next so many seconds."""
        if isinstance(end, Leg):
            return await self._listen(seconds, lambda: self._hearing.by_leg(end))
        return await self._listen(seconds, lambda: self._hearing.by_outside(end))

    async def said_by(self, leg: Leg, seconds: float) -> Heard:
        """What comes from the client of a leg in the next so many seconds."""

        def sources() -> list[Source]:
            peer = self.peers.get(leg)
            return [] if peer is None else [peer]

        return await self._listen(seconds, sources)

    async def comes_up(self, leg: Leg, timeout: float) -> None:
        """Wait until media flows on a leg.

        Raises:
            WaitedInVain: Not within `timeout` seconds.
            SimulatorError: The leg has ended.
        """

        def look() -> bool | None:
            if leg.ended:
                raise SimulatorError(f"call {leg.call_id} has ended: {leg.cause}")
            peer = self.peers.get(leg)
            return True if peer is not None and peer.state == "up" else None

        await self._watch.until(look, timeout, lambda: f"call {leg.call_id} has no media")

    async def _listen(self, seconds: float, sources: Callable[[], list[Source]]) -> Heard:
        entry = (Ear(seconds), sources)
        self._ears.append(entry)
        ear = entry[0]
        try:
            # The mixer keeps time; it gets a multiple of it, for a machine that is busy.
            await self._watch.until(
                lambda: True if ear.full else None, 5 + 3 * seconds, lambda: f"only {ear.heard()} came"
            )
        finally:
            self._ears.remove(entry)
        return ear.heard()


class _Listener:
    """An ear in the plan of the mixer."""

    def __init__(self, ear: Ear, watch: Watch) -> None:
        self._ear = ear
        self._watch = watch

    async def put(self, frame: Frame | None) -> None:
        """20 ms."""
        self._ear.hear(frame)
        if self._ear.full:
            self._watch.poke()


def _voice(customer: SimCustomer) -> Source:
    return customer.voice

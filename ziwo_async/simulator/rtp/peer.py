"""Peer: one side of a call's media that behaves as FreeSWITCH does towards a WebRTC client.

What stops a plain aiortc client is all here (measured on FreeSWITCH 1.10 and 1.11): its descriptions have no `a=mid`,
its certificate is RSA, its ICE role follows its DTLS role, and in a bridged call an RTP packet with the marker bit
flushes what was received.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self, TypeAlias

from .. import sdp as sdps
from ..problems import SimulatorError
from ..watch import Watch
from .ice import Ice
from .pacing import every_frame, finish
from .pcm import FRAME, Ear, Frame, Heard, Source
from .remote import Remote
from .untyped import Decoder, Dtls, Encoder, fingerprint

__all__ = ["MediaRefused", "Peer", "PeerState"]

PeerState: TypeAlias = Literal["new", "connecting", "up", "failed", "over", "closed"]

_PREFETCH = 3
_MOST_BUFFERED = 10


class MediaRefused(SimulatorError):
    """A description of the client that FreeSWITCH does not take: no candidate, no codec in common, no audio."""


class Peer:
    """The server's side of one media connection.

    `offer`, `answer` and `accept` do not wait: a socket is bound at once, everything else happens in a task of the
    peer. Use it as `async with Peer() as peer:`, or `close` it.

    Args:
        host: Loopback address.
        rng: Makes credentials and numbers, so that a run can be repeated.
        bridged: The call is a bridge; False: an application such as the echo test, which minds no marker bit.
        codecs: What the first offer names, out of opus, PCMU, PCMA and L16. The last is for clients that must refuse
            it: a bridge to a leg with an odd codec may offer nothing else (measured).
        after: The peer that a re-attached call had before: codec and DTLS role are kept until the client says else.
        require_candidates: Refuse a client without a candidate that can be used, as FreeSWITCH does.
        changed: Is called after each change of `state`.

    Attributes:
        state: new: no description yet; connecting; up: media can flow; failed: no DTLS; over: the client has closed
            it; closed.
        was_up: Media came up once.
        bridged: See above; may be changed.
        line: Codec and profile agreed on.
        flushed: Frames lost to the marker bit.
        dropped: Frames that came faster than they were taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        rng: random.Random | None = None,
        bridged: bool = True,
        codecs: Sequence[str] = sdps.CODECS,
        after: Peer | None = None,
        require_candidates: bool = True,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.state: PeerState = "new"
        self.was_up = False
        self.bridged = bridged
        self.flushed = 0
        self.dropped = 0
        self.line: sdps.MediaLine | None = after.line if after is not None else None
        self._attaching = after is not None
        self._active: bool = after is not None and after._active
        self._algorithm: str = after._algorithm if after is not None else "sha-256"
        self._rng = rng if rng is not None else random.Random()
        self._host = host
        self._codecs = tuple(codecs)
        self._require_candidates = require_candidates
        self._changed = changed
        self._watch = Watch()
        self._ice: Ice | None = None
        self._dtls: Dtls | None = None
        self._task: asyncio.Task[None] | None = None
        self._described = asyncio.Event()
        self._remote: Remote | None = None
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._inbox: deque[Frame] = deque()
        self._prefetching = True
        self._ears: list[Ear] = []
        self._source: Source | None = None
        self._ssrc = self._rng.randrange(1, 2**32)
        self._sequence = self._rng.randrange(2**15)
        self._timestamp = self._rng.randrange(2**31)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- descriptions --------------------------------------------------------------------------------------------

    def offer(self, *, renegotiation: bool = False) -> str:
        """The offer of a `verto.invite`, or of a `verto.attach` when the peer comes after another.

        Args:
            renegotiation: The `verto.attach` comes in the middle of a call.
        """
        if self._attaching and self.line is not None:
            parts = self._parts(self._algorithm)
            return sdps.attach_offer(self._rng, self.line, parts, renegotiation=renegotiation)
        return sdps.offer(self._rng, self._parts(), self._codecs)

    def answer(self, offer: str) -> str:
        """Answer the client's offer; the media comes up by itself.

        Raises:
            MediaRefused: FreeSWITCH does not take it.
        """
        line = self._take(offer)
        return sdps.answer(self._rng, line, self._parts())

    def accept(self, answer: str) -> None:
        """Take the client's answer to `offer`.

        Raises:
            MediaRefused: FreeSWITCH does not take it.
        """
        self._take(answer)

    def _take(self, sdp: str) -> sdps.MediaLine:
        line = sdps.media_line(sdp, require_candidates=self._require_candidates)
        remote = Remote.read(sdp)
        if line is None or remote is None:
            raise MediaRefused("no ICE candidate that can be used, no codec in common, no DTLS, or no audio")
        self.line = line
        self._remote = remote
        # The last fingerprint the client has named decides about the algorithm of a later offer (measured).
        self._algorithm = remote.fingerprints[-1][0]
        if remote.setup in ("active", "passive", "actpass"):
            self._active = remote.setup != "active"
        # FreeSWITCH's ICE role follows its DTLS role, whoever made the offer.
        self._open().expect(remote.ufrag, remote.pwd, controlled=self._active)
        self._described.set()
        self._become("connecting")
        return line

    def _open(self) -> Ice:
        if self._ice is None:
            self._ice = Ice(self._host, self._rng)
            self._task = asyncio.create_task(self._run(self._ice))
        return self._ice

    def _parts(self, algorithm: str = "sha-256") -> sdps.Parts:
        ice = self._open()
        return replace(
            sdps.Parts.make(self._rng),
            host=self._host,
            port=ice.port,
            ufrag=ice.ufrag,
            pwd=ice.pwd,
            ssrc=self._ssrc,
            fingerprint=fingerprint(algorithm),
        )

    # ---- sound ---------------------------------------------------------------------------------------------------

    def play(self, source: Source | None) -> None:
        """Send a source to the client; the peer itself as its source is an echo. None: send nothing.

        For a peer that stands alone; one in a `Mixer` is driven by that.
        """
        self._source = source

    async def heard(self, seconds: float, *, timeout: float = 5.0) -> Heard:
        """What comes from the client, from now on: so many seconds of it, or what came within the time limit."""
        ear = Ear(seconds)
        self._ears.append(ear)
        try:
            with contextlib.suppress(TimeoutError):
                await self._watch.until(lambda: ear if ear.full else None, timeout, lambda: "not all was heard")
        finally:
            self._ears.remove(ear)
        return ear.heard()

    def take(self) -> Frame | None:
        """The next 20 ms of what the client says; None: nothing came."""
        if self._prefetching and len(self._inbox) < _PREFETCH:
            return None
        self._prefetching = not self._inbox
        return self._inbox.popleft() if self._inbox else None

    async def put(self, frame: Frame | None) -> None:
        """Send 20 ms to the client; None: time passes and nothing is sent."""
        line, dtls, encoder = self.line, self._dtls, self._encoder
        if line is None or dtls is None or encoder is None or not dtls.up:
            return
        self._timestamp = (self._timestamp + (6 * FRAME if line.rtpmap.startswith("opus") else FRAME)) % 2**32
        if frame is None:
            return
        payload = encoder.encode(frame)
        if not payload:
            return
        self._sequence = (self._sequence + 1) % 2**16
        with contextlib.suppress(ConnectionError):
            await dtls.send(
                payload_type=line.payload,
                sequence=self._sequence,
                timestamp=self._timestamp,
                ssrc=self._ssrc,
                payload=payload,
            )

    def _received(self, marker: bool, payload: bytes) -> None:
        if marker and self.bridged:
            # What was read and what has just come are thrown away: a client that sets the bit always is never heard.
            self.flushed += 1 + len(self._inbox)
            self._inbox.clear()
            return
        if self._decoder is None:
            return
        for frame in self._decoder.decode(payload):
            for ear in self._ears:
                ear.hear(frame)
            if len(self._inbox) == _MOST_BUFFERED:
                self._inbox.popleft()
                self.dropped += 1
            self._inbox.append(frame)
        if self._ears:
            self._watch.poke()

    # ---- life ----------------------------------------------------------------------------------------------------

    async def connected(self, timeout: float = 5.0) -> None:
        """Wait until media can flow.

        Raises:
            WaitedInVain: Not within `timeout` seconds.
            MediaRefused: It failed, and cannot any more.
        """

        def look() -> bool | None:
            if self.state in ("failed", "over", "closed"):
                raise MediaRefused(f"the media is {self.state}")
            return True if self.state == "up" else None

        await self._watch.until(look, timeout, lambda: f"the media is {self.state}")

    async def reaches(self, state: PeerState, timeout: float = 5.0) -> None:
        """Wait for a state.

        Raises:
            WaitedInVain: Not within `timeout` seconds.
        """
        await self._watch.until(
            lambda: True if self.state == state else None, timeout, lambda: f"the media is {self.state}"
        )

    async def close(self) -> None:
        """End it; when this returns, no task and no socket is left."""
        task, self._task = self._task, None
        try:
            if task is not None:
                await finish(task)
        finally:
            if self._ice is not None:
                await self._ice.close()  # the task may have been cancelled before it began
            self._become("closed")

    def _become(self, state: PeerState) -> None:
        if self.state in (state, "closed"):
            return
        self.state = state
        self.was_up = self.was_up or state == "up"
        self._watch.poke()
        if self._changed is not None:
            self._changed()

    async def _run(self, ice: Ice) -> None:
        try:
            await ice.open()
            await self._described.wait()
            await ice.connected()
            assert self.line is not None
            assert self._remote is not None
            name = self.line.rtpmap.partition("/")[0]
            self._encoder, self._decoder = Encoder(name), Decoder(name)
            self._dtls = Dtls(
                ice,
                client=self._active,
                payload=self.line.payload,
                received=self._received,
                changed=self._transport_changed,
            )
            if not await self._dtls.handshake(list(self._remote.fingerprints)):
                self._become("failed")
                return
            self._become("up")
            async for _ in every_frame():
                if self._source is not None:
                    await self.put(self._source.take())
        finally:
            if self._dtls is not None:
                await self._dtls.close()
            await ice.close()

    def _transport_changed(self) -> None:
        if self._dtls is not None and self._dtls.over:
            self._become("over")

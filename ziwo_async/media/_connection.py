# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""The edge to aiortc: one peer connection of a call. What is untyped or private in aiortc stays here and next door."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from ..phone.owner import finish
from . import freeswitch
from ._av import Encoder
from .frame import FRAME_SECONDS
from .received import Received
from .sdp import CODECS
from .sent import Sent
from .stun import StunList

__all__ = ["Certificates", "Line", "Way"]

_log = logging.getLogger("ziwo_async.media")

_CONNECT = "_RTCPeerConnection__connect"
_CERTIFICATES = "_RTCPeerConnection__certificates"
_RENEW = 24 * 3600.0
# How late the line may be before it skips ahead, instead of sending a burst.
_LATE = 0.1
_CLOSE_LIMIT = 2.0


class Certificates:
    """Gives connections their certificate. One for all of a day: making one costs more than the rest of an answer."""

    def __init__(self) -> None:
        """Make one that has none yet."""
        self._present: freeswitch.RsaCertificate | None = None
        self._until = 0.0

    def present(self) -> freeswitch.RsaCertificate:
        """The certificate to use now."""
        if self._present is None or time.monotonic() > self._until:
            self._present = freeswitch.RsaCertificate.generateCertificate()
            self._until = time.monotonic() + _RENEW
        return self._present


@dataclass(frozen=True, slots=True)
class Way:
    """How a connection finds its way to the server.

    Attributes:
        loopback: Only on this machine.
        stun: Where to ask for our address.
        limit: Seconds for that.
    """

    loopback: bool
    stun: StunList
    limit: float


class _Peer(RTCPeerConnection):
    """aiortc's connection, with the tasks that it starts and forgets."""

    def __init__(self, certificate: freeswitch.RsaCertificate) -> None:
        super().__init__(RTCConfiguration(iceServers=[]))
        assert hasattr(self, _CERTIFICATES), "aiortc keeps its certificates elsewhere now"
        setattr(self, _CERTIFICATES, [certificate])
        self.connecting: set[asyncio.Task[Any]] = set()

    async def _RTCPeerConnection__connect(self) -> None:  # noqa: N802 - the name that aiortc's own call has
        task = asyncio.current_task()
        assert task is not None
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)
        await getattr(super(), _CONNECT)()


class _Voice(MediaStreamTrack):
    """Our track: a packet every 20 ms, encoded here. Silence needs no encoding."""

    kind = "audio"

    def __init__(self, sent: Sent, codec: Callable[[], str]) -> None:
        super().__init__()
        self._sent = sent
        self._codec = codec
        self._encoder: Encoder | None = None
        self._index = 0
        self._next = 0.0

    async def recv(self) -> av.Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        if self._encoder is None:
            self._encoder, self._next = Encoder(self._codec()), now
        if now - self._next > _LATE:
            missed = int((now - self._next) / FRAME_SECONDS)
            self._index += missed
            self._next += missed * FRAME_SECONDS
        elif now < self._next:
            await asyncio.sleep(self._next - now)
        packet = self._encoder.packet(self._encoder.encode(self._sent.tick()), self._index)
        self._index += 1
        self._next += FRAME_SECONDS
        return packet


class Line:
    """One peer connection: from our offer, or the server's, to its close."""

    def __init__(
        self,
        received: Received,
        sent: Sent,
        *,
        certificate: freeswitch.RsaCertificate,
        way: Way,
        failed: Callable[[], None],
    ) -> None:
        """Make one that is connected to nobody.

        Args:
            received: Takes what is heard.
            sent: Gives what is said.
            certificate: Ours.
            way: How the server is reached.
            failed: Called when the connection is lost.
        """
        self._received = received
        self._way = way
        self._on_failure = failed
        self._peer = _Peer(certificate)
        self._voice = _Voice(sent, self._codec)
        self._transceiver = self._peer.addTransceiver(self._voice, "sendrecv")
        self._dtls = self._transceiver.receiver.transport
        self._ice = self._dtls.transport
        known = {codec.mimeType.removeprefix("audio/"): codec for codec in RTCRtpSender.getCapabilities("audio").codecs}
        self._transceiver.setCodecPreferences([known[name] for name in CODECS])
        freeswitch.clear_marker(self._dtls)
        freeswitch.check_fingerprint(self._dtls)
        self._peer.on("connectionstatechange", self._changed)
        self._negotiated = False
        self._pump: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def codec(self) -> str:
        """The codec in use, such as `opus`; empty before there is one."""
        codecs = self._transceiver._codecs if self._negotiated else []
        return codecs[0].name if codecs else ""

    def _codec(self) -> str:
        return self.codec

    @property
    def failed(self) -> bool:
        """Whether the connection was lost."""
        return self._peer.connectionState in ("failed", "closed")

    @property
    def waits_for_answer(self) -> bool:
        """Whether we have offered, and there was no answer yet."""
        return self._peer.signalingState == "have-local-offer"

    async def offer(self) -> str:
        """Make our offer, with all its candidates."""
        await self._gather()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        freeswitch.yield_role(self._ice._connection)
        return self._peer.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the server's answer."""
        sdp = freeswitch.with_mid(answer, self._transceiver.mid or "0")
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        self._listen()

    async def answer(self, offer: str) -> str:
        """Answer the server's offer, with all our candidates."""
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=freeswitch.with_mid(offer), type="offer"))
        freeswitch.yield_role(self._ice._connection)
        self._listen()
        await self._gather()
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return self._peer.localDescription.sdp

    async def _gather(self) -> None:
        way = self._way
        loop = asyncio.get_running_loop()
        began = loop.time()
        stun = () if way.loopback else await way.stun.servers()
        left = max(0.0, way.limit - (loop.time() - began))
        silent = await freeswitch.gather(self._ice._connection, loopback=way.loopback, stun=stun, limit=left)
        if silent:
            way.stun.silent(silent)
            _log.warning("no STUN server answered within %g s: %s", way.limit, ", ".join(host for host, _ in silent))

    def _listen(self) -> None:
        self._negotiated = True
        track = self._transceiver.receiver.track
        if isinstance(track, MediaStreamTrack):  # there is none when the server only listens
            self._pump = asyncio.create_task(self._drain(track), name="ziwo_async:media: received audio")

    async def _drain(self, track: MediaStreamTrack) -> None:
        # Read without a pause: what nobody takes piles up in aiortc, 1.2 MB a second.
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self._received.push(frame)
        except MediaStreamError:
            _log.debug("the received track ended")

    def _changed(self) -> None:
        _log.debug("the media connection is %s", self._peer.connectionState)
        if self._closing is None and self.failed:
            self._on_failure()

    async def close(self) -> None:
        """Let go of everything, also when cancelled. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="ziwo_async:media: close a connection")
        await finish(self._closing)

    async def _close(self) -> None:
        # aiortc does not wait for what it started to connect, nor for its reader.
        started = {*self._peer.connecting, *([self._dtls._task] if isinstance(self._dtls._task, asyncio.Task) else [])}
        pump = self._pump
        try:
            async with asyncio.timeout(_CLOSE_LIMIT):
                await self._peer.close()
        except TimeoutError:
            _log.error("a media connection did not close within %g s", _CLOSE_LIMIT)
        if pump is not None:
            pump.cancel()
            started.add(pump)
        self._voice.stop()
        if started:
            _, still = await asyncio.wait(started, timeout=_CLOSE_LIMIT)
            for task in still:
                task.cancel()

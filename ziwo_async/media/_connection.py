# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""The edge to aiortc: one peer connection of a call. What is untyped or private in aiortc stays here and next door."""

from __future__ import annotations

import asyncio
import logging
import queue
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpSender,
    RTCSessionDescription,
    clock,
)
from av import Packet

from ..dispatch.owner import finish
from . import freeswitch
from ._av import Decoder, Encoder
from .frame import FRAME_SECONDS
from .received import Received
from .sdp import CODECS
from .sent import Sent
from .stun import StunList

__all__ = ["Certificates", "Line", "Way"]

_log = logging.getLogger("ziwo_async.media")

_CONNECT = "_RTCPeerConnection__connect"
_DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"
_CERTIFICATES = "_RTCPeerConnection__certificates"
_RENEW = 24 * 3600.0
# How late the line may be before it skips ahead, instead of sending a burst.
_LATE = 0.1
# After how many packets aiortc's reports are told.
_REPORT = 25
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


class _NoTrack(MediaStreamTrack):
    """In place of our track: we send by ourselves, and aiortc's sender waits for ever."""

    kind = "audio"

    async def recv(self) -> Packet[Any]:
        never: asyncio.Future[Packet[Any]] = asyncio.get_running_loop().create_future()
        return await never


class _Ear(queue.Queue[Any]):
    """In place of the queue to aiortc's decoder thread: decodes at once, and hands on.

    aiortc's own way (a thread per call, and a queue that grows by 1.2 MB a second until somebody reads) costs more than
    the decoding, and keeps what nobody wants. Only the word that it is over goes through.
    """

    def __init__(self, received: Received) -> None:
        super().__init__()
        self._received = received
        self._decoder: tuple[str, Decoder] | None = None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            super().put(None)
            return
        codec, encoded = item
        if self._decoder is None or self._decoder[0] != codec.name:
            self._decoder = (codec.name, Decoder(codec.name))
        for frame in self._decoder[1].decode(encoded.data):
            try:
                self._received.push(frame)
            except Exception:  # noqa: BLE001 - told in the log
                # In here it would end the connection, and nobody would know of what.
                _log.exception("a received frame could not be handed on")


class _Mouth:
    """Sends a packet every 20 ms, and tells aiortc's reports about it."""

    def __init__(self, sent: Sent, sender: RTCRtpSender, dtls: RTCDtlsTransport, codec: RTCRtpCodecParameters) -> None:
        self._sent = sent
        self._sender = sender
        self._dtls = dtls
        assert codec.payloadType is not None
        self._type = codec.payloadType
        self._encoder = Encoder(codec.name)
        self._packets = self._octets = 0

    async def run(self) -> None:
        """Send until the connection ends, or for ever."""
        loop = asyncio.get_running_loop()
        sequence, origin, ssrc = secrets.randbelow(2**15), secrets.randbelow(2**32), self._sender._ssrc
        step = round(self._encoder.clock * FRAME_SECONDS)
        index, due = 0, loop.time()
        with suppress(ConnectionError):
            while True:
                payload = self._encoder.encode(self._sent.tick())
                timestamp = origin + index * step
                await self._dtls._send_rtp(freeswitch.rtp_packet(self._type, sequence, timestamp, ssrc, payload))
                sequence += 1
                self._packets += 1
                self._octets += len(payload)
                if self._packets % _REPORT == 1:
                    self._report(timestamp)
                index += 1
                due += FRAME_SECONDS
                late = loop.time() - due
                if late > _LATE:
                    # The loop was blocked: the time is skipped, instead of a burst that nobody could play.
                    index += int(late / FRAME_SECONDS)
                    due += int(late / FRAME_SECONDS) * FRAME_SECONDS
                await asyncio.sleep(max(0.0, due - loop.time()))

    def _report(self, timestamp: int) -> None:
        for name, value in (
            ("packet_count", self._packets),
            ("octet_count", self._octets),
            ("rtp_timestamp", timestamp & 0xFFFFFFFF),
            ("ntp_timestamp", clock.current_ntp_time()),
        ):
            setattr(self._sender, f"_RTCRtpSender__{name}", value)


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
        self._sent = sent
        self._way = way
        self._on_failure = failed
        self._peer = _Peer(certificate)
        self._transceiver = self._peer.addTransceiver(_NoTrack(), "sendrecv")
        assert hasattr(self._transceiver.receiver, _DECODER_QUEUE), "aiortc decodes in another way now"
        setattr(self._transceiver.receiver, _DECODER_QUEUE, _Ear(received))
        self._dtls = self._transceiver.receiver.transport
        self._ice = self._dtls.transport
        known = {codec.mimeType.removeprefix("audio/"): codec for codec in RTCRtpSender.getCapabilities("audio").codecs}
        self._transceiver.setCodecPreferences([known[name] for name in CODECS])
        freeswitch.check_fingerprint(self._dtls)
        self._peer.on("connectionstatechange", self._changed)
        self._negotiated = False
        self._talking: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def codec(self) -> str:
        """The codec in use, such as `opus`; empty before there is one."""
        return self._transceiver._codecs[0].name if self._negotiated else ""

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
        self._negotiated = True

    async def answer(self, offer: str) -> str:
        """Answer the server's offer, with all our candidates."""
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=freeswitch.with_mid(offer), type="offer"))
        freeswitch.yield_role(self._ice._connection)
        self._negotiated = True
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

    def _changed(self) -> None:
        _log.debug("the media connection is %s", self._peer.connectionState)
        if self._closing is not None:
            return
        if self.failed:
            self._on_failure()
        elif self._peer.connectionState == "connected" and self._talking is None and self._may_talk:
            mouth = _Mouth(self._sent, self._transceiver.sender, self._dtls, self._transceiver._codecs[0])
            self._talking = asyncio.create_task(mouth.run(), name="ziwo_async:media: sent audio")
            self._talking.add_done_callback(_looked_at)

    @property
    def _may_talk(self) -> bool:
        return self._transceiver.currentDirection in ("sendrecv", "sendonly")

    async def close(self) -> None:
        """Let go of everything, also when cancelled. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="ziwo_async:media: close a connection")
        await finish(self._closing)

    async def _close(self) -> None:
        # Ended first: what connects on behind a close starts tasks that nobody ends any more, and asks the server
        # for ever whether it may go on.
        connecting = set(self._peer.connecting)
        if self._talking is not None:
            connecting.add(self._talking)
        await _ended(connecting)
        reader = self._dtls._task  # for which aiortc does not wait
        try:
            async with asyncio.timeout(_CLOSE_LIMIT):
                await self._peer.close()
        except TimeoutError:
            _log.error("a media connection did not close within %g s", _CLOSE_LIMIT)
        if isinstance(reader, asyncio.Task):
            await _ended({reader})


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CLOSE_LIMIT)


def _looked_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("nothing is sent any more: %r", error)

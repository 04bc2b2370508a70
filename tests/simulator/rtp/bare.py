"""A client on plain aiortc, with each of the five cures against FreeSWITCH to be had one by one."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import re
from array import array
from dataclasses import dataclass
from typing import Any, Self

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from OpenSSL import SSL

from ziwo_async.simulator.rtp.pacing import every_frame
from ziwo_async.simulator.rtp.pcm import FRAME, RATE, Ear, Frame, Heard, Source, Tone


@dataclass(frozen=True)
class Cures:
    """The five points, as cures of the client.

    mid: `a=mid` is put into what FreeSWITCH says.
    suites: DTLS with RSA suites too, when this side begins.
    passive: Let the other side begin, with this side's ECDSA certificate.
    controlling: The ICE role of the one that nominates, when answering.
    marker: The RTP marker bit is cleared.
    loopback: 127.0.0.1 is a candidate.
    """

    mid: bool = True
    suites: bool = True
    passive: bool = False
    controlling: bool = False
    marker: bool = True
    loopback: bool = True


class Microphone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.pacing = every_frame()
        self.pts = 0

    async def recv(self) -> av.AudioFrame:
        await anext(self.pacing)
        samples = self.source.take()
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes() if samples is not None else bytes(2 * FRAME))
        frame.sample_rate = RATE
        frame.pts = self.pts
        frame.time_base = fractions.Fraction(1, RATE)
        self.pts += FRAME
        return frame


class BareClient:
    """One peer connection. `heard` gives what arrives; `said` may be changed at any time."""

    def __init__(self, cures: Cures | None = None, *, says: Source | None = None) -> None:
        self.cures = cures or Cures()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone(says or Tone(880))
        self.pc.addTrack(self.microphone)
        self.pc.on("track", self._track)
        self.ears: list[tuple[Ear, asyncio.Event]] = []
        self.reader: asyncio.Task[None] | None = None
        self.frames = 0
        self._prepare()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.pc.close()
        if self.reader is not None:
            self.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.reader

    # ---- negotiation ---------------------------------------------------------------------------------------------

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(self._mid(answer), "answer"))

    async def answer(self, offer: str) -> str:
        if self.cures.passive:
            # aiortc answers `passive` only to an offer that says `active`.
            offer = offer.replace("a=setup:actpass", "a=setup:active")
        await self.pc.setRemoteDescription(RTCSessionDescription(self._mid(offer), "offer"))
        if self.cures.controlling:
            self._ice.ice_controlling = True
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp)

    def _mid(self, sdp: str) -> str:
        return re.sub(r"(?m)^(m=.*)$", "\\1\na=mid:0", sdp.replace("\r\n", "\n")) if self.cures.mid else sdp

    # ---- cures ---------------------------------------------------------------------------------------------------

    @property
    def dtls(self) -> Any:
        return self.pc.getTransceivers()[0].receiver.transport

    @property
    def _ice(self) -> Any:
        return self.dtls.transport._connection

    def _prepare(self) -> None:
        ice, dtls = self._ice, self.dtls
        # None of these clients leaves the machine: without the fifth cure it has no candidate at all.
        addresses = ["127.0.0.1"] if self.cures.loopback else []
        ice.gather_candidates = gather_on(ice, addresses)
        if self.cures.suites:
            certificate = dtls._RTCDtlsTransport__local_certificate
            make = certificate._create_ssl_context

            def with_rsa(srtp_profiles: Any) -> SSL.Context:
                context = make(srtp_profiles)
                context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
                return context

            certificate._create_ssl_context = with_rsa
        if self.cures.marker:
            send = dtls._send_rtp

            async def unmarked(data: bytes) -> None:
                rtcp = 192 <= data[1] <= 208
                await send(data if rtcp else bytes((data[0], data[1] & 0x7F)) + data[2:])

            dtls._send_rtp = unmarked

    # ---- sound ---------------------------------------------------------------------------------------------------

    def says(self, source: Source) -> None:
        self.microphone.source = source

    def _track(self, track: MediaStreamTrack) -> None:
        self.reader = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        to_line = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        rest = array("h")
        with contextlib.suppress(MediaStreamError):
            while True:
                for piece in to_line.resample(await track.recv()):
                    rest.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
                while len(rest) >= FRAME:
                    self._arrived(rest[:FRAME])
                    del rest[:FRAME]

    def _arrived(self, frame: Frame) -> None:
        self.frames += 1
        for ear, full in self.ears:
            ear.hear(frame)
            if ear.full:
                full.set()

    async def heard(self, seconds: float, timeout: float = 3.0) -> Heard:
        """What arrives in the next so many seconds of sound, or what there is at the time limit."""
        entry = (Ear(seconds), asyncio.Event())
        self.ears.append(entry)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await entry[1].wait()
        self.ears.remove(entry)
        return entry[0].heard()

    async def connected(self, timeout: float = 5.0) -> None:
        changed = asyncio.Event()
        self.pc.on("connectionstatechange", changed.set)
        async with asyncio.timeout(timeout):
            while self.pc.connectionState != "connected":
                await changed.wait()
                changed.clear()


def gather_on(ice: Any, addresses: list[str]) -> Any:
    """Gather on these addresses only, without asking the machine for its own."""

    async def gather() -> None:
        if not ice._local_candidates_start:
            ice._local_candidates_start = True
            ice._local_candidates = await ice.get_component_candidates(1, addresses)
            ice._local_candidates_end = True

    return gather

"""The other side of `media.py`: plain aiortc that sends a voice, in a process of its own. Not meant to be run by hand.

It talks over stdin and stdout, one JSON object a line: `{"id", "type": "offer" | "answer" | "close", "sdp"}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from fractions import Fraction
from typing import Any

import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from ziwo_async.media._av import Encoder
from ziwo_async.media.tone import Tone

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def voice() -> list[bytes]:
    """A second of sound, encoded once: the sender is not what is measured."""
    encoder = Encoder("opus")
    return [encoder.encode(piece) for piece in Tone(440, 1.0).frames()]


class Voice(MediaStreamTrack):
    kind = "audio"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets = packets
        self._index = 0
        self._start = 0.0

    async def recv(self) -> av.Packet[Any]:
        loop = asyncio.get_running_loop()
        self._start = self._start or loop.time()
        await asyncio.sleep(self._start + self._index * 0.02 - loop.time())
        packet: av.Packet[Any] = av.Packet(self._packets[self._index % len(self._packets)])
        packet.pts = self._index * 960
        packet.time_base = Fraction(1, 48000)
        self._index += 1
        return packet


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    peers: dict[str, RTCPeerConnection] = {}
    packets = voice()
    while line := await lines.readline():
        asked = json.loads(line)
        key = asked["id"]
        if asked["type"] == "offer":
            peer = peers[key] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            peer.addTrack(Voice(packets))
            peer.on("track", lambda track: asyncio.ensure_future(drain(track)))
            await peer.setLocalDescription(await peer.createOffer())
            sys.stdout.write(json.dumps({"id": key, "sdp": peer.localDescription.sdp}) + "\n")
            sys.stdout.flush()
        elif asked["type"] == "answer":
            await peers[key].setRemoteDescription(RTCSessionDescription(sdp=asked["sdp"], type="answer"))
        else:
            await peers.pop(key).close()


async def drain(track: MediaStreamTrack) -> None:
    try:
        while True:
            await track.recv()
    except Exception:  # noqa: BLE001 - aiortc ends a track by an exception
        return


if __name__ == "__main__":
    asyncio.run(main())

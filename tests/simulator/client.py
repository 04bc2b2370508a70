"""A raw Verto client: a websocket without comfort, so that a test can send whatever a real client might."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeAlias

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

WAIT = 20.0

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 96 0 8\r\n"
    "c=IN IP4 127.0.0.1\r\na=rtpmap:96 opus/48000/2\r\na=mid:0\r\na=sendrecv\r\na=ice-ufrag:abcd\r\n"
    "a=ice-pwd:abcdefghijklmnopqrstuv\r\na=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n"
    "a=fingerprint:sha-256 00\r\na=setup:actpass\r\n"
)

Connect: TypeAlias = "Callable[[], Awaitable[RawClient]]"


class RawClient(asyncio.Protocol):
    """One websocket. Frames are kept in order in `received`; `pongs` and `closed` (the close code) are noted."""

    def __init__(self, url: str, path: str = "") -> None:
        self.ws = ClientProtocol(parse_uri(url + path), max_size=None)
        self.transport: asyncio.Transport | None = None
        self.received: asyncio.Queue[str] = asyncio.Queue()
        self.pongs = 0
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.close_reason = ""
        self.response_headers: dict[str, str] = {}
        self.address = ""
        self.last_id = 0

    @classmethod
    async def connect(cls, url: str, path: str = "") -> Self:
        client = cls(url, path)
        uri = client.ws.uri
        async with asyncio.timeout(WAIT):
            await asyncio.get_running_loop().create_connection(lambda: client, uri.host, uri.port)
            await client.open
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"
        self.ws.send_request(self.ws.connect())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.ws.receive_data(data)
        self.pump()

    def eof_received(self) -> bool:
        self.ws.receive_eof()
        self.pump()
        return False

    def pump(self) -> None:
        for event in self.ws.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self.received.put_nowait(bytes(event.data).decode())
                elif event.opcode is Opcode.PONG:
                    self.pongs += 1
            else:
                self.response_headers = dict(event.headers.raw_items())
                if not self.open.done():
                    self.open.set_result(None)
        self.flush()

    def flush(self) -> None:
        for data in self.ws.data_to_send():
            if self.transport is None or self.transport.is_closing():
                return
            if data:
                self.transport.write(data)
            else:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionError("refused"))
        if not self.over.done():
            rcvd = self.ws.close_rcvd
            self.close_reason = rcvd.reason if rcvd is not None else ""
            self.over.set_result(1006 if rcvd is None else int(rcvd.code))

    # ---- speaking ------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        self.ws.send_text(text.encode())
        self.flush()

    def send_ping(self, payload: bytes) -> None:
        self.ws.send_ping(payload)
        self.flush()

    def send_pong(self, payload: bytes) -> None:
        self.ws.send_pong(payload)
        self.flush()

    def send_fragments(self, *parts: bytes) -> None:
        self.ws.send_text(parts[0], fin=False)
        for index, part in enumerate(parts[1:], 2):
            self.ws.send_continuation(part, fin=index == len(parts))
        self.flush()

    def request(self, method: str, /, **params: Any) -> int:
        self.last_id += 1
        self.send_text(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": self.last_id}))
        return self.last_id

    async def ask(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Send a request and give its reply; the frames before it stay unread no longer."""
        frame_id = self.request(method, **params)
        while True:
            frame = await self.get()
            if frame.get("id") == frame_id and "method" not in frame:
                return frame

    async def login(self, agent: Any, sessid: str = "session-1", **more: Any) -> dict[str, Any]:
        """Log in and wait for clientReady; gives its params. Attach frames before it are in `attached`."""
        reply = await self.ask("login", login=agent.position, passwd=agent.verto_password, sessid=sessid, **more)
        assert reply["result"]["message"] == "logged in", reply
        self.attached: list[dict[str, Any]] = []
        while (frame := await self.get())["method"] == "verto.attach":
            self.attached.append(frame["params"])
        assert frame["method"] == "verto.clientReady"
        return frame["params"]

    async def get(self, timeout: float = WAIT) -> Any:
        async with asyncio.timeout(timeout):
            return json.loads(await self.received.get())

    async def expect(self, method: str) -> dict[str, Any]:
        frame = await self.get()
        assert frame.get("method") == method, frame
        return frame["params"]

    # ---- ending --------------------------------------------------------------------------------------------------

    async def close(self) -> int:
        if not self.over.done():
            self.ws.send_close(1000)
            self.flush()
        return await self.ended()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def ended(self) -> int:
        async with asyncio.timeout(WAIT):
            return await asyncio.shield(self.over)

"""The network in memory: what TCP promises, and the faults that a test can order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import pytest

from ziwo_async.testing import LinkOptions, VirtualLoop, run_virtual

PORT = 8082


class Peer(asyncio.Protocol):
    """Notes what happens to it, with the time."""

    def __init__(self, loop: VirtualLoop, *, keep_open: bool = False) -> None:
        self.loop = loop
        self.keep_open = keep_open
        self.transport: Any = None
        self.told: list[tuple[float, Any]] = []
        self.data = b""
        self.pieces: list[bytes] = []

    def note(self, what: Any) -> None:
        self.told.append((round(self.loop.elapsed, 6), what))

    @property
    def words(self) -> list[Any]:
        return [what for _, what in self.told]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.pieces.append(data)
        self.note(data)

    def eof_received(self) -> bool:
        self.note("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(("lost", None if exc is None else type(exc)))


LOST = ("lost", None)
RESET = ("lost", ConnectionResetError)


class Pair:
    """A server, a client, and the link between them."""

    def __init__(self, loop: VirtualLoop, *, keep_open: bool = False) -> None:
        self.loop = loop
        self.client = Peer(loop, keep_open=keep_open)
        self.server = Peer(loop, keep_open=keep_open)

    async def __aenter__(self) -> Self:
        first = [self.server]
        factory: Callable[[], Peer] = lambda: first.pop() if first else Peer(self.loop)  # noqa: E731
        self.listener = await self.loop.create_server(factory, "127.0.0.1", PORT)
        await self.loop.create_connection(lambda: self.client, "127.0.0.1", PORT)
        await asyncio.sleep(0.5)
        self.link = self.loop.network.links[0]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.listener.close()
        for peer in (self.client, self.server):
            peer.transport.abort()
        for link in self.loop.network.links:
            link.reset()
        await self.listener.wait_closed()


def test_bytes_go_both_ways_in_order() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            for number in range(5):
                pair.client.transport.write(b"%d" % number)
                pair.server.transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
            pair.client.transport.write(b"")
            assert pair.server.data == b"", "nothing is called from inside write"
            await asyncio.sleep(0.1)
            assert (pair.server.data, pair.client.data) == (b"01234", b"abc" * 5)

    run_virtual(main)


def test_each_end_knows_its_address_and_its_peers() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            ours, theirs = pair.client.transport, pair.server.transport
            assert ours.get_extra_info("peername") == ("127.0.0.1", PORT) == theirs.get_extra_info("sockname")
            assert ours.get_extra_info("sockname") == theirs.get_extra_info("peername") == pair.link.client_address
            assert ours.get_extra_info("ssl_object") is None
            assert ours.get_protocol() is pair.client
            assert pair.listener.sockets[0].getsockname() == pair.link.address == ("127.0.0.1", PORT)
            assert pair.listener.get_loop() is loop
            assert pair.listener.is_serving()

    run_virtual(main)


def test_a_port_where_nobody_listens_refuses() -> None:
    async def main(loop: VirtualLoop) -> None:
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(asyncio.Protocol, "127.0.0.1", PORT)

    run_virtual(main)


def test_a_port_is_given_once_and_a_free_one_on_request() -> None:
    async def main(loop: VirtualLoop) -> None:
        first = await loop.create_server(asyncio.Protocol, "127.0.0.1", PORT)
        with pytest.raises(OSError, match="in use"):
            await loop.create_server(asyncio.Protocol, "127.0.0.1", PORT)
        free = await loop.create_server(asyncio.Protocol, "phone.example", 0)
        other = await loop.create_server(asyncio.Protocol, "phone.example", 0)
        assert free.sockets[0].getsockname() != other.sockets[0].getsockname()
        for server in (first, free, other):
            server.close()
            await server.wait_closed()
            assert server.sockets == ()
        await (await loop.create_server(asyncio.Protocol, "127.0.0.1", PORT)).__aexit__(None, None, None)

    run_virtual(main)


def test_the_streams_of_asyncio_work_over_it() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main(loop: VirtualLoop) -> bytes:
        server = await asyncio.start_server(echo, "localhost", PORT)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(b"hello\n")
            answer = await reader.readline()
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        return answer

    assert run_virtual(main) == b"HELLO\n"


def test_latency_delays_the_connection_and_each_way() -> None:
    async def main(loop: VirtualLoop) -> None:
        loop.network.options = LinkOptions(latency=0.25)
        async with Pair(loop) as pair:
            assert pair.client.told == [(0.5, "made")]
            pair.client.transport.write(b"x")
            await asyncio.sleep(1)
            assert pair.server.told == [(0.5, "made"), (1.25, b"x")]

    run_virtual(main)


def test_jitter_keeps_the_order() -> None:
    async def main(loop: VirtualLoop) -> int:
        loop.network.options = LinkOptions(latency=0.01, jitter=0.5)
        async with Pair(loop) as pair:
            for number in range(50):
                pair.client.transport.write(b"%02d" % number)
                await asyncio.sleep(0.01)
            await asyncio.sleep(2)
            assert pair.server.data == b"".join(b"%02d" % number for number in range(50))
            return len({at for at, _ in pair.server.told})

    assert run_virtual(main) > 5


def test_what_arrives_together_is_read_together_and_split_into_pieces_when_asked() -> None:
    text = bytes(range(256)) * 4

    async def main(loop: VirtualLoop) -> list[bytes]:
        async with Pair(loop) as pair:
            for _ in range(3):
                pair.client.transport.write(text)
            await asyncio.sleep(1)
            assert pair.server.pieces == [text * 3]
            pair.server.pieces.clear()
            pair.link.options = replace(pair.link.options, split=True)
            pair.client.transport.write(text)
            await asyncio.sleep(1)
            return pair.server.pieces

    pieces = run_virtual(main, seed=3)
    assert b"".join(pieces) == text
    assert len(pieces) > 2
    assert run_virtual(main, seed=3) == pieces
    assert run_virtual(main, seed=4) != pieces


def test_a_writer_that_is_too_fast_is_paused_and_goes_on_when_the_reader_does() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            ours, theirs = pair.client.transport, pair.server.transport
            ours.set_write_buffer_limits(1000)
            assert ours.get_write_buffer_limits() == (250, 1000)
            theirs.pause_reading()
            assert not theirs.is_reading()
            ours.write(b"x" * 66_000)
            assert ours.get_write_buffer_size() == 66_000 - 65_536
            ours.write(b"x" * 1000)
            await asyncio.sleep(10)
            assert pair.client.words == ["made", "pause"]
            assert pair.server.data == b""
            theirs.resume_reading()
            await asyncio.sleep(1)
            assert pair.client.words == ["made", "pause", "resume"]
            assert len(pair.server.data) == 67_000
            with pytest.raises(ValueError, match="must be >="):
                ours.set_write_buffer_limits(1, 2)

    run_virtual(main)


def test_closing_sends_what_is_written_and_then_the_end() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.client.transport.write(b"last words")
            pair.client.transport.close()
            pair.client.transport.close()
            pair.client.transport.write(b"too late")
            assert pair.client.transport.is_closing()
            await asyncio.sleep(1)
            assert pair.server.words == ["made", b"last words", "eof", LOST]
            assert pair.client.words == ["made", LOST]
            assert loop.network.links == ()

    run_virtual(main)


def test_closing_waits_until_a_slow_reader_has_taken_everything() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.server.transport.pause_reading()
            pair.client.transport.write(b"x" * 200_000)
            pair.client.transport.close()
            await asyncio.sleep(5)
            assert pair.client.words == ["made", "pause"]
            pair.server.transport.resume_reading()
            await asyncio.sleep(1)
            assert pair.client.words[-1] == LOST
            assert len(pair.server.data) == 200_000

    run_virtual(main)


def test_one_direction_can_be_closed_alone() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop, keep_open=True) as pair:
            assert pair.client.transport.can_write_eof()
            pair.client.transport.write_eof()
            with pytest.raises(RuntimeError, match="after write_eof"):
                pair.client.transport.write(b"x")
            await asyncio.sleep(1)
            pair.server.transport.write(b"still here")
            await asyncio.sleep(1)
            assert pair.server.words == ["made", "eof"]
            assert pair.client.data == b"still here"
            pair.server.transport.close()
            await asyncio.sleep(1)
            assert pair.server.words[-1] == LOST
            assert pair.client.words[-1] == "eof"

    run_virtual(main)


def test_an_abort_is_a_reset_for_the_peer() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.client.transport.write(b"x" * 200_000)
            pair.client.transport.abort()
            await asyncio.sleep(1)
            assert pair.client.words[-1] == LOST
            assert pair.server.words[-1] == RESET
            assert len(pair.server.data) == 200_000, "what was under way arrives first"

    run_virtual(main)


def test_writing_to_a_peer_that_is_gone_ends_in_a_reset() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop, keep_open=True) as pair:
            pair.server.transport.close()
            await asyncio.sleep(1)
            assert pair.client.words == ["made", "eof"]
            pair.client.transport.write(b"anybody there?")
            await asyncio.sleep(1)
            assert pair.client.words[-1] == RESET

    run_virtual(main)


def test_bytes_under_way_to_a_peer_that_closes_end_in_a_reset() -> None:
    async def main(loop: VirtualLoop) -> None:
        loop.network.options = LinkOptions(latency=0.1)
        async with Pair(loop, keep_open=True) as pair:
            pair.client.transport.write(b"crossing")
            pair.server.transport.close()
            await asyncio.sleep(1)
            assert pair.server.data == b""
            assert pair.client.words[-1] == RESET

    run_virtual(main)


def test_a_protocol_that_fails_is_told_and_its_connection_over() -> None:
    class Broken(Peer):
        def data_received(self, data: bytes) -> None:
            raise KeyError("bug")

    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.server.transport.set_protocol(Broken(loop))
            pair.client.transport.write(b"x")
            await asyncio.sleep(1)
            assert pair.client.words[-1] == RESET

    with pytest.raises(ExceptionGroup) as caught:
        run_virtual(main)
    assert isinstance(caught.value.exceptions[0], KeyError)


# ---- faults ----------------------------------------------------------------------------------------------------------


def test_a_reset_link_is_over_for_both_ends_and_loses_what_was_under_way() -> None:
    async def main(loop: VirtualLoop) -> None:
        loop.network.options = LinkOptions(latency=0.1)
        async with Pair(loop) as pair:
            pair.client.transport.write(b"lost")
            pair.link.stall()
            pair.link.reset()
            await asyncio.sleep(1)
            assert pair.server.words == ["made", RESET]
            assert pair.client.words == ["made", RESET]
            assert not pair.link.open

    run_virtual(main)


def test_a_cut_link_ends_like_a_close_behind_what_was_under_way() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.client.transport.write(b"x")
            pair.link.cut()
            pair.client.transport.write(b"y")
            await asyncio.sleep(1)
            assert pair.server.words == ["made", b"x", "eof", LOST]
            assert pair.client.words == ["made", "eof", LOST]

    run_virtual(main)


@pytest.mark.parametrize("toward", ["to_client", "to_server", "both"])
def test_a_stall_holds_one_way_or_both_until_it_ends(toward: Any) -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.link.stall(toward)
            pair.client.transport.write(b"up")
            pair.server.transport.write(b"down")
            await asyncio.sleep(100)
            assert pair.server.data == (b"up" if toward == "to_client" else b"")
            assert pair.client.data == (b"down" if toward == "to_server" else b"")
            pair.link.resume(toward)
            await asyncio.sleep(1)
            assert (pair.server.data, pair.client.data) == (b"up", b"down")

    run_virtual(main)


def test_nobody_is_told_when_the_network_vanishes_and_everything_goes_on_when_it_is_back() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            loop.network.vanish()
            loop.network.vanish()
            pair.client.transport.write(b"up")
            late = loop.create_task(loop.create_connection(lambda: Peer(loop), "127.0.0.1", PORT))
            given_up = loop.create_task(loop.create_connection(lambda: Peer(loop), "127.0.0.1", PORT))
            await asyncio.sleep(500)
            given_up.cancel()
            assert pair.server.words == ["made"]
            assert not late.done()
            loop.network.come_back()
            transport, _ = await late
            transport.abort()
            await asyncio.sleep(1)
            assert pair.server.data == b"up"
            assert given_up.cancelled()

    run_virtual(main)


def test_a_network_that_refuses_lets_nobody_in() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            loop.network.refuse()
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", PORT)
            loop.network.refuse(False)
            transport, _ = await loop.create_connection(lambda: Peer(loop), "127.0.0.1", PORT)
            assert loop.network.made == 2
            assert len(loop.network.servers) == 1
            transport.abort()
            assert pair.client.words == ["made"]

    run_virtual(main)


def test_a_server_that_closes_ends_its_clients_as_asked_and_waits_for_them() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.listener.close()
            waiting = loop.create_task(pair.listener.wait_closed())
            await asyncio.sleep(5)
            assert not waiting.done()
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", PORT)
            pair.listener.close_clients()
            await waiting
            assert pair.client.words == ["made", "eof", LOST]

    run_virtual(main)


def test_a_server_that_aborts_its_clients_resets_them() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            pair.listener.abort_clients()
            await asyncio.sleep(1)
            assert pair.client.words == ["made", RESET]

    run_virtual(main)


def test_who_comes_while_the_server_closes_is_reset() -> None:
    async def main(loop: VirtualLoop) -> None:
        server = await loop.create_server(lambda: Peer(loop), "127.0.0.1", PORT)
        _, client = await loop.create_connection(lambda: Peer(loop), "127.0.0.1", PORT)
        server.close()
        await server.wait_closed()
        await asyncio.sleep(1)
        assert client.words == ["made", RESET]

    run_virtual(main)


def test_serving_for_ever_ends_with_a_cancellation() -> None:
    async def main(loop: VirtualLoop) -> None:
        server = await loop.create_server(lambda: Peer(loop), None, PORT)
        await server.start_serving()
        task = loop.create_task(server.serve_forever())
        transport, _ = await loop.create_connection(lambda: Peer(loop), "10.1.2.3", PORT)
        transport.abort()
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert not server.is_serving()

    run_virtual(main)


def test_a_buffered_protocol_is_refused() -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Pair(loop) as pair:
            with pytest.raises(TypeError, match="the network in memory serves"):
                pair.client.transport.set_protocol(asyncio.BufferedProtocol())

    run_virtual(main)

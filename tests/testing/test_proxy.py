"""The fault proxy on its own, with plain TCP at both ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from ziwo_async.simulator.tcp import send_reset
from ziwo_async.testing import FaultProxy

from ..phone.kit import until, within
from .ends import Line, line, turns

HELLO, WORLD = b"hello ", b"world"


# -- without a fault -------------------------------------------------------------------------------------------------


async def test_bytes_pass_both_ways_and_are_counted(wire: Line) -> None:
    client, server = await wire.connect()
    client.send(HELLO)
    server.send(WORLD)
    await server.has(HELLO)
    await client.has(WORLD)
    proxy = wire.proxy
    assert (proxy.accepted, proxy.open, proxy.refused, proxy.unreachable) == (1, 1, 0, 0)
    assert (proxy.to_server.received, proxy.to_server.delivered, proxy.to_server.swallowed) == (6, 6, 0)
    assert (proxy.to_client.received, proxy.to_client.delivered, proxy.to_client.swallowed) == (5, 5, 0)


async def test_a_megabyte_passes_unchanged_in_both_directions(wire: Line) -> None:
    client, server = await wire.connect()
    data = bytes(range(256)) * 4096
    client.send(data)
    server.send(data[::-1])
    await until(lambda: len(server.data) == len(client.data) == len(data))
    assert server.data == data
    assert client.data == data[::-1]


async def test_what_the_client_sends_before_the_server_is_reached_is_not_lost() -> None:
    async with line() as made:
        client = await made.dial()
        client.send(HELLO)
        client.close()
        await until(lambda: made.servers)
        await made.servers[0].has(HELLO)
        await made.servers[0].sees_fin()
        made.servers[0].close()
        await until(lambda: made.proxy.open == 0)


async def test_a_half_close_passes_and_the_other_direction_goes_on(wire: Line) -> None:
    client, server = await wire.connect()
    assert client.transport is not None
    client.send(HELLO)
    client.transport.write_eof()
    await server.has(HELLO)
    await server.sees_fin()
    server.send(WORLD)
    server.close()
    await client.has(WORLD)
    await client.sees_fin()
    client.close()
    await until(lambda: wire.proxy.open == 0)


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_reset_of_one_end_passes_to_the_other(wire: Line, who: str) -> None:
    client, server = await wire.connect()
    one, other = (client, server) if who == "client" else (server, client)
    assert one.transport is not None
    send_reset(one.transport)
    await other.is_reset()
    await until(lambda: wire.proxy.open == 0)


async def test_a_server_that_is_not_there_resets_the_client() -> None:
    listener = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    async with FaultProxy("127.0.0.1", port) as proxy:
        made = Line(proxy, [], [])
        await (await made.dial()).is_reset()
        assert (proxy.accepted, proxy.unreachable, proxy.open) == (1, 1, 0)


async def test_closing_the_proxy_resets_every_connection_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with line() as made:
        first, _ = await made.connect()
        second, there = await made.connect()
        proxy = made.proxy
        await within(proxy.__aexit__(None, None, None))
        await first.is_reset()
        await second.is_reset()
        await there.is_reset()
        assert proxy.open == 0
        with pytest.raises(OSError):  # noqa: PT011 (refused)
            await made.dial()
    assert asyncio.all_tasks() == before
    gc.collect(0)


async def test_closing_while_a_connection_is_being_made_leaves_nothing() -> None:
    for count in range(6):
        async with line() as made:
            await made.dial()
            await turns(count)


async def test_a_reset_while_the_server_is_being_reached_leaves_nothing() -> None:
    for count in range(6):
        async with line() as made:
            client = await made.dial()
            await turns(count)
            made.proxy.reset()
            await client.is_reset()
            await until(lambda made=made: made.proxy.open == 0 and all(end.lost is not False for end in made.servers))


async def test_the_port_can_be_chosen_and_told() -> None:
    async with FaultProxy("127.0.0.1", 9) as proxy:
        chosen = proxy.port
        assert proxy.address == f"127.0.0.1:{chosen}"
        assert repr(proxy) == f"FaultProxy(127.0.0.1:{chosen} -> 127.0.0.1:9, open=0)"
        taken = FaultProxy("127.0.0.1", 9, listen_port=chosen)
        with pytest.raises(OSError):  # noqa: PT011 (in use)
            await taken.__aenter__()


# -- cut and reset ---------------------------------------------------------------------------------------------------


async def test_cut_is_a_fin_for_both_ends(wire: Line) -> None:
    client, server = await wire.connect()
    assert wire.proxy.cut() == 1
    await client.sees_fin()
    await server.sees_fin()
    client.send(HELLO)
    await until(lambda: wire.proxy.to_server.swallowed == 6)
    client.close()
    server.close()
    await until(lambda: client.lost is None and server.lost is None and wire.proxy.open == 0)
    assert server.data == b""


async def test_cut_one_way_leaves_the_other_direction(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.cut("to_client")
    await client.sees_fin()
    client.send(HELLO)
    await server.has(HELLO)
    assert not server.eof
    server.send(WORLD)
    await until(lambda: wire.proxy.to_client.swallowed == 5)
    assert client.data == b""
    client.close()
    await server.sees_fin()


async def test_reset_is_an_rst_for_both_ends_and_loses_what_is_held(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.stall()
    client.send(HELLO)
    await until(lambda: wire.proxy.to_server.received == 6)
    assert wire.proxy.reset() == 1
    await client.is_reset()
    await server.is_reset()
    assert server.data == b""
    assert wire.proxy.to_server.swallowed == 6
    assert wire.proxy.reset() == 0


async def test_reset_of_one_side_leaves_the_other_in_the_dark(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.reset("to_client")
    await client.is_reset()
    server.send(WORLD)
    await until(lambda: wire.proxy.to_client.swallowed == 5)
    assert server.lost is False
    assert not server.eof
    assert wire.proxy.open == 1
    server.close()
    await until(lambda: wire.proxy.open == 0)


async def test_faults_that_happen_once_spare_the_connections_to_come(wire: Line) -> None:
    await wire.connect()
    wire.proxy.cut()
    wire.proxy.reset()
    wire.proxy.corrupt()
    client, server = await wire.connect()
    client.send(HELLO)
    await server.has(HELLO)


# -- stall and black hole --------------------------------------------------------------------------------------------


async def test_stall_keeps_the_bytes_and_the_end_until_resume(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.stall("to_server")
    client.send(HELLO)
    server.send(WORLD)
    await client.has(WORLD)
    client.close()
    await until(lambda: wire.proxy.to_server.received == 6)
    await turns()
    assert (server.data, server.eof) == (b"", False)
    wire.proxy.resume()
    await server.has(HELLO)
    await server.sees_fin()


async def test_a_stalled_proxy_holds_a_bounded_amount_and_stops_to_read() -> None:
    async with line(buffer=10_000) as made:
        client, server = await made.connect()
        client.takes_little()
        made.proxy.stall()
        data = b"x" * 12_000_000  # more than the buffers of the system take
        client.send(data)
        await until(lambda: client.blocked)
        await turns(300)
        held = made.proxy.to_server.received
        assert held < 600_000
        assert client.blocked
        made.proxy.resume()
        await until(lambda: sum(map(len, server.chunks)) == len(data), seconds=30)
        assert server.data == data


async def test_a_receiver_that_does_not_read_stops_the_sender() -> None:
    async with line(buffer=10_000) as made:
        client, server = await made.connect()
        server.takes_little()
        client.takes_little()
        assert server.transport is not None
        server.transport.pause_reading()
        data = b"x" * 16_000_000
        client.send(data)
        await until(lambda: client.blocked)
        await turns(300)
        passed = made.proxy.to_server
        assert passed.received - passed.delivered < 600_000
        assert passed.received < len(data)
        server.transport.resume_reading()
        await until(lambda: sum(map(len, server.chunks)) == len(data), seconds=30)


@pytest.mark.parametrize("way", ["to_server", "to_client"])
async def test_a_black_hole_swallows_one_way_and_the_connection_stays(wire: Line, way: str) -> None:
    client, server = await wire.connect()
    wire.proxy.black_hole(way)  # type: ignore[arg-type]
    client.send(HELLO)
    server.send(WORLD)
    heard, deaf, sender = (client, server, client) if way == "to_server" else (server, client, server)
    await heard.has(WORLD if heard is client else HELLO)
    assert sender.transport is not None
    sender.transport.write_eof()
    await turns()
    assert (deaf.data, deaf.eof, deaf.lost) == (b"", False, False)
    lost = wire.proxy.to_server if way == "to_server" else wire.proxy.to_client
    assert lost.swallowed == lost.received > 0


async def test_a_black_hole_swallows_what_is_held_and_a_reset(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.stall()
    client.send(HELLO)
    await until(lambda: wire.proxy.to_server.received == 6)
    wire.proxy.black_hole()
    assert wire.proxy.to_server.swallowed == 6
    assert client.transport is not None
    send_reset(client.transport)
    await turns()
    assert (server.data, server.eof, server.lost) == (b"", False, False)
    wire.proxy.heal()
    await turns()
    assert (server.data, server.eof, server.lost) == (b"", False, False)
    server.close()
    await until(lambda: wire.proxy.open == 0)


async def test_a_black_hole_is_left_when_both_ends_have_gone(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.black_hole()
    client.close()
    server.close()
    await until(lambda: wire.proxy.open == 0)


async def test_what_a_black_hole_swallowed_does_not_come_back(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.black_hole()
    client.send(HELLO)
    await until(lambda: wire.proxy.to_server.swallowed == 6)
    wire.proxy.heal()
    client.send(WORLD)
    await server.has(WORLD)


# -- time ------------------------------------------------------------------------------------------------------------


async def test_delay_comes_late_and_in_order_with_jitter(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.delay(0.02, jitter=0.02)
    loop = asyncio.get_running_loop()
    began = loop.time()
    expected = b""
    for number in range(20):
        client.send(b"%03d " % number)
        expected += b"%03d " % number
        await turns(3)
    await server.has(expected)
    assert loop.time() - began >= 0.019  # a lower bound: that it was delayed at all
    assert len(server.chunks) > 1


async def test_the_end_of_a_delay_delivers_what_waits_at_once(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.delay(1000, direction="to_server")
    client.send(HELLO)
    await until(lambda: wire.proxy.to_server.received == 6)
    await turns()
    assert server.data == b""
    wire.proxy.delay(0)
    await server.has(HELLO)


async def test_throttle_limits_the_rate(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.throttle(5000, "to_server")
    loop = asyncio.get_running_loop()
    began = loop.time()
    client.send(b"x" * 600)
    await until(lambda: len(server.data) == 600)
    # 500 bytes wait behind the first slice of 100 bytes: a lower bound.
    assert loop.time() - began >= 0.09
    assert max(map(len, server.chunks)) < 600
    server.send(b"y" * 600)
    await client.has(b"y" * 600)


async def test_the_end_of_a_throttle_lets_everything_through(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.throttle(1)
    client.send(HELLO * 10)
    await until(lambda: len(server.data) == 1)
    wire.proxy.throttle(0)
    await server.has(HELLO * 10)


# -- damage ----------------------------------------------------------------------------------------------------------


async def test_split_delivers_so_many_bytes_at_a_time(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.split(2, "to_server")
    client.send(HELLO + WORLD)
    server.send(WORLD)
    await server.has(HELLO + WORLD)
    assert server.chunks == [b"he", b"ll", b"o ", b"wo", b"rl", b"d"]
    await client.has(WORLD)
    assert client.chunks == [WORLD]


async def test_duplicate_doubles_the_next_chunk_only(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.duplicate("to_server")
    client.send(HELLO)
    await server.has(HELLO * 2)
    client.send(WORLD)
    await server.has(HELLO * 2 + WORLD)
    assert (wire.proxy.to_server.received, wire.proxy.to_server.delivered) == (11, 17)


async def test_corrupt_flips_one_bit_of_the_next_chunk(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.corrupt("to_client", times=2)
    wire.proxy.corrupt("to_server", on="new")
    for count in (1, 2, 3):
        server.send(WORLD)
        await until(lambda count=count: len(client.data) == 5 * count)
    parts = [client.data[at : at + 5] for at in (0, 5, 10)]
    changed = [sum((a ^ b).bit_count() for a, b in zip(part, WORLD, strict=True)) for part in parts]
    assert changed == [1, 1, 0]
    client.send(HELLO)
    await server.has(HELLO)


async def test_the_same_seed_damages_the_same_bit() -> None:
    async def damage(seed: int) -> bytes:
        async with line(seed=seed) as made:
            client, server = await made.connect()
            made.proxy.corrupt()
            client.send(bytes(100))
            await until(lambda: len(server.data) == 100)
            return server.data

    assert await damage(5) == await damage(5) != await damage(6)


# -- which connections -----------------------------------------------------------------------------------------------


async def test_a_fault_may_be_for_new_connections_only(wire: Line) -> None:
    old_client, old_server = await wire.connect()
    wire.proxy.black_hole(on="new")
    client, server = await wire.connect()
    client.send(HELLO)
    old_client.send(WORLD)
    await old_server.has(WORLD)
    await until(lambda: wire.proxy.to_server.swallowed == 6)
    assert server.data == b""


async def test_a_fault_may_be_for_present_connections_only(wire: Line) -> None:
    old_client, old_server = await wire.connect()
    wire.proxy.black_hole(on="present")
    client, server = await wire.connect()
    old_client.send(WORLD)
    client.send(HELLO)
    await server.has(HELLO)
    await until(lambda: wire.proxy.to_server.swallowed == 5)
    assert old_server.data == b""


async def test_refused_connections_are_reset_and_the_present_ones_stay(wire: Line) -> None:
    client, server = await wire.connect()
    wire.proxy.refuse()
    await (await wire.dial()).is_reset()
    assert (wire.proxy.refused, wire.proxy.accepted) == (1, 1)
    client.send(HELLO)
    await server.has(HELLO)
    wire.proxy.refuse(False)
    await wire.connect()
    assert wire.proxy.accepted == 2


async def test_heal_ends_every_fault(wire: Line) -> None:
    client, server = await wire.connect()
    proxy = wire.proxy
    proxy.delay(1000)
    proxy.throttle(1)
    proxy.split(1)
    proxy.stall()
    client.send(HELLO)
    await until(lambda: proxy.to_server.received == 6)
    proxy.corrupt(on="all")
    proxy.duplicate(on="all")
    proxy.black_hole("to_client")
    proxy.refuse()
    proxy.heal()
    await server.has(HELLO)
    server.send(WORLD)
    await client.has(WORLD)
    again, there = await wire.connect()
    again.send(WORLD)
    await there.has(WORLD)
    assert there.chunks == [WORLD]


async def test_wrong_arguments_are_refused_in_words(wire: Line) -> None:
    proxy = wire.proxy
    with pytest.raises(ValueError, match="to_server, to_client or both, not 'up'"):
        proxy.stall("up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="all, present or new, not 'old'"):
        proxy.stall(on="old")  # type: ignore[arg-type]
    for wrong in (lambda: proxy.delay(-1), lambda: proxy.split(-1), lambda: proxy.throttle(-1)):
        with pytest.raises(ValueError, match="must not be negative"):
            wrong()

"""A real phone and the simulator, with the fault proxy between them: what each fault looks like to the phone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ziwo_async import (
    CannotConnect,
    DialogState,
    FlowViolation,
    Liveness,
    Phone,
    ReconnectPolicy,
    SessionLost,
    SessionRestored,
    SessionTakenOver,
)
from ziwo_async.testing import FaultProxy

from ..phone.kit import CUSTOMER, Desk, contact_centre, until, within

ALERT = Liveness(silence=0.05, reply=0.05)
KEPT = ["ringing", "answering", "active", "recovering", "active"]


@dataclass
class Rig:
    """A contact centre, a proxy in front of it, and a phone behind that."""

    desk: Desk
    proxy: FaultProxy

    async def phone(self, **options: Any) -> Phone:
        phone = self.desk.phone(url=f"ws://{self.proxy.address}", **options)
        await within(phone.start())
        return phone

    async def works(self, phone: Phone) -> None:
        """A call to and fro goes through."""
        there, call = await self.desk.talks(phone)
        await within(call.hold())
        await within(call.unhold())
        await within(call.hangup())
        assert there.state == "ended"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with contact_centre() as desk, FaultProxy(*endpoint(desk)) as proxy:
        yield Rig(desk, proxy)
        proxy.heal()
        await desk.close()


def endpoint(desk: Desk) -> tuple[str, int]:
    host, _, port = desk.sim.verto_url.removeprefix("ws://").partition(":")
    return host, int(port)


# -- the connection ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [FaultProxy.cut, FaultProxy.reset], ids=["cut", "reset"])
async def test_an_answered_call_survives_the_end_of_its_connection(
    rig: Rig, fault: Callable[[FaultProxy], int]
) -> None:
    phone = await rig.phone()
    there, call = await rig.desk.talks(phone)
    assert fault(rig.proxy) == 1
    restored = await rig.desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost) == ((call.id,), ())
    await until(lambda: rig.desk.seen.words(call.id) == KEPT)
    await there.reaches("active")
    lost = rig.desk.seen.of(SessionLost)
    assert [event.close_code for event in lost] == [None]
    assert rig.proxy.accepted == 2


async def test_a_reset_that_the_server_does_not_see_is_sorted_out_by_the_same_session_id(rig: Rig) -> None:
    phone = await rig.phone()
    there, call = await rig.desk.talks(phone)
    rig.proxy.reset("to_client")
    await rig.desk.seen.wait(SessionRestored)
    await until(lambda: rig.desk.seen.words(call.id) == KEPT)
    await there.reaches("active")
    # The server punted its half of the old connection, which nobody was there to read.
    assert any("verto.punt" in text for text in rig.desk.sim.journal.frames("out"))
    assert phone.ready


async def test_a_refused_phone_comes_back_when_it_may(rig: Rig) -> None:
    phone = await rig.phone()
    rig.proxy.refuse()
    rig.proxy.reset()
    await until(lambda: rig.proxy.refused >= 3)
    assert not phone.ready
    rig.proxy.heal()
    await rig.desk.seen.wait(SessionRestored)
    await rig.works(phone)


async def test_a_phone_that_is_refused_from_the_beginning_says_so(rig: Rig) -> None:
    rig.proxy.refuse()
    with pytest.raises(CannotConnect):
        await rig.phone(reconnect=ReconnectPolicy(base=0.001, cap=0.002, max_attempts=2))


# -- the network is gone ---------------------------------------------------------------------------------------------


async def test_a_short_stall_is_not_noticed_at_all(rig: Rig) -> None:
    phone = await rig.phone()
    rig.proxy.stall()
    there = await rig.desk.customer.dials(rig.desk.agent)
    await until(lambda: rig.proxy.to_client.received > rig.proxy.to_client.delivered)
    assert phone.calls == ()
    rig.proxy.resume()
    await until(lambda: phone.call(there.id) is not None)
    assert rig.desk.seen.session() == ["SessionReady"]


@pytest.mark.parametrize("direction", ["both", "to_server", "to_client"])
async def test_a_black_hole_is_noticed_and_the_call_comes_back_over_a_new_connection(rig: Rig, direction: str) -> None:
    phone = await rig.phone(liveness=ALERT)
    there, call = await rig.desk.talks(phone)
    rig.proxy.black_hole(direction, on="present")  # type: ignore[arg-type]
    lost = await rig.desk.seen.wait(SessionLost)
    assert "no sign of life" in lost.reason
    restored = await rig.desk.seen.wait(SessionRestored)
    assert restored.kept == (call.id,)
    await until(lambda: rig.desk.seen.words(call.id) == KEPT)
    await there.reaches("active")
    assert rig.proxy.to_server.swallowed + rig.proxy.to_client.swallowed > 0


# -- a bad network ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_split_stream_changes_nothing(rig: Rig, size: int) -> None:
    rig.proxy.split(size)
    phone = await rig.phone()
    await rig.works(phone)
    assert rig.desk.seen.session() == ["SessionReady"]


async def test_a_slow_jittery_network_changes_nothing_but_the_time(rig: Rig) -> None:
    rig.proxy.delay(0.01, jitter=0.01)
    rig.proxy.throttle(200_000)
    phone = await rig.phone()
    await rig.works(phone)
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("active", 5)
    assert rig.desk.seen.session() == ["SessionReady"]


async def test_a_doubled_invite_rings_once_and_is_told(rig: Rig) -> None:
    phone = await rig.phone(strict_flows=False)
    rig.proxy.duplicate("to_client")
    there, call = await rig.desk.rings(phone)
    assert rig.proxy.to_client.delivered > rig.proxy.to_client.received
    await within(call.answer())
    await there.reaches("active")
    assert rig.desk.seen.words(call.id) == ["ringing", "answering", "active"]
    assert [event.call_id for event in rig.desk.seen.of(FlowViolation)] == [there.id]
    assert phone.ready


async def test_a_doubled_request_of_the_phone_does_no_harm(rig: Rig) -> None:
    phone = await rig.phone()
    there, call = await rig.desk.talks(phone)
    rig.proxy.duplicate("to_server")
    await within(call.hangup())
    assert there.state == "ended"
    assert [frame["method"] for frame in rig.desk.frames("verto.bye")] == ["verto.bye"] * 2
    await rig.works(phone)
    # The second reply belongs to no request.
    assert rig.desk.seen.session() == ["SessionReady", "UnknownFrame"]


@pytest.mark.parametrize("direction", ["to_client", "to_server"])
@pytest.mark.parametrize("seed", range(6))
async def test_a_damaged_frame_costs_at_most_the_connection(direction: str, seed: int) -> None:
    async with contact_centre() as desk, FaultProxy(*endpoint(desk), seed=seed) as proxy:
        rig = Rig(desk, proxy)
        phone = await rig.phone(liveness=ALERT)
        await rig.works(phone)
        proxy.corrupt(direction)  # type: ignore[arg-type]
        # The phone's sign of life, or its reply, is damaged: it is asked for within 0.05 s.
        traffic = proxy.to_server if direction == "to_server" else proxy.to_client
        before = traffic.received
        await until(lambda: traffic.received > before)
        await until(lambda: phone.ready)
        # A damaged length may make either side wait for more; then the silence ends the connection.
        await until(lambda: proxy.open >= 1 and phone.ready)
        proxy.reset()
        await until(lambda: len(desk.seen.of(SessionLost)) == len(desk.seen.of(SessionRestored)) > 0 and phone.ready)
        await rig.works(phone)
        await desk.close()


# -- scenarios of the server -----------------------------------------------------------------------------------------


async def test_a_punted_phone_says_that_it_was_taken_over_and_does_not_fight(rig: Rig) -> None:
    phone = await rig.phone()
    assert await rig.desk.sim.faults.punt(rig.desk.agent) == 1
    with pytest.raises(SessionTakenOver):
        await within(phone.wait_closed())
    assert rig.proxy.accepted == 1


async def test_a_phone_outlives_a_restart_of_the_server(rig: Rig) -> None:
    phone = await rig.phone()
    await rig.desk.sim.faults.server_restart(0.02)
    await rig.desk.seen.wait(SessionRestored)
    await rig.works(phone)
    assert phone.ready


async def test_a_phone_whose_login_expired_logs_in_again(rig: Rig) -> None:
    phone = await rig.phone()
    await rig.desk.sim.faults.login_expired(rig.desk.agent)
    lost = await rig.desk.seen.wait(SessionLost)
    assert lost.close_code == 1000
    await rig.desk.seen.wait(SessionRestored)
    await rig.works(phone)


async def test_a_slow_server_is_waited_for(rig: Rig) -> None:
    rig.desk.sim.faults.slow_server(0.03)
    phone = await rig.phone()
    await rig.works(phone)
    assert rig.desk.seen.session() == ["SessionReady"]


async def test_a_phone_waits_while_its_name_is_taken(rig: Rig) -> None:
    phone = await rig.phone()
    rig.desk.sim.faults.duplicate(rig.desk.agent, tries=2)
    rig.proxy.reset()
    await rig.desk.seen.wait(SessionRestored)
    logins = [text for text in rig.desk.sim.journal.frames("in") if '"method":"login"' in text]
    assert len(logins) == 4
    assert phone.ready


async def test_frames_in_another_order_do_not_break_a_call(rig: Rig) -> None:
    phone = await rig.phone()
    # The answer overtakes CALL CREATED.
    rig.desk.customer.will(answer_after=0.0, early_media=False)
    rig.desk.sim.faults.reordered(rig.desk.agent)
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("active", 5)
    assert call.state is DialogState.ACTIVE
    await within(call.hangup())

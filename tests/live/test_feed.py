"""The live feed against the simulator's live socket, in both protocols: snapshots, reconnects, tokens, handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ziwo_async import (
    Active,
    AgentStatus,
    AgentStatusChanged,
    BadCredentials,
    Call,
    CallEvent,
    CallRecorded,
    CannotConnect,
    ClientClosed,
    Credentials,
    Destroy,
    DialogEvent,
    Event,
    FloorEvent,
    HandlerRejected,
    LiveFeed,
    LiveLost,
    LiveRestored,
    QueueCallAbandoned,
    QueueCallAnswered,
    QueueCallWaiting,
    Ringing,
    Router,
    ZiwoClient,
)

from ..phone.kit import Desk, until, within

WATCHES = (
    "agents", "queues", "calls", "queue_calls", "positions", "numbers", "stats", "statistics_by_agents",
    "statistics_by_queues", "status",
)  # fmt: skip


class Heard:
    """Every event of a feed, in order."""

    def __init__(self, ziwo: ZiwoClient) -> None:
        self.events: list[Event] = []
        self.router = Router()
        self.router.on(FloorEvent, when=self._note)(self._nobody)
        self.router.on(CallEvent, when=self._note)(self._nobody)
        ziwo.live.include(self.router)

    def _note(self, event: Event) -> bool:
        self.events.append(event)
        return False

    async def _nobody(self, event: Any) -> None:
        raise AssertionError

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    async def told(self, *names: str) -> None:
        await until(lambda: not (set(names) - set(self.names())), f"not all of {names}")


@asynccontextmanager
async def feed(desk: Desk, **options: Any) -> AsyncIterator[tuple[ZiwoClient, Heard]]:
    ziwo = desk.client(**options)
    heard = Heard(ziwo)
    async with ziwo, ziwo.live:
        await within(ziwo.live.agents().first())
        await until(lambda: subscribed(desk) == len(ziwo.live.wanted), "not everything is subscribed")
        yield ziwo, heard


def subscribed(desk: Desk) -> int:
    return sum(len(connection.subscriptions) for connection in desk.sim.live.connections)


# -- snapshots -----------------------------------------------------------------------------------------------------


async def test_every_watch_gets_its_snapshot(desk: Desk, eio: int) -> None:
    ziwo = desk.client()
    async with ziwo, ziwo.live:
        assert (ziwo.live.protocol, ziwo.live.connected) == (eio, True)
        for name in WATCHES:
            watch = getattr(ziwo.live, name)()
            found = await within(watch.first())
            assert watch.current is found
            assert not watch.stale
            assert watch.at is not None
            assert watch.refused is None
        agents = await within(ziwo.live.agents().first())
        assert {agent.cc_login for agent in agents.values()} == {agent.ccLogin for agent in desk.world.agents}
        stats = await within(ziwo.live.stats().first())
        assert stats.total_agents == len(desk.world.agents)
        assert set(stats.model_extra or {}) == set()
        # Existing clients open a socket for each screen.
        assert len(desk.sim.live.connections) == 1


@pytest.mark.parametrize(
    "quirk", ["text_payloads", "null_payloads", "lists", "empty_live_info", "calls_of_queues", "keep_answered"]
)
async def test_every_way_of_telling_gives_the_same(desk: Desk, eio: int, quirk: str) -> None:
    setattr(desk.sim.live.quirks, quirk, True)
    ziwo = desk.client()
    async with ziwo, ziwo.live:
        agents = await within(ziwo.live.agents().first())
        assert {agent.cc_login for agent in agents.values()} == {agent.ccLogin for agent in desk.world.agents}
        queues = await within(ziwo.live.queues().first())
        assert {queue.name for queue in queues.values()} == {queue.name for queue in desk.world.queues}
        assert await within(ziwo.live.queue_calls().first()) == ()


async def test_watches_are_subscribed_when_asked_for_and_no_sooner(desk: Desk, eio: int) -> None:
    ziwo = desk.client()
    async with ziwo, ziwo.live:
        assert subscribed(desk) == 0
        watch = ziwo.live.agents()
        await within(watch.first())
        assert [sorted(c.subscriptions) for c in desk.sim.live.connections] == [["GET /live/agents"]]


async def test_a_change_is_pushed(desk: Desk, eio: int) -> None:
    ziwo = desk.client()
    async with ziwo, ziwo.live:
        watch = ziwo.live.agents()
        key = next(key for key, agent in (await within(watch.first())).items() if agent.cc_login == "5555")
        await until(lambda: subscribed(desk) == 1)
        change_status(desk, "5555", "Meeting")
        async with asyncio.timeout(20):
            async for agents in watch:
                if agents[key].status is AgentStatus.MEETING:
                    break


async def test_what_is_for_admins_is_refused_to_others_and_says_so(desk: Desk, eio: int) -> None:
    agent = desk.world.agent("5555")
    agent.rights.discard("admin")
    ziwo = desk.client(agent)
    async with ziwo, ziwo.live:
        own, others = ziwo.live.status(), ziwo.live.agents()
        await within(own.first())
        await until(lambda: others.refused is not None)
        assert others.refused is not None
        assert "403" in others.refused
        assert others.current is None


# -- floor events --------------------------------------------------------------------------------------------------


def change_status(desk: Desk, cc_login: str, status: str) -> None:
    desk.world.agent(cc_login).set_status(status)


async def test_a_changed_status_is_an_event(desk: Desk, eio: int) -> None:
    async with feed(desk) as (_, heard):
        change_status(desk, "5555", "Meeting")
        await heard.told("AgentStatusChanged")
        [event] = [e for e in heard.events if isinstance(e, AgentStatusChanged)]
        assert (event.cc_login, event.status) == ("5555", "Meeting")
        assert event.before is not None


async def test_a_call_to_an_agent_is_the_same_dialog_without_their_phone(desk: Desk, eio: int) -> None:
    agent = desk.world.agent("5555")
    phone = desk.phone(agent)
    await phone.start()
    async with feed(desk) as (ziwo, heard):
        assert not ziwo.phone.ready
        there, call = await desk.talks(phone, agent=agent)
        await heard.told("Active")
        await within(call.hangup())
        await heard.told("Destroy", "CallRecorded")
        [active] = [e for e in heard.events if isinstance(e, Active)]
        assert (active.source, active.agent, active.customer_number) == ("live", "5555", desk.customer.number)
        dialog = [e for e in heard.events if isinstance(e, DialogEvent)]
        assert {e.call_id for e in dialog} == {active.call_id}
        assert isinstance(dialog[-1], Destroy)
        assert there.customer is desk.customer


async def test_a_queue_tells_who_waits_who_is_answered_and_who_gives_up(desk: Desk, eio: int) -> None:
    queue = desk.world.queue("sales", agents=[desk.world.agent("5555")])
    async with feed(desk) as (_, heard):
        call = await desk.customer.dials(queue)
        await heard.told("QueueCallWaiting")
        await call.hangs_up()
        await heard.told("QueueCallAbandoned", "CallRecorded")
        [waits] = [e for e in heard.events if isinstance(e, QueueCallWaiting)]
        [left] = [e for e in heard.events if isinstance(e, QueueCallAbandoned)]
        assert (waits.queue, waits.caller_number) == (queue.name, desk.customer.number)
        assert (left.call_id, left.inferred) == (waits.call_id, True)
        assert not [e for e in heard.events if isinstance(e, QueueCallAnswered)]


@pytest.mark.parametrize("kept", [True, False], ids=["the row says so", "inferred"])
async def test_a_call_of_a_queue_that_an_agent_takes_is_answered_once(desk: Desk, eio: int, kept: bool) -> None:
    desk.sim.live.quirks.keep_answered = kept
    agent = desk.world.agent("5555")
    queue = desk.world.queue("sales", agents=[agent])
    phone = desk.client(agent).phone
    await phone.start()
    async with feed(desk) as (_, heard):
        await desk.customer.dials(queue)
        await heard.told("QueueCallWaiting", "Ringing")
        await until(lambda: phone.calls)
        [call] = phone.calls
        await within(call.answer())
        await heard.told("QueueCallAnswered", "Active")
        await within(call.hangup())
        await heard.told("CallRecorded", "Destroy")
        [answered] = [e for e in heard.events if isinstance(e, QueueCallAnswered)]
        assert (answered.agent, answered.inferred) == ("5555", not kept)
        assert "QueueCallAbandoned" not in heard.names()


# -- the reconnect bugs of existing clients ------------------------------------------------------------------------


async def test_after_fifty_reconnects_each_event_is_told_once(desk: Desk, eio: int) -> None:
    """Existing clients add their listeners at each connect: then an event is handled as often as they connected."""
    ran: list[str] = []
    router = Router()

    @router.on(AgentStatusChanged)
    async def changed(event: AgentStatusChanged) -> None:
        ran.append(event.status)

    async with feed(desk) as (ziwo, heard):
        ziwo.live.include(router)
        for number in range(50):
            before = ziwo.live.connections
            desk.sim.faults.cut_live()
            await until(
                lambda before=before: ziwo.live.connected and ziwo.live.connections > before, f"reconnect {number}"
            )
        await until(lambda: not ziwo.live.agents().stale)
        await until(lambda: subscribed(desk) == len(ziwo.live.wanted))
        change_status(desk, "5555", "Meeting")
        await heard.told("AgentStatusChanged")
        await until(lambda: ran)
        await within(ziwo.live.dispatcher.idle())
        assert heard.names().count("AgentStatusChanged") == 1
        assert ran == ["Meeting"]
        assert heard.names().count("LiveLost") == heard.names().count("LiveRestored") == 50


async def test_subscriptions_and_snapshots_are_asked_again_at_each_connect(desk: Desk, eio: int) -> None:
    """Subscriptions do not survive at the server."""
    async with feed(desk) as (ziwo, heard):
        at = ziwo.live.agents().at
        desk.sim.faults.cut_live()
        await heard.told("LiveLost", "LiveRestored")
        await until(lambda: subscribed(desk) == len(ziwo.live.wanted))
        await until(lambda: ziwo.live.agents().at != at and not ziwo.live.agents().stale)
        change_status(desk, "5555", "Meeting")
        await heard.told("AgentStatusChanged")


async def test_what_changed_while_the_feed_was_away_is_told_after_it(desk: Desk, eio: int) -> None:
    async with feed(desk) as (ziwo, heard):
        desk.sim.faults.refuse_live()
        desk.sim.faults.cut_live()
        await heard.told("LiveLost")
        assert not ziwo.live.connected
        assert ziwo.live.agents().stale
        assert ziwo.live.agents().current
        change_status(desk, "5555", "Meeting")
        desk.sim.faults.refuse_live(3 if eio == 3 else 4, refuse=False)
        await heard.told("LiveRestored", "AgentStatusChanged")
        assert heard.names().index("LiveRestored") < heard.names().index("AgentStatusChanged")


async def test_a_refused_token_is_renewed_before_the_next_attempt(desk: Desk, eio: int) -> None:
    """An old token would be refused for ever."""
    async with feed(desk) as (ziwo, heard):
        first = await ziwo.session.access_token()
        desk.sim.faults.live_auth_fails(1)
        desk.sim.faults.cut_live()
        await heard.told("LiveRestored")
        assert ziwo.live.connected
        assert await ziwo.session.access_token() != first


async def test_a_token_that_is_refused_at_the_first_connect_is_renewed_too(desk: Desk, eio: int) -> None:
    desk.sim.faults.live_auth_fails(1)
    async with feed(desk) as (ziwo, _):
        assert ziwo.live.connected


async def test_tokens_that_are_always_refused_are_final(desk: Desk, eio: int) -> None:
    desk.sim.faults.live_auth_fails(100)
    ziwo = desk.client()
    async with ziwo:
        with pytest.raises(BadCredentials, match="Invalid access token"):
            await within(ziwo.live.start())
        with pytest.raises(ClientClosed):
            await ziwo.live.start()


async def test_a_feed_that_cannot_get_in_again_ends_with_the_error(desk: Desk, eio: int) -> None:
    async with feed(desk) as (ziwo, _):
        watch = ziwo.live.agents()
        desk.sim.faults.live_auth_fails(100)
        desk.sim.faults.cut_live()
        with pytest.raises(BadCredentials):
            await within(ziwo.live.wait_closed())
        await within(anext(watch))
        with pytest.raises(BadCredentials):
            await within(anext(watch))


async def test_wrong_credentials_are_final(desk: Desk) -> None:
    ziwo = desk.client(password="wrong")
    async with ziwo:
        with pytest.raises(BadCredentials):
            await within(ziwo.live.start())


async def test_a_token_without_a_password_cannot_be_renewed(desk: Desk, eio: int) -> None:
    desk.sim.rest.accept_token("given-token", desk.agent)

    async def provider() -> Credentials:
        return Credentials.from_token("given-token")

    ziwo = desk.client(credentials=provider)
    async with ziwo, ziwo.live:
        await within(ziwo.live.agents().first())
        desk.sim.faults.live_auth_fails(100)
        desk.sim.faults.cut_live()
        with pytest.raises(Exception, match="token"):
            await within(ziwo.live.wait_closed())


async def test_nothing_there_fails_at_once_and_says_where(desk: Desk) -> None:
    desk.sim.faults.refuse_live()
    ziwo = desk.client()
    async with ziwo:
        with pytest.raises(CannotConnect, match="/socket"):
            await within(ziwo.live.start())


@pytest.mark.parametrize("doubled", [True, False])
async def test_a_call_that_ends_is_recorded_once(desk: Desk, eio: int, doubled: bool) -> None:
    agent = desk.world.agent("5555")
    phone = desk.phone(agent)
    await phone.start()
    desk.sim.faults.duplicate_live(doubled)
    async with feed(desk) as (ziwo, heard):
        watch = ziwo.live.call_history()
        for _ in range(3):
            _, call = await desk.talks(phone, agent=agent)
            await within(call.hangup())
        await until(lambda: heard.names().count("CallRecorded") == 3)
        recorded = [e.call_id for e in heard.events if isinstance(e, CallRecorded)]
        assert len(set(recorded)) == 3
        assert [(await within(anext(watch))).call_id for _ in range(3)] == recorded


async def test_a_duplicated_world_tells_nothing_twice(desk: Desk, eio: int) -> None:
    desk.sim.faults.duplicate_live()
    async with feed(desk) as (_, heard):
        change_status(desk, "5555", "Meeting")
        await heard.told("AgentStatusChanged")
        change_status(desk, "5555", "Available")
        await until(lambda: heard.names().count("AgentStatusChanged") >= 2)
        changes = [(e.before, e.status) for e in heard.events if isinstance(e, AgentStatusChanged)]
        assert changes[1:] == [("Meeting", "Available")]


# -- life ----------------------------------------------------------------------------------------------------------


async def test_heartbeats_are_sent(desk: Desk, eio: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ziwo_async.live.supervisor.HEARTBEAT", 0.01)
    ziwo = desk.client()
    async with ziwo, ziwo.live:
        await until(lambda: [c.heartbeats >= 3 for c in desk.sim.live.connections] == [True])


async def test_handlers_with_a_call_are_refused_and_those_without_run(desk: Desk) -> None:
    ziwo = desk.client()
    wrong = Router()

    @wrong.on(Ringing)
    async def pop_up(call: Call, event: Ringing) -> None: ...

    during = Router()

    @during.during(Active)
    async def talking(call: Call, event: Active) -> None: ...

    with pytest.raises(HandlerRejected, match="no call to act on"):
        ziwo.live.include(wrong)
    with pytest.raises(HandlerRejected, match="talking"):
        ziwo.live.include(during)
    with pytest.raises(HandlerRejected, match="pop_up"):
        ziwo.run(wrong, source="live")


async def test_a_handler_with_a_call_that_comes_later_is_never_called(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    agent = desk.world.agent("5555")
    phone = desk.phone(agent)
    await phone.start()
    async with feed(desk) as (_, heard):

        @heard.router.on(Active)
        async def late(call: Call, event: Active) -> None:
            raise AssertionError

        await desk.talks(phone, agent=agent)
        await heard.told("Active")
    assert "late wants a call" in caplog.text


async def test_a_feed_starts_once_and_closes_in_every_state(desk: Desk, eio: int) -> None:
    ziwo = desk.client()
    feed: LiveFeed = ziwo.live
    await feed.start()
    with pytest.raises(ClientClosed):
        await feed.start()
    await within(feed.aclose())
    await within(feed.aclose())
    assert not feed.connected
    assert [item async for item in feed.agents()] == []
    await within(ziwo.aclose())
    other = desk.client()
    await within(other.live.aclose())
    with pytest.raises(ClientClosed):
        await other.live.start()


async def test_starting_can_be_cancelled(desk: Desk, eio: int) -> None:
    ziwo = desk.client()
    async with ziwo:
        starting = asyncio.ensure_future(ziwo.live.start())
        await asyncio.sleep(0.01)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled() or starting.exception() is None


async def test_events_and_expectations_read_the_feed(desk: Desk, eio: int) -> None:
    async with feed(desk) as (ziwo, _):
        async with ziwo.live.events(LiveLost) as lost, ziwo.live.expect(LiveRestored, timeout=5) as expected:
            desk.sim.faults.cut_live()
        assert expected.event.gap_seconds >= 0
        assert [type(event) async for event in lost] == [LiveLost]


async def test_a_slow_handler_stops_nobody_and_is_waited_for_at_the_end(desk: Desk) -> None:
    gate, ran = asyncio.Event(), []
    router = Router()

    @router.on(AgentStatusChanged)
    async def slow(event: AgentStatusChanged) -> None:
        await gate.wait()
        ran.append(event.status)

    async with feed(desk) as (ziwo, heard):
        ziwo.live.include(router)
        change_status(desk, "5555", "Meeting")
        await heard.told("AgentStatusChanged")
        change_status(desk, "5555", "Available")
        await until(lambda: heard.names().count("AgentStatusChanged") == 2)
        closing = asyncio.ensure_future(ziwo.live.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
        gate.set()
        await within(closing)
        assert ran == ["Meeting", "Available"]

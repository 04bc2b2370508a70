"""Whisper sessions against the simulator: how they begin, what they do, how they end, and what can go wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from ziwo_async import (
    Active,
    AgentNotFound,
    AiortcMedia,
    ApiError,
    BadArgument,
    Call,
    CallEnded,
    ClientClosed,
    DialogState,
    Direction,
    EavesdropAudit,
    EavesdropTimeout,
    Event,
    Forbidden,
    HangupBy,
    NotFound,
    PositionNotConnected,
    Ringing,
    Router,
    SpendPolicy,
    SpendRefused,
    WhisperSession,
    WrongState,
    ZiwoClient,
    ZiwoError,
)
from ziwo_async.rest.eavesdrops import EavesdropsResource
from ziwo_async.rest.models.eavesdrop import EavesdropCall
from ziwo_async.simulator import SimCall
from ziwo_async.testing import FAST_RECONNECT, ServedWorld, serve

PATIENCE = 30.0
PATH = "/live/calls/eavesdrop/5555"
_T = TypeVar("_T")


async def within(work: Awaitable[_T]) -> _T:
    async with asyncio.timeout(PATIENCE):
        return await work


@dataclass
class Desk:
    """The supervisor 0011, who listens to agent 5555."""

    world: ServedWorld
    ziwo: ZiwoClient
    audits: list[EavesdropAudit] = field(default_factory=list)

    @property
    def steps(self) -> list[tuple[str, str | None]]:
        return [(audit.action, audit.error) for audit in self.audits]

    def eavesdrop_call(self) -> SimCall:
        (call,) = (call for call in self.world.calls if call.customer is None)
        return call

    async def audited(self, action: str) -> EavesdropAudit:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [audit for audit in self.audits if audit.action == action]
                if found:
                    return found[-1]
                await asyncio.sleep(0.005)


def client(world: ServedWorld, **options: object) -> ZiwoClient:
    agent = world.agent("0011")
    return ZiwoClient(
        api_url=world.api_url,
        username=agent.username,
        password=agent.password,
        reconnect=FAST_RECONNECT,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with serve() as world, client(world) as ziwo:
        made = Desk(world, ziwo)
        router = Router()

        @router.on(EavesdropAudit)
        async def note(event: EavesdropAudit) -> None:
            made.audits.append(event)

        ziwo.include(router)
        await within(ziwo.phone.start())
        yield made


# --- how it begins --------------------------------------------------------------------------------------------------


async def test_it_asks_recognises_answers_and_whispers(desk: Desk) -> None:
    async with desk.ziwo.eavesdrop("5555", whisper="agent") as session:
        call = desk.eavesdrop_call()
        assert (session.call.id, session.call_id, call.state) == (call.id, call.id, "active")
        assert (session.heard_by, call.whisper) == ("agent", "agent")
        assert session.call.state is DialogState.ACTIVE
        assert session.call.direction is Direction.SERVICE
        await session.whisper("both")
        assert (session.heard_by, call.whisper) == ("both", "both")
    await call.reaches("ended")
    await desk.audited("end")
    assert desk.steps == [("create", None), ("answer", None), ("update", None), ("update", None), ("end", None)]
    assert {audit.user for audit in desk.audits} == {"agent-0011"}
    assert {audit.agent for audit in desk.audits} == {"5555"}
    assert {audit.call_id for audit in desk.audits} == {call.id}
    assert [audit.whisper for audit in desk.audits] == ["none", "none", "agent", "both", "both"]


@pytest.mark.parametrize("order", ["response first", "invite first"])
async def test_whichever_comes_first(desk: Desk, order: str) -> None:
    rings: list[Ringing] = []
    if order == "invite first":
        desk.world.faults.late_http(0.3, PATH)
    else:
        desk.world.faults.slow_server(0.3)
    async with desk.ziwo.events(Ringing) as stream, desk.ziwo.eavesdrop("5555") as session:
        rings.append(await within(anext(aiter(stream))))
        assert session.call.direction is Direction.SERVICE
        # Known before it rings only when the response was first: the event cannot know what comes later.
        assert rings[0].direction is (Direction.SERVICE if order == "response first" else Direction.INTERNAL)
        assert desk.eavesdrop_call().state == "active"


async def test_an_id_that_stands_in_a_header_is_recognised(desk: Desk) -> None:
    """What ZIWO's invite carries is not documented: the id may be the primary call's, or in any `verto_h_*` header."""
    commands = desk.world.running().commands
    for header in ("verto_h_primaryCallID", "verto_h_eavesdrop_uuid"):
        desk.world.faults.next_http(
            200, body={"result": True, "content": {"callID": f"id-in-{header}"}, "info": {}}, path=PATH
        )
        opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
        await desk.audited("create")
        desk.audits.clear()
        ringing = commands.spy_on_agent(desk.world.agent("0011"), desk.world.agent("5555"), {header: f"id-in-{header}"})
        session = await within(opening)
        assert session.call.id == ringing.id
        assert session.call_id == f"id-in-{header}"
        assert session.call.direction is Direction.SERVICE
        await session.aclose()


async def test_two_at_once_and_a_stray_call_in_between(desk: Desk) -> None:
    world = desk.world
    world.add_agent("7777")
    world.faults.late_http(0.2, PATH)
    async with desk.ziwo.eavesdrop("7777") as other:
        opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
        await desk.audited("create")
        stray = await world.customer("+97150000000").dials(world.agent("0011"))
        session = await within(opening)
        assert session.call.id != other.call.id
        assert {session.call.state, other.call.state} == {DialogState.ACTIVE}
        assert stray.state == "ringing"
        handle = desk.ziwo.phone.call(stray.id)
        assert handle is not None
        assert (handle.state, handle.direction) == (DialogState.RINGING, Direction.INBOUND)
        await session.aclose()
        assert other.call.state is DialogState.ACTIVE


async def test_a_forged_invite_rings_and_is_not_answered(desk: Desk) -> None:
    """It looks like an eavesdrop call in every way, but nobody asked for it."""
    forged = desk.world.running().commands.spy_on_agent(
        desk.world.agent("0011"), desk.world.agent("5555"), {"verto_h_primaryCallID": "somebody-elses"}
    )
    async with desk.ziwo.eavesdrop("5555") as session:
        assert session.call.id != forged.id
        assert forged.state == "ringing"
    assert forged.state == "ringing"


async def test_a_handler_that_answers_everything_is_no_harm(desk: Desk) -> None:
    router = Router()

    @router.on(Ringing)
    async def eager(call: Call, event: Ringing) -> None:
        await call.answer()

    desk.ziwo.include(router)
    desk.world.faults.late_http(0.3, PATH)  # so that the handler is first
    async with desk.ziwo.eavesdrop("5555") as session:
        assert session.call.state is DialogState.ACTIVE


# --- what can go wrong ----------------------------------------------------------------------------------------------


async def fails(desk: Desk, kind: type[ZiwoError], **options: object) -> ZiwoError:
    agent = str(options.pop("agent", "5555"))
    with pytest.raises(kind) as caught:
        await within(desk.ziwo.eavesdrop(agent, **options).__aenter__())  # type: ignore[arg-type]
    return caught.value


async def test_without_the_permission(desk: Desk) -> None:
    desk.world.agent("0011").rights.discard("eavesdrop")
    await fails(desk, Forbidden)
    await desk.audited("create")
    assert desk.steps == [("create", "Forbidden")]
    assert desk.ziwo.phone.calls == ()


async def test_an_agent_that_is_not_known(desk: Desk) -> None:
    error = await fails(desk, AgentNotFound, agent="9999")
    assert "9999" in str(error)


async def test_a_position_that_is_not_connected(desk: Desk) -> None:
    refusal = {"result": False, "error": {"message": "Your position is not connected"}}
    desk.world.faults.next_http(412, body=refusal, path=PATH)
    assert "not connected" in str(await fails(desk, PositionNotConnected))


@pytest.mark.parametrize("status", [200, 400, 404, 409, 412, 422, 500])
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Your position is not connected", PositionNotConnected),
        ("No such agent", AgentNotFound),
        ("Cannot POST /live/calls/eavesdrop/5555", None),
    ],
)
async def test_the_words_count_more_than_the_status(
    desk: Desk, status: int, words: str, kind: type[ApiError] | None
) -> None:
    desk.world.faults.next_http(status, body={"result": False, "error": {"message": words}}, path=PATH)
    error = await fails(desk, ApiError)
    assert isinstance(error, kind or ApiError)
    assert isinstance(error, AgentNotFound | PositionNotConnected) is (kind is not None)
    assert desk.steps == [("create", type(error).__name__)]


@pytest.mark.parametrize(
    ("status", "kind"), [(404, AgentNotFound), (409, PositionNotConnected), (412, PositionNotConnected)]
)
async def test_without_words_the_status_counts(desk: Desk, status: int, kind: type[ApiError]) -> None:
    desk.world.faults.next_http(status, body={"result": False}, path=PATH)
    await fails(desk, kind)


async def test_a_phone_that_is_closed_meanwhile_is_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ziwo_async.audit")
    desk.world.faults.late_http(0.5, PATH)
    opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
    async with asyncio.timeout(PATIENCE):
        while not desk.ziwo.phone.calls:
            await asyncio.sleep(0.005)
    await within(desk.ziwo.phone.aclose())
    with pytest.raises(ClientClosed):
        await within(opening)
    assert not opening.cancelled()
    assert steps_in(caplog) == ["create"]
    assert "failed: ClientClosed" in caplog.text


async def test_an_error_that_is_none_of_ours_comes_through_as_it_is(desk: Desk) -> None:
    class Broken(EavesdropsResource):
        async def create(self, agent: str, *, position: str | None = None) -> EavesdropCall:
            raise LookupError("a bug")

    broken = Broken.__new__(Broken)
    with pytest.raises(LookupError, match="a bug"):
        await within(WhisperSession(desk.ziwo.phone, broken, "5555").__aenter__())
    assert (await desk.audited("create")).error == "LookupError"
    async with desk.ziwo.eavesdrop("5555"):
        pass  # the phone lives on


async def test_a_phone_that_is_closed_while_the_whisper_mode_is_set(desk: Desk) -> None:
    desk.world.faults.slow_server(0.2)
    opening = asyncio.create_task(desk.ziwo.eavesdrop("5555", whisper="agent").__aenter__())
    created = await desk.audited("create")
    desk.world.faults.slow_server(0.0)
    desk.world.faults.late_http(0.5, f"/live/calls/eavesdrop/{created.call_id}")
    await desk.audited("answer")
    await asyncio.sleep(0.1)  # the request is on its way
    await within(desk.ziwo.phone.aclose())
    with pytest.raises(CallEnded, match="ended while the session began"):
        await within(opening)


async def test_one_call_is_not_given_to_two_sessions(desk: Desk) -> None:
    async with desk.ziwo.eavesdrop("5555") as session:
        again = {"result": True, "content": {"callID": session.call_id}, "info": {}}
        desk.world.faults.next_http(200, body=again, path=PATH)
        await fails(desk, WrongState)
        await asyncio.sleep(0.1)
        assert session.call.state is DialogState.ACTIVE


async def test_a_call_that_we_made_is_no_eavesdrop_call(desk: Desk) -> None:
    desk.world.customer("+97150000009")
    ours = await desk.ziwo.phone.dial("+97150000009")
    desk.world.faults.next_http(200, body={"result": True, "content": {"callID": ours.id}, "info": {}}, path=PATH)
    await fails(desk, EavesdropTimeout, answer_within=0.3)
    await asyncio.sleep(0.1)
    assert not ours.is_over


async def test_a_position_that_does_not_exist(desk: Desk) -> None:
    assert "No such position" in str(await fails(desk, PositionNotConnected, position="mydesk"))


async def test_a_phone_that_is_not_started_asks_for_nothing() -> None:
    async with serve() as world, client(world) as ziwo:
        with pytest.raises(ClientClosed, match="not started"):
            await ziwo.eavesdrop("5555").__aenter__()
        assert not any(PATH in entry.text for entry in world.running().journal)


async def test_an_invite_that_does_not_come_in_time_and_comes_after_all(desk: Desk) -> None:
    desk.world.faults.next_http(200, body={"result": True, "content": {"callID": "late"}, "info": {}}, path=PATH)
    error = await fails(desk, EavesdropTimeout, answer_within=0.2)
    assert isinstance(error, EavesdropTimeout)
    assert (error.call_id, error.agent) == ("late", "5555")
    assert isinstance(error, TimeoutError)
    late = desk.world.running().commands.spy_on_agent(
        desk.world.agent("0011"), desk.world.agent("5555"), {}, call_id="late"
    )
    await within(_ended(late))
    assert late.state == "ended"
    assert [action for action, _ in desk.steps] == ["create", "give up"]


async def _ended(call: SimCall) -> None:
    while call.state != "ended":
        await asyncio.sleep(0.005)


async def test_an_answer_that_is_not_confirmed_in_time(desk: Desk) -> None:
    desk.world.faults.drop_next("verto.answer", executed=False)
    await fails(desk, EavesdropTimeout, answer_within=0.5)
    await within(_ended(desk.eavesdrop_call()))
    assert desk.steps[-1] == ("give up", "EavesdropTimeout")


async def test_the_far_end_ends_it_before_it_is_answered(desk: Desk) -> None:
    desk.world.faults.late_http(0.2, PATH)
    opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
    async with asyncio.timeout(PATIENCE):
        while not desk.ziwo.phone.calls:
            await asyncio.sleep(0.005)
    desk.world.faults.drop_next("verto.answer", executed=False)
    await asyncio.sleep(0.3)
    await desk.eavesdrop_call().hangs_up("NORMAL_CLEARING")
    with pytest.raises(CallEnded, match="by remote"):
        await within(opening)


async def test_what_can_never_work(desk: Desk) -> None:
    for arguments in ({"agent": " "}, {"whisper": "all"}, {"answer_within": 0}, {"answer_within": 61.0}):
        with pytest.raises(BadArgument):
            desk.ziwo.eavesdrop(**{"agent": "5555", **arguments})  # type: ignore[arg-type]
    session = desk.ziwo.eavesdrop("5555")
    with pytest.raises(BadArgument, match="has not begun"):
        _ = session.call
    async with session:
        pass
    with pytest.raises(BadArgument, match="begins only once"):
        await session.__aenter__()


async def test_the_spend_guard_is_asked() -> None:
    async with serve() as world, client(world, spend=SpendPolicy(dry_run=True)) as ziwo, ziwo.phone:
        with pytest.raises(SpendRefused):
            await ziwo.eavesdrop("5555").__aenter__()
        assert not any(PATH in entry.text for entry in world.running().journal)


async def test_our_cancel_while_it_is_asked_for_leaves_no_call_ringing(desk: Desk) -> None:
    desk.world.faults.late_http(0.3, PATH)
    opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
    async with asyncio.timeout(PATIENCE):
        while not desk.ziwo.phone.calls:
            await asyncio.sleep(0.005)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await within(_ended(desk.eavesdrop_call()))
    await desk.audited("give up")
    assert desk.steps == [("create", None), ("give up", "CancelledError")]


async def test_our_cancel_while_it_rings_leaves_no_call_ringing(desk: Desk) -> None:
    desk.world.faults.slow_server(0.3)
    opening = asyncio.create_task(desk.ziwo.eavesdrop("5555").__aenter__())
    await desk.audited("create")
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    desk.world.faults.slow_server(0.0)
    await within(_ended(desk.eavesdrop_call()))
    assert desk.steps == [("create", None), ("give up", "CancelledError")]


# --- while it lasts, and how it ends --------------------------------------------------------------------------------


async def test_it_outlives_the_agents_calls(desk: Desk) -> None:
    agent = desk.world.agent("5555")
    async with client_of(desk.world, "5555") as theirs, desk.ziwo.eavesdrop("5555") as session:
        for number in ("+97150000001", "+97150000002"):
            async with theirs.expect(Ringing, timeout=PATIENCE) as expected:
                call = await desk.world.customer(number).dials(agent)
            handle = theirs.phone.call(expected.event.call_id)
            assert handle is not None
            await within(handle.answer())
            await call.hangs_up()
            await call.reaches("ended")
            assert session.call.state is DialogState.ACTIVE


def client_of(world: ServedWorld, cc_login: str):
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened() -> AsyncIterator[ZiwoClient]:
        agent = world.agent(cc_login)
        async with ZiwoClient(api_url=world.api_url, username=agent.username, password=agent.password) as ziwo:
            await ziwo.phone.start()
            yield ziwo

    return opened()


async def test_the_far_end_ends_it(desk: Desk) -> None:
    async with desk.ziwo.eavesdrop("5555") as session:
        closing = asyncio.create_task(session.wait_closed())
        await desk.eavesdrop_call().hangs_up("NORMAL_CLEARING")
        last = await within(closing)
        assert last.current_call.hangup_by is HangupBy.REMOTE
        assert session.call.is_over
        with pytest.raises(NotFound):
            await session.whisper("both")
        assert session.heard_by == "none"
    await desk.audited("update")
    assert desk.steps == [("create", None), ("answer", None), ("end", None), ("update", "NotFound")]


async def test_its_events_are_its_own(desk: Desk) -> None:
    seen: list[Event] = []

    async def read(session) -> None:
        async for event in session.events():
            seen.append(event)

    async with desk.ziwo.eavesdrop("5555") as session:
        reading = asyncio.create_task(read(session))
        await desk.world.customer("+97150000000").dials(desk.world.agent("0011"))
        await within(session.call.hold())
    await within(reading)
    assert {event.call_id for event in seen} == {session.call.id}
    assert [event.state.value for event in seen if hasattr(event, "state")] == ["held", "hangup", "destroy"]
    assert [event async for event in session.events()] == []


async def test_a_lost_connection_is_made_again_and_the_session_goes_on(desk: Desk) -> None:
    async with desk.ziwo.eavesdrop("5555", whisper="agent") as session:
        async with desk.ziwo.expect(Active, where=lambda e: e.call_id == session.call.id, timeout=PATIENCE):
            await desk.world.faults.cut_phone_socket(desk.world.agent("0011"))
        assert session.call.direction is Direction.SERVICE
        await within(session.whisper("both"))
        assert desk.eavesdrop_call().whisper == "both"


async def test_a_cancelled_change_is_audited(desk: Desk) -> None:
    async with desk.ziwo.eavesdrop("5555") as session:
        desk.world.faults.late_http(0.5, f"/live/calls/eavesdrop/{session.call_id}")
        changing = asyncio.create_task(session.whisper("both"))
        await asyncio.sleep(0.1)
        changing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await changing
        update = await desk.audited("update")
        assert (update.error, update.whisper) == ("CancelledError", "both")


async def test_a_call_that_is_kept_on_the_server_does_not_hide_an_error(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ziwo_async.audit")

    async def use() -> None:
        async with desk.ziwo.eavesdrop("5555"):
            await within(desk.ziwo.phone.drain(5, calls="keep"))
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await use()
    assert desk.eavesdrop_call().state == "detached"
    assert steps_in(caplog) == ["create", "answer", "end"]
    assert "failed: ClientClosed" in caplog.text


def steps_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.name == "ziwo_async.audit"]
    return [line.split()[1] for line in lines if line.startswith("agent-")]


@pytest.mark.media
async def test_a_close_that_is_cancelled_still_waits_for_recordings(tmp_path: Path) -> None:
    async with serve(media=True) as world, client(world, media=AiortcMedia()) as ziwo:
        await within(ziwo.phone.start())
        for turns in (1, 2, 3, 5, 8):
            session = await within(ziwo.eavesdrop("5555").__aenter__())
            recording = await session.record(tmp_path / f"{turns}.wav")
            closing = asyncio.create_task(session.aclose())
            for _ in range(turns):
                await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await within(closing)
            assert recording.done
            assert recording.path.exists()


async def test_closing_the_client_ends_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ziwo_async.audit")
    session = await within(desk.ziwo.eavesdrop("5555").__aenter__())
    await within(desk.ziwo.aclose())
    assert session.call.is_over
    lines = [record.getMessage() for record in caplog.records if record.name == "ziwo_async.audit"]
    assert [line.split()[1] for line in lines] == ["create", "answer", "end"]
    await session.aclose()


async def test_an_audit_goes_through_json(desk: Desk) -> None:
    from ziwo_async import parse_event

    async with desk.ziwo.eavesdrop("5555"):
        pass
    end = await desk.audited("end")
    assert parse_event(end.model_dump_json(by_alias=True)) == end

"""Callbacks against the simulator, over real sockets. The clock is the tests' own."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ziwo_async.callback import CallbackService, SqliteCallbacks
from ziwo_async.errors import BadArgument, ConfigError, ExpectTimeout, SpendRefused
from ziwo_async.simulator.api import calls
from ziwo_async.spend import SpendPolicy


async def test_an_agent_is_rung_and_then_the_visitor(centre):
    visitor = centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    service = await centre.service("5555")
    asked = await service.request("+971 (0)5 000-0000")
    assert (asked.state, asked.contact, asked.over) == ("waiting", centre.VISITOR, False)
    done = await centre.over(service, asked.id)
    assert (done.state, done.reason, done.due_at) == ("connected", None, None)
    call = await visitor.is_called()
    assert done.call_id == call.id
    assert [(each.extension, each.outcome, each.agent_answered) for each in done.attempts] == [
        ("5555", "connected", True)
    ]
    assert call.state == "active"  # it is theirs now
    assert centre.dials() == ["5555"]
    assert await service.tick() is None
    assert await service.open() == []


async def test_a_talk_that_was_over_between_two_looks_is_known_by_the_history(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.0).hangs_up_after(0.0)
    await centre.phone("5555")
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR)
    await service.tick()
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    done = await centre.over(service, asked.id)
    assert done.state == "connected", done
    assert "talked" in done.why


async def test_agents_are_tried_in_order_with_a_pause_between(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555", "reject")
    await centre.phone("6666")
    service = await centre.service("0011", "5555", "6666", extension_delay=20)  # 0011 is not connected
    asked = await service.request(centre.VISITOR)
    waits = await centre.until(service, asked.id, lambda it: it.turn == 2)
    assert [(each.extension, each.outcome) for each in waits.attempts] == [("0011", "agent"), ("5555", "agent")]
    assert waits.due_at is not None
    assert waits.due_at - centre.clock() > 15
    await service.tick()
    assert centre.dials() == ["0011", "5555"]  # not yet
    done = await centre.over(service, asked.id, pace=1.0)
    assert done.state == "connected", done
    assert centre.dials() == ["0011", "5555", "6666"]


async def test_a_visitor_who_does_not_answer_is_called_again_so_often_and_no_more(centre):
    centre.world.customer(centre.VISITOR).will_reject(cause="USER_BUSY")
    await centre.phone("5555")
    service = await centre.service("5555", "6666", retries=2)
    asked = await service.request(centre.VISITOR)
    done = await centre.over(service, asked.id, pace=1.0)
    assert (done.state, done.reason, done.why) == ("failed", "no answer", "the visitor did not answer")
    assert [(each.round, each.extension, each.outcome) for each in done.attempts] == [
        (turn, "5555", "no answer") for turn in range(3)
    ]
    gaps = [b.began_at - a.ended_at for a, b in zip(done.attempts, done.attempts[1:], strict=False)]
    assert all(gap >= 20 for gap in gaps)
    assert centre.dials() == ["5555"] * 3


async def test_nobody_is_there(centre):
    service = await centre.service("5555", "6666", retries=1)
    asked = await service.request(centre.VISITOR)
    done = await centre.over(service, asked.id, pace=2.0)
    assert (done.state, done.reason) == ("failed", "no agent")
    assert centre.dials() == ["5555", "6666"] * 2
    assert centre.world.calls == []


async def test_busy_agents_are_waited_for_until_it_is_too_late(centre):
    await centre.phone("5555", "answer")
    other = await centre.world.customer("+97150000009").dials(centre.world.agent("5555"))
    await other.reaches("active")
    service = await centre.service("5555", expires_after=100, extension_delay=20)
    asked = await service.request(centre.VISITOR)
    waits = await centre.until(service, asked.id, lambda it: centre.clock() > it.requested_at + 80, pace=5.0)
    assert (waits.state, waits.why, waits.round) == ("waiting", "every agent is busy", 0)
    late = await service.request("+97150000002")
    done = await centre.over(service, asked.id, pace=5.0)
    assert (done.state, done.reason) == ("failed", "expired")
    assert centre.dials() == []
    await other.hangs_up()
    await other.reaches("ended")
    centre.world.customer("+97150000002").will(answer_after=0.05)
    assert (await centre.over(service, late.id, pace=1.0)).state == "connected"


async def test_one_agent_has_one_callback_at_a_time(centre):
    """Two at the same moment: both find the agent free, and one of them has to wait."""
    for number in ("+97150000001", "+97150000002"):
        centre.world.customer(number).will(answer_after=0.05).hangs_up_after(0.3)
    await centre.phone("5555")
    one, other = await centre.service("5555"), await centre.service("5555")
    first, second = await one.request("+97150000001"), await other.request("+97150000002")
    await asyncio.gather(one.tick(), other.tick())
    assert centre.dials() == ["5555"]
    assert (await centre.over(one, first.id, pace=1.0)).state == "connected"
    assert (await centre.over(other, second.id, pace=1.0)).state == "connected"
    assert centre.dials() == ["5555", "5555"]


async def test_two_processes_make_one_dial(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    services = [await centre.service("5555") for _ in range(4)]
    asked = await services[0].request(centre.VISITOR)
    for _ in range(5):
        await asyncio.gather(*(service.tick() for service in services))
        centre.clock.advance(0.3)
    assert (await centre.over(services[3], asked.id)).state == "connected"
    assert centre.dials() == ["5555"]


async def test_two_processes_that_find_an_agent_busy_pass_over_one(centre):
    for cc_login in ("5555", "6666"):
        await centre.phone(cc_login)
    other = await centre.world.customer("+97150000009").dials(centre.world.agent("5555"))
    await other.reaches("active")
    services = [await centre.service("5555", "6666", "0011") for _ in range(3)]
    asked = await services[0].request(centre.VISITOR)
    await asyncio.gather(*(service.tick() for service in services))
    passed = await services[0].get(asked.id)
    assert passed is not None
    assert (passed.extension, passed.why) == ("6666", "agent 5555 is busy")


# --- an answer that is lost -----------------------------------------------------------------------------------------


PATH = "/integrations/cti/agents/5555/call/+97150000000"


async def test_a_lost_answer_is_found_at_the_agent(centre, quick):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    service = await centre.service("5555", client=await centre.client(timeouts=quick))
    centre.world.faults.late_http(1.0, PATH)
    asked = await service.request(centre.VISITOR)
    checks = await centre.until(service, asked.id, lambda it: it.state == "checking")
    assert checks.call_id is None
    done = await centre.over(service, asked.id)
    assert done.state == "connected", done
    assert done.call_id == (await centre.world.customer(centre.VISITOR).is_called()).id
    assert centre.dials() == ["5555"]


async def test_a_lost_answer_is_found_in_the_history(centre, quick):
    """The visitor was busy: that is known for certain, and so the visitor may be called again."""
    visitor = centre.world.customer(centre.VISITOR).is_busy()
    await centre.phone("5555")
    service = await centre.service("5555", client=await centre.client(timeouts=quick), retries=1)
    centre.world.faults.late_http(1.0, PATH)
    asked = await service.request(centre.VISITOR)
    await centre.until(service, asked.id, lambda it: it.count == 1)
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    waits = await centre.until(service, asked.id, lambda it: it.state == "waiting")
    assert [(each.outcome, each.call_id) for each in waits.attempts] == [
        ("no answer", next(iter(centre.world.history)).call_id)
    ]
    centre.world.faults.late_http(0.0, PATH)
    visitor.will(answer_after=0.05)
    assert (await centre.over(service, asked.id, pace=1.0)).state == "connected"
    assert centre.dials() == ["5555", "5555"]


@pytest.mark.parametrize("told", ["click-1", "4711", "4711:3"])
async def test_the_history_may_have_another_id_than_the_click(centre, told):
    """Whether they are the same is not documented. Agent, number and time tell then."""
    agent = centre.world.agent("5555")
    await centre.phone("5555")
    service = await centre.service("5555")
    centre.world.faults.next_http(200, body={"result": True, "content": {"callID": told}}, path=PATH)
    asked = await service.request(centre.VISITOR)
    await service.tick()
    for _ in range(3):
        centre.clock.advance(3)
        await service.tick()
    rung = await service.get(asked.id)
    assert rung is not None
    assert (rung.state, rung.call_id) == ("calling", told)
    centre.world.history.add(customer=centre.VISITOR, agent=agent, direction="outbound", did=centre.VISITOR, talk=2)
    assert (await centre.over(service, asked.id)).state == "connected"


async def test_the_last_look_does_not_rely_on_how_the_server_compares_numbers(centre, quick, monkeypatch):
    centre.world.customer(centre.VISITOR).will(answer_after=0.0).hangs_up_after(0.0)
    await centre.phone("5555")
    service = await centre.service("5555", client=await centre.client(timeouts=quick))
    centre.world.faults.late_http(1.0, PATH)
    monkeypatch.setattr(calls, "same_number", lambda one, other: False)
    asked = await service.request(centre.VISITOR)
    await centre.until(service, asked.id, lambda it: it.count == 1)
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    late = await centre.until(service, asked.id, lambda it: centre.clock() > it.requested_at + 300, pace=15.0)
    assert late.state == "checking"
    assert (await centre.over(service, asked.id, pace=15.0)).state == "connected"


@pytest.mark.parametrize("status", [502, 503, 408, 200])
async def test_what_cannot_be_found_is_unclear_and_never_dialled_again(centre, status):
    """The server answers nonsense, and makes no call. Nobody can know that."""
    await centre.phone("5555")
    service = await centre.service("5555", "6666", resolve_within=120)
    centre.world.faults.next_http(status, path=PATH)
    asked = await service.request(centre.VISITOR)
    await service.tick()
    checks = await centre.until(service, asked.id, lambda it: centre.clock() > it.requested_at + 150, pace=10.0)
    assert checks.state == "checking"
    done = await centre.over(service, asked.id, pace=10.0)
    assert done.state == "unclear"
    assert "it is not known what became of the call by agent 5555" in done.why
    assert done.ended_at is not None
    assert 15 + 60 + 120 <= done.ended_at - done.requested_at <= 15 + 60 + 120 + 30
    assert centre.dials() == ["5555"]
    assert centre.world.calls == []


async def test_a_history_that_cannot_be_read_is_no_reason_to_dial_again(centre):
    centre.world.customer(centre.VISITOR).is_busy()
    await centre.phone("5555")
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR)
    await service.tick()
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    centre.world.faults.flaky_http(1, 503, "/callHistory/")
    done = await centre.over(service, asked.id, pace=20.0)
    assert done.state == "unclear"
    assert "HTTP 503" in done.why
    assert centre.dials() == ["5555"]


async def test_a_restart_long_after_still_looks_first(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.0).hangs_up_after(0.0)
    await centre.phone("5555")
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR)
    await service.tick()
    await service.aclose()
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    centre.clock.advance(7200)
    service = await centre.service("5555")
    await service.tick()
    done = await service.get(asked.id)
    assert done is not None
    assert done.state == "connected", done


async def test_a_phone_that_rings_on_is_waited_for(centre):
    """No route ends a call: the next agent is not rung while the first one could still pick up."""
    await centre.phone("5555", "nothing")
    await centre.phone("6666")
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    service = await centre.service("5555", "6666", extension_timeout=15, timeout=60, resolve_within=100)
    asked = await service.request(centre.VISITOR)
    late = await centre.until(service, asked.id, lambda it: centre.clock() > it.requested_at + 120, pace=5.0)
    assert (late.state, late.why) == ("calling", "ringing agent 5555")
    assert centre.dials() == ["5555"]
    (call,) = centre.world.calls
    await call.hangs_up()  # ZIWO has given up
    await call.reaches("ended")
    done = await centre.over(service, asked.id, pace=1.0)
    assert done.state == "connected", done
    assert centre.dials() == ["5555", "6666"]


async def test_a_phone_that_never_stops_ringing_is_unclear(centre):
    await centre.phone("5555", "nothing")
    service = await centre.service("5555", "6666", resolve_within=100)
    asked = await service.request(centre.VISITOR)
    done = await centre.over(service, asked.id, pace=5.0)
    assert done.state == "unclear"
    assert centre.dials() == ["5555"]


# --- what is refused before anything rings --------------------------------------------------------------------------


async def test_the_spend_policy_is_asked(centre):
    policy = SpendPolicy(allowed_prefixes=("+971",), calls_per_minute=1)
    await centre.phone("5555")
    service = await centre.service("5555", client=await centre.client(spend=policy))
    asked = await service.request("+1 900 555 0100")
    done = await centre.over(service, asked.id)
    assert (done.state, done.reason, done.attempts) == ("failed", "refused", ())
    centre.world.customer("+97150000001").will(answer_after=0.05).hangs_up_after(0.1)
    centre.world.customer("+97150000002").will(answer_after=0.05)
    assert (await centre.over(service, (await service.request("+97150000001")).id)).state == "connected"
    await centre.world.watch.until(lambda: len(centre.world.history) == 1 or None, 20, lambda: "no record")
    second = await service.request("+97150000002")
    waits = await centre.until(service, second.id, lambda it: "a minute" in it.why)
    assert (waits.state, waits.attempts) == ("waiting", ())  # nothing was sent, so it may be sent later
    assert centre.dials() == ["5555"]


@pytest.mark.parametrize("fault", ["key", "login", "server"])
async def test_trouble_before_the_dial_is_waited_out(centre, fault, caplog):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    client = await centre.client()
    key, rights = centre.world.cti_key, centre.world.agent("0011").rights
    if fault == "key":
        centre.world.cti_key = "another"
    elif fault == "login":
        centre.world.agent("0011").rights = set()
    else:
        centre.world.faults.flaky_http(1, 503)
    service = await centre.service("5555", client=client)
    asked = await service.request(centre.VISITOR)
    waits = await centre.until(service, asked.id, lambda it: it.why)
    assert (waits.state, waits.attempts) == ("waiting", ())
    assert any(record.levelno >= logging.WARNING for record in caplog.records)
    assert centre.dials() == []
    centre.world.cti_key, centre.world.agent("0011").rights = key, rights
    centre.world.faults.flaky_http(0)
    assert (await centre.over(service, asked.id, pace=5.0)).state == "connected"
    assert centre.dials() == ["5555"]


async def test_a_clock_that_is_set_back_holds_nobody_up(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    centre.clock.advance(7200)
    centre.world.faults.flaky_http(1, 503)
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR)
    await centre.until(service, asked.id, lambda it: it.why)
    centre.world.faults.flaky_http(0)
    centre.clock.advance(-7200)
    await service.tick()
    dialled = await service.get(asked.id)
    assert dialled is not None
    assert dialled.count == 1
    assert (await centre.over(service, asked.id)).state == "connected"
    assert centre.dials() == ["5555"]


async def test_a_dial_that_could_not_leave_is_made_later(centre):
    """The api_key is changed between the look and the dial: ZIWO refuses it, so nothing was done."""
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    service = await centre.service("5555")
    centre.world.faults.next_http(401, body={"result": False, "error": {"message": "no"}}, path=PATH)
    asked = await service.request(centre.VISITOR)
    waits = await centre.until(service, asked.id, lambda it: it.count == 1 and it.state == "waiting")
    assert waits.attempts == ()
    assert (await centre.over(service, asked.id, pace=5.0)).state == "connected"


# --- requests -------------------------------------------------------------------------------------------------------


async def test_the_same_request_twice_is_one(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    service = await centre.service("5555")
    asked = await asyncio.gather(*(service.request(centre.VISITOR, key="form-1") for _ in range(20)))
    assert len({each.id for each in asked}) == 1
    again = await service.request("00971 5 000 0000", key="form-2")  # the number has one under way
    assert again.id == asked[0].id
    done = await centre.over(service, again.id)
    for key in ("form-1", "form-2"):
        assert await service.request(centre.VISITOR, key=key) == done
    with pytest.raises(BadArgument, match="another number"):
        await service.request("+97150000001", key="form-1")
    assert (await service.request(centre.VISITOR)).id != done.id
    assert centre.dials() == ["5555"]


async def test_one_number_asks_so_often_and_no_more(centre):
    service = await centre.service("5555", per_contact=2)
    for _ in range(2):
        asked = await service.request(centre.VISITOR)
        await service.cancel(asked.id)
        centre.clock.advance(600)
    with pytest.raises(SpendRefused) as refused:
        await service.request("00971-50000000")
    assert refused.value.reason == "rate"
    assert refused.value.retry_after == pytest.approx(2400, abs=60)
    await service.request("+97150000001")
    centre.clock.advance(2460)
    await service.request(centre.VISITOR)


async def test_so_many_are_under_way_and_no_more(centre):
    service = await centre.service("5555", most_open=2)
    for number in ("+97150000001", "+97150000002"):
        await service.request(number)
    with pytest.raises(SpendRefused, match="under way"):
        await service.request("+97150000003")


async def test_cancelled_before_and_during_a_call(centre):
    await centre.phone("5555", "nothing")
    service = await centre.service("5555", "6666")
    asked = await service.request(centre.VISITOR)
    gone = await service.cancel(asked.id)
    assert gone is not None
    assert gone.state == "cancelled"
    await service.tick()
    assert centre.dials() == []
    asked = await service.request(centre.VISITOR)
    await centre.until(service, asked.id, lambda it: it.state == "calling")
    stopped = await service.cancel(asked.id)
    assert stopped is not None
    assert (stopped.state, stopped.stop) == ("calling", True)
    (call,) = centre.world.calls
    await call.hangs_up()
    assert (await centre.over(service, asked.id)).state == "cancelled"
    assert centre.dials() == ["5555"]
    assert await service.cancel("nobody") is None


# --- running by itself ----------------------------------------------------------------------------------------------


async def test_it_runs_by_itself(centre):
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    ziwo, store = await centre.client(), SqliteCallbacks(centre.path)
    async with CallbackService(ziwo, ["5555"], store=store, every=0.05) as service:
        asked = await service.request(centre.VISITOR)
        done = await service.wait(asked.id, timeout=30)
        assert done.state == "connected", done
        with pytest.raises(BadArgument):
            await service.wait("nobody", timeout=30)
        with pytest.raises(ConfigError):
            await service.__aenter__()
        assert "5555" in repr(service)
        assert centre.VISITOR not in repr(service)
    store.close()


async def test_waiting_has_an_end(centre):
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR)
    with pytest.raises(ExpectTimeout, match="not over"):
        await service.wait(asked.id, timeout=0.01)


async def test_closing_lets_an_answer_come_and_no_number_is_logged(centre, caplog):
    caplog.set_level(logging.DEBUG, "ziwo_async.callback")
    centre.world.customer(centre.VISITOR).will(answer_after=0.05)
    await centre.phone("5555")
    centre.world.faults.late_http(0.5, PATH)
    ziwo, store = await centre.client(), SqliteCallbacks(centre.path)
    async with CallbackService(ziwo, ["5555"], store=store) as service:
        asked = await service.request(centre.VISITOR)
        await centre.world.watch.until(lambda: bool(centre.world.calls) or None, 20, lambda: "no call")
    placed = await store.get(asked.id)
    assert placed is not None
    assert placed.state == "calling"
    assert placed.call_id == centre.world.calls[0].primary_call_id
    store.close()
    ours = [record.getMessage() for record in caplog.records if record.name == "ziwo_async.callback"]
    assert ours
    assert not any("97150000000" in line for line in ours)


async def test_a_dial_function_of_ones_own(centre, caplog):
    asked_for: list[tuple[str, str, str | None]] = []

    async def dial(extension: str, contact: str, caller_id: str | None) -> str:
        asked_for.append((extension, contact, caller_id))
        raise RuntimeError("a bug in it")

    service = await centre.service("5555", dial=dial, caller_id="+971 4 400 0000", resolve_within=30)
    asked = await service.request(centre.VISITOR)
    await service.tick()
    assert any("unexpected" in record.getMessage() for record in caplog.records)
    caplog.clear()
    done = await centre.over(service, asked.id, pace=10.0)
    assert done.state == "unclear"  # what it did before it failed, nobody knows
    assert asked_for == [("5555", centre.VISITOR, "+97144000000")]


async def test_a_number_that_a_dial_function_refuses(centre):
    async def dial(extension: str, contact: str, caller_id: str | None) -> str:
        raise BadArgument("not in this country")

    service = await centre.service("5555", dial=dial)
    asked = await service.request(centre.VISITOR)
    done = await centre.over(service, asked.id)
    assert (done.state, done.reason, done.why) == ("failed", "refused", "not in this country")


async def test_a_file_that_cannot_be_used_is_told_and_tried_again(centre, caplog):
    centre.path.write_text("no SQLite file, and longer than its header would be: " + "x" * 200)
    centre.path.chmod(0o600)
    service = await centre.service("5555")
    async with service:
        assert service.running
        await centre.until_true(lambda: any("cannot be used" in record.getMessage() for record in caplog.records))
        with pytest.raises(ConfigError):
            await service.request(centre.VISITOR)
        centre.path.unlink()
        asked = await service.request(centre.VISITOR)
        await centre.until_true(centre.dials)  # by itself, some seconds later
        assert asked.state == "waiting"
    assert not service.running

"""The connection is lost: what is told, what is kept, and how the phone comes back."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket

import pytest

from ziwo_async import (
    BadCredentials,
    ConnectionLost,
    Destroy,
    DialogState,
    DuplicateSession,
    Hangup,
    HangupBy,
    Liveness,
    LoginBlocked,
    Phone,
    ReconnectPolicy,
    RequestTimeout,
    Ringing,
    SessionClosed,
    SessionLost,
    SessionReady,
    SessionRestored,
    SessionTakenOver,
    UnknownFrame,
)
from ziwo_async.dispatch.backoff import Backoff
from ziwo_async.phone.account import Account
from ziwo_async.simulator import Simulator

from .kit import (
    AGAIN_AT_ONCE,
    CUSTOMER,
    QUICK_SERVER,
    Desk,
    Line,
    Rogue,
    Rogues,
    account_of,
    hasty,
    ready_then_rest,
    until,
    within,
)

NEVER = ReconnectPolicy(base=60.0, cap=60.0)


class Longest(random.Random):
    """Jitter that always waits as long as it may."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
async def phone(desk: Desk) -> Phone:
    made = desk.phone()
    await made.start()
    return made


# -- lost and restored ------------------------------------------------------------------------------------------


async def test_losses_and_restorations_alternate_and_the_session_id_stays(desk: Desk, phone: Phone) -> None:
    for turn in range(1, 6):
        await desk.sim.faults.cut_phone_socket(desk.agent)
        restored = await desk.seen.wait(SessionRestored, count=turn)
        assert restored.gap_seconds >= 0
        assert phone.ready
    assert desk.seen.session() == ["SessionReady", *["SessionLost", "SessionRestored"] * 5]
    logins = [json.loads(text) for text in desk.sim.journal.frames("in") if '"method":"login"' in text]
    assert len({login["params"]["sessid"] for login in logins}) == 1
    assert len(logins) == 6


async def test_after_a_close_by_the_server_the_close_code_is_told(desk: Desk, phone: Phone) -> None:
    await desk.sim.faults.close_phone_socket(desk.agent)
    lost = await desk.seen.wait(SessionLost)
    assert lost.close_code == 1000
    assert "code 1000" in lost.reason
    await desk.seen.wait(SessionRestored)


async def test_an_answered_call_is_attached_again(desk: Desk, phone: Phone) -> None:
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost) == ((call.id,), ())
    await until(lambda: call.state is DialogState.ACTIVE)
    assert desk.seen.words(call.id) == ["ringing", "answering", "active", "recovering", "active"]
    assert phone.call(call.id) is call
    await there.reaches("active")
    await within(call.hold())
    await within(call.hangup())
    assert there.state == "ended"


async def test_an_outbound_call_keeps_its_direction_and_number_when_attached_again(desk: Desk, phone: Phone) -> None:
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("active", 5)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await until(lambda: desk.seen.words(call.id)[-2:] == ["recovering", "active"])
    assert (call.direction, call.customer_number) == ("outbound", CUSTOMER)


async def test_a_held_call_stays_held(desk: Desk, phone: Phone) -> None:
    there, call = await desk.talks(phone)
    await within(call.hold())
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await until(lambda: desk.seen.words(call.id)[-2:] == ["recovering", "held"])
    assert (call.state, there.state) == (DialogState.HELD, "held")


async def test_a_call_that_was_not_answered_is_gone_once(desk: Desk, phone: Phone) -> None:
    _, ringing = await desk.rings(phone)
    desk.customer.never_answers(early_media=True)
    early = await within(phone.dial(CUSTOMER))
    await early.wait_for("early", 5)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    for call in (ringing, early):
        assert call.is_over
        assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]
        assert desk.seen.words(call.id).count("destroy") == 1
        hangup = await call.wait_for(Hangup)
        assert hangup.by is HangupBy.LOST
    assert phone.calls == ()


async def test_a_call_that_ended_in_the_gap_is_told_lost(desk: Desk) -> None:
    desk_gate = asyncio.Event()
    phone = desk.phone_that_waits(desk_gate)
    await phone.start()
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    assert not call.is_over
    with pytest.raises(ConnectionLost, match="reconnects by itself"):
        await call.hold()
    await there.hangs_up()
    desk_gate.set()
    restored = await desk.seen.wait(SessionRestored)
    assert restored.lost == (call.id,)
    assert (await call.wait_for(Destroy)).by is HangupBy.LOST
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_a_hangup_while_offline_is_said_after_the_reconnect(desk: Desk) -> None:
    gate = asyncio.Event()
    phone = desk.phone_that_waits(gate)
    await phone.start()
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await within(call.hangup())
    assert call.is_over
    assert there.state == "detached"
    gate.set()
    await there.reaches("ended")
    await desk.seen.wait(SessionRestored)
    assert desk.seen.words(call.id) == ["ringing", "answering", "active", "hangup", "destroy"]


async def test_pending_requests_fail_at_once_with_connection_lost(desk: Desk) -> None:
    phone = desk.phone(reconnect=NEVER)
    await phone.start()
    _, call = await desk.talks(phone)
    desk.sim.faults.drop_next("verto.modify", executed=False)
    desk.sim.faults.drop_next("verto.ping", executed=False)
    holding = asyncio.create_task(call.hold())
    pinging = asyncio.create_task(phone.request("verto.ping"))
    await until(lambda: phone._core.open_requests == 2)
    await until(lambda: desk.frames("verto.ping"))
    await desk.sim.faults.cut_phone_socket(desk.agent)
    for task, method in ((holding, "verto.modify"), (pinging, "verto.ping")):
        with pytest.raises(ConnectionLost, match=method):
            await within(task)
    assert phone._core.open_requests == 0
    assert not call.is_over


async def test_a_hangup_that_waits_when_the_connection_goes_ends_the_call(desk: Desk) -> None:
    phone = desk.phone(reconnect=NEVER)
    await phone.start()
    _, call = await desk.talks(phone)
    desk.sim.faults.drop_next("verto.bye", executed=False)
    task = asyncio.create_task(call.hangup())
    await until(lambda: desk.frames("verto.bye"))
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await within(task)
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_a_request_has_a_time_limit_and_its_late_reply_is_harmless(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    desk.sim.faults.delay_replies(0.06)
    hasty(phone, verto_request=0.02)
    with pytest.raises(RequestTimeout, match=f"did not answer verto.modify of call {call.id} within 0.02 s"):
        await call.hold()
    with pytest.raises(RequestTimeout, match=r"verto\.ping within"):
        await phone.request("verto.ping")
    # The late reply of the hold still moves the call it is about; neither is told as unknown.
    await until(lambda: call.state is DialogState.HELD)
    desk.sim.faults.delay_replies(0)
    hasty(phone, verto_request=10.0)
    await within(phone.request("verto.subscribe", {"eventChannel": "presence"}))
    assert desk.seen.of(UnknownFrame) == []
    await until(lambda: not phone._core.session.open_requests)


async def test_a_dial_without_an_answer_is_hung_up_behind(desk: Desk) -> None:
    desk.customer.never_answers()
    phone = desk.phone()
    await phone.start()
    hasty(phone, verto_request=0.02)
    desk.sim.faults.drop_next("verto.invite")
    with pytest.raises(RequestTimeout, match=r"verto\.invite"):
        await phone.dial(CUSTOMER)
    there = await desk.customer.is_called()
    await there.reaches("ended")
    await until(lambda: not phone.calls)


# -- a server that comes and goes ---------------------------------------------------------------------------------


async def test_a_server_that_restarts_is_found_again(desk: Desk) -> None:
    port = 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    from ziwo_async.simulator import World

    first = Simulator(World(), verto_port=port, options=QUICK_SERVER)
    async with first:
        phone = desk.phone(url=f"ws://127.0.0.1:{port}")
        account = account_of(first.world.agent("5555"), f"ws://127.0.0.1:{port}")
        phone._account = lambda fresh: _give(account)
        await phone.start()
        there = await first.world.customer(CUSTOMER).dials(first.world.agent("5555"))
        await desk.seen.wait(Ringing)
        call = phone.call(there.id)
        assert call is not None
        await within(call.answer())
    await desk.seen.wait(SessionLost)
    async with Simulator(World(), verto_port=port, options=QUICK_SERVER):
        restored = await desk.seen.wait(SessionRestored)
        assert restored.lost == (call.id,)
        assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]
        assert phone.ready
        await within(phone.aclose())


async def _give(account: Account) -> Account:
    return account


async def test_a_token_that_expired_meanwhile_is_renewed(desk: Desk) -> None:
    client = desk.client()
    await client.phone.start()
    desk.sim.faults.expire_tokens()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert (await client.session.profile()).cc_login == "5555"


async def test_an_autologin_that_fails_after_a_reconnect_is_a_warning(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    client = desk.client()
    await client.phone.start()
    answer = {"result": False, "error": {"message": "no"}}
    desk.sim.faults.next_http(403, body=answer, path="/agents/autologin", times=3)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert "could not be reported as connected" in caplog.text
    assert client.phone.ready


async def test_a_connection_lost_while_the_position_is_reported_is_not_announced(desk: Desk) -> None:
    lost_once = False

    async def on_ready() -> None:
        nonlocal lost_once
        if desk.seen.of(SessionLost) and not lost_once:
            lost_once = True
            await desk.sim.faults.cut_phone_socket(desk.agent)
            await until(lambda: not phone.ready)

    phone = desk.phone(on_ready=on_ready)
    await phone.start()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert lost_once
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionRestored"]


async def test_a_refusal_after_a_reconnect_asks_for_a_fresh_account_and_is_final_at_the_third(desk: Desk) -> None:
    asked: list[bool] = []
    right = account_of(desk.agent, desk.sim.verto_url)
    wrong = Account(login=right.login, password_hash="0" * 32, url=right.url)

    async def provider(fresh: bool) -> Account:
        asked.append(fresh)
        return wrong if len(asked) > 1 else right

    phone = desk.phone_by(provider)
    await phone.start()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    with pytest.raises(BadCredentials):
        await within(phone.wait_closed())
    assert asked == [False, False, True, True]
    assert desk.seen.of(SessionClosed)[0].error == "BadCredentials"
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionClosed"]


async def test_one_refusal_after_a_reconnect_is_tried_again_with_a_fresh_account(desk: Desk, phone: Phone) -> None:
    desk.sim.faults.fail_next("login", -32001, "Authentication Failure")
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert phone.ready


async def test_our_own_old_socket_counts_as_a_duplicate_for_a_moment_only(desk: Desk, phone: Phone) -> None:
    desk.sim.faults.fail_next("login", -32003, "Duplicate Session")
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    logins = [text for text in desk.sim.journal.frames("in") if '"method":"login"' in text]
    assert len(logins) == 3
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionRestored"]


async def test_after_max_attempts_the_phone_gives_up(desk: Desk) -> None:
    phone = desk.phone(reconnect=ReconnectPolicy(base=0.001, cap=0.002, max_attempts=3))
    await phone.start()
    desk.sim.faults.refuse_connections()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    with pytest.raises(ConnectionLost, match="gave up after 3 attempts"):
        await within(phone.wait_closed())
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionClosed"]


async def test_transport_errors_are_retried_until_the_server_is_back(
    desk: Desk, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ziwo_async.phone")
    desk.sim.faults.refuse_connections()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await until(lambda: caplog.text.count("the phone cannot log in") >= 5)
    desk.sim.faults.refuse_connections(False)
    await desk.seen.wait(SessionRestored)
    assert desk.seen.session() == ["SessionReady", "SessionLost", "SessionRestored"]
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1


# -- taken over --------------------------------------------------------------------------------------------------


async def test_a_session_that_another_client_took_is_not_fought_for(desk: Desk) -> None:
    sessid = "5a1c0e1e-0000-4000-8000-000000000002"
    first, second = desk.phone(session_id=sessid), desk.phone(session_id=sessid)
    await first.start()
    _, call = await desk.talks(first)
    await second.start()
    with pytest.raises(SessionTakenOver, match="another client logged in with the session of agent-5555"):
        await within(first.wait_closed())
    closed = desk.seen.of(SessionClosed)
    assert [event.error for event in closed] == ["SessionTakenOver"]
    assert desk.seen.of(SessionLost) == []
    assert call.is_over
    with pytest.raises(Exception, match="the phone is closed: another client"):
        await first.dial(CUSTOMER)
    logins = [text for text in desk.sim.journal.frames("in") if '"method":"login"' in text]
    assert len(logins) == 2
    # The one who took it goes on with the call.
    there = second.call(call.id)
    assert there is not None
    await until(lambda: there.state is DialogState.ACTIVE)
    assert second.ready


async def test_a_punt_during_a_login_after_a_loss_is_final(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        if len(rogue.lines) == 1:
            await line.log_in()
            line.cut()
        else:
            await line.next()
            await line.send(id=1, method="verto.punt", params={})
            await line.socket.close()

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    with pytest.raises(SessionTakenOver):
        await within(phone.wait_closed())
    assert len(server.lines) == 2


# -- back-off ------------------------------------------------------------------------------------------------------


def test_the_back_off_doubles_its_window_up_to_the_cap_and_jitters_inside_it() -> None:
    policy = ReconnectPolicy(base=0.5, cap=30.0, stable_after=30.0)
    longest = Backoff(policy, Longest())
    assert [longest.next(None) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    seeded = Backoff(policy, random.Random(7))
    delays = [seeded.next(None) for _ in range(200)]
    assert all(0 <= delay <= 30 for delay in delays)
    assert min(delays[6:]) < 3
    assert max(delays[6:]) > 27
    assert [Backoff(policy, random.Random(7)).next(None) for _ in range(3)] == [delays[0]] * 3


def test_only_a_session_that_stayed_ready_resets_the_back_off() -> None:
    backoff = Backoff(ReconnectPolicy(base=1.0, cap=30.0, stable_after=30.0), Longest())
    assert [backoff.next(0.1), backoff.next(29.9), backoff.next(None)] == [1, 2, 4]
    assert backoff.next(30.0) == 1
    assert backoff.next(5.0) == 2


def test_attempts_in_vain_are_forgotten_once_a_session_has_stood() -> None:
    backoff = Backoff(ReconnectPolicy(max_attempts=2, stable_after=30.0), Longest())
    backoff.next(None)
    assert not backoff.exhausted(None)
    backoff.next(None)
    assert backoff.exhausted(29.9)
    assert not backoff.exhausted(30.0)


def test_the_back_off_does_not_overflow_after_days() -> None:
    backoff = Backoff(ReconnectPolicy(), Longest())
    assert [backoff.next(None) for _ in range(5000)][-1] == 30.0


async def test_a_server_that_accepts_and_closes_at_once_is_not_hammered(desk: Desk, rogue: Rogues) -> None:
    waited: list[float] = []

    class Noted(random.Random):
        def uniform(self, a: float, b: float) -> float:
            waited.append(b)
            return b / 1000

    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        if len(rogue.lines) < 10:
            await line.socket.close()

    server = await rogue(script)
    phone = desk.phone(url=server.url, reconnect=ReconnectPolicy(base=0.5, cap=30.0), rng=Noted())
    await phone.start()
    await until(lambda: len(server.lines) == 10 and phone.ready)
    assert waited == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    await within(phone.aclose())


async def test_a_server_that_accepts_and_closes_gets_few_connections(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        await line.socket.close()

    server = await rogue(script)
    policy = ReconnectPolicy(base=0.02, cap=10.0, max_attempts=4)
    phone = desk.phone(url=server.url, reconnect=policy, rng=Longest())
    await phone.start()
    with pytest.raises(ConnectionLost, match="gave up after 4 attempts"):
        await within(phone.wait_closed())
    assert len(server.lines) == 5


# -- signs of life -------------------------------------------------------------------------------------------------

ALERT = Liveness(silence=0.03, reply=0.03)


async def test_a_half_open_socket_is_noticed_and_replaced(desk: Desk) -> None:
    phone = desk.phone(liveness=ALERT)
    await phone.start()
    await desk.sim.faults.half_open(desk.agent)
    lost = await desk.seen.wait(SessionLost)
    assert lost.reason == "no sign of life from the server for 0.06 s"
    await desk.seen.wait(SessionRestored)


async def test_a_silent_but_living_server_is_asked_and_kept(desk: Desk) -> None:
    phone = desk.phone(liveness=Liveness(silence=0.01, reply=2))
    await phone.start()
    await until(lambda: len(desk.frames("verto.ping")) >= 4)
    assert desk.seen.session() == ["SessionReady"]
    assert phone.ready


async def test_a_ping_that_is_refused_is_a_sign_of_life(desk: Desk, rogue: Rogues) -> None:
    server = await rogue(ready_then_rest)
    phone = desk.phone(url=server.url, liveness=Liveness(silence=0.01, reply=2))
    await phone.start()
    line = server.lines[0]
    line.replies_to["verto.ping"] = lambda request: {"error": {"code": -32601, "message": "Invalid Method"}}
    await until(lambda: len(line.frames) >= 4)
    assert desk.seen.session() == ["SessionReady"]
    await within(phone.aclose())


async def test_anything_the_server_says_is_a_sign_of_life_even_when_the_ping_is_not_answered(
    desk: Desk, rogue: Rogues
) -> None:
    server = await rogue(ready_then_rest)
    phone = desk.phone(url=server.url, liveness=Liveness(silence=0.03, reply=0.03))
    await phone.start()
    line = server.lines[0]
    line.replies_to["verto.ping"] = lambda request: None
    for number in range(20):
        await line.send(id=number, method="verto.ping", params={"serno": number})
        await asyncio.sleep(0.01)
    assert desk.seen.session() == ["SessionReady"]
    await within(phone.aclose())


async def test_websocket_pings_are_never_sent(desk: Desk, rogue: Rogues, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "websockets.server")
    server = await rogue(ready_then_rest)
    phone = desk.phone(url=server.url, liveness=Liveness(silence=0.01, reply=2))
    await phone.start()
    await until(lambda: len(server.lines[0].frames) >= 4)
    await within(phone.aclose())
    said = [record.getMessage() for record in caplog.records if record.name == "websockets.server"]
    assert any("< TEXT" in text for text in said)
    assert not [text for text in said if "PING" in text or "PONG" in text]


async def test_no_extension_and_no_sub_protocol_is_offered(desk: Desk, rogue: Rogues) -> None:
    server = await rogue(ready_then_rest)
    phone = desk.phone(url=server.url)
    await phone.start()
    request = server.lines[0].socket.request
    assert request is not None
    assert "Sec-WebSocket-Extensions" not in request.headers
    assert "Sec-WebSocket-Protocol" not in request.headers
    await within(phone.aclose())


async def test_a_persistent_duplicate_after_a_loss_is_told_and_tried_again_on_the_slow_schedule(
    desk: Desk, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ziwo_async.phone.signin._OWN_DUPLICATE", (0.001, 0.001, 0.001, 0.001))
    for _ in range(12):
        desk.sim.faults.fail_next("login", -32003, "Duplicate Session")
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    # Five tries on each of two sockets, two on the third.
    blocked = desk.seen.of(LoginBlocked)
    assert [event.attempt for event in blocked] == [1, 2]
    assert blocked[0].retry_seconds < blocked[1].retry_seconds
    assert desk.seen.session() == ["SessionReady", "SessionLost", "LoginBlocked", "LoginBlocked", "SessionRestored"]
    assert DuplicateSession.retryable
    assert AGAIN_AT_ONCE.max_attempts is None
    assert isinstance(desk.seen.events[0], SessionReady)

"""Frames no server should send: each is one event at most, and the session lives on."""

from __future__ import annotations

import json

import pytest

from ziwo_async import (
    BadFrame,
    ConnectionLost,
    DialogState,
    FlowViolation,
    Phone,
    SessionLost,
    SessionRestored,
    UnknownFrame,
    VertoError,
)

from .kit import CUSTOMER, Desk, Line, Rogue, Rogues, ready_then_rest, until, within

DEEP = '{"jsonrpc":"2.0","id":1,"method":"verto.send","params":' + '{"a":' * 250 + "1" + "}" * 250 + "}"
DEEPER = "[" * 100_000
LARGE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "verto.send", "params": {"data": {"x": "a" * 1_048_576}}})


@pytest.fixture
async def phone(desk: Desk) -> Phone:
    made = desk.phone()
    await made.start()
    return made


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("#SPU 1000", "not JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.send","params":{"data":{"x":NaN}}}', "not JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"s":"\\ud800"}}', "not JSON"),
        (DEEP, ""),
        (DEEPER, ""),
        (LARGE, "too large"),
        ("null", "not a JSON object"),
        ("17", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("{}", "not JSON-RPC 2.0"),
        ('{"jsonrpc":"1.0","id":1,"method":"verto.bye","params":{}}', "not JSON-RPC 2.0"),
        ('{"jsonrpc":"2.0","id":1}', "neither method nor result nor error"),
        ('{"jsonrpc":"2.0","id":[1],"method":"x"}', "the id is neither"),
        ('{"jsonrpc":"2.0","id":1,"method":7}', "the method is not a string"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.bye","params":[]}', "the params are not an object"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.nonsense","params":{"a":1}}', "unknown method"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.invite"}', "callID"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.invite","params":{"callID":7}}', "callID"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.bye","params":{}}', "callID"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.bye","params":{"callID":"none"}}', "for a call we do not have"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.media","params":{"callID":"none"}}', "for a call we do not have"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.answer","params":{"callID":"none"}}', "for a call we do not have"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.display","params":{"callID":"none"}}', "for a call we do not have"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.dial","params":{"number":"1"}}', "uuid"),
        ('{"jsonrpc":"2.0","id":1,"method":"verto.event","params":{}}', "not used by ZIWO"),
        ('{"jsonrpc":"2.0","id":99999,"result":{"message":"?"}}', "a reply to no request of ours"),
        ('{"jsonrpc":"2.0","id":"abc","result":{}}', "a reply to no request of ours"),
        ('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}', "for no request of ours"),
        ("[]", None),
    ],
    ids=lambda value: None if value is None else str(value)[:40],
)
async def test_what_makes_no_sense_is_told_and_the_session_lives_on(
    desk: Desk, phone: Phone, raw: str, reason: str | None
) -> None:
    _, call = await desk.talks(phone)
    await desk.sim.faults.inject(desk.agent, raw)
    if reason is not None:
        unknown = await desk.seen.wait(UnknownFrame)
        assert reason in unknown.reason
        assert len(unknown.text) <= 2_000
    await within(call.hold())
    await within(call.hangup())
    assert desk.seen.words(call.id) == ["ringing", "answering", "active", "held", "hangup", "destroy"]
    assert len(desk.seen.of(UnknownFrame)) == (reason is not None)
    assert desk.seen.session().count("SessionLost") == 0


async def test_a_binary_frame_is_read_like_text(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        await line.raw(b'{"jsonrpc":"2.0","id":3,"method":"verto.nonsense","params":{}}')
        await line.raw(b"\xff\xfe\x00")
        await line.raw(b'"\xed\xa0\x80"')

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    await desk.seen.wait(UnknownFrame, count=3)
    reasons = [event.reason for event in desk.seen.of(UnknownFrame)]
    assert reasons[0] == "unknown method"
    assert all(reason.startswith("not JSON") for reason in reasons[1:])
    assert phone.ready
    await within(phone.aclose())


async def test_text_that_is_no_utf8_costs_the_connection_and_the_phone_comes_back(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        if len(rogue.lines) == 1:
            await line.socket.send(b"\xed\xa0\x80", text=True)

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    # Read without decoding, so that not even this is a reason to lose the session; either is fine, a hang is not.
    await until(lambda: desk.seen.of(UnknownFrame) or desk.seen.of(SessionRestored))
    await within(phone.aclose())


async def test_a_batch_is_taken_apart(desk: Desk, phone: Phone) -> None:
    there, call = await desk.talks(phone)
    frames = [
        {"jsonrpc": "2.0", "id": 1, "method": "verto.nonsense", "params": {}},
        7,
        {"jsonrpc": "2.0", "id": 2, "method": "verto.bye", "params": {"callID": there.id, "cause": "USER_BUSY"}},
    ]
    await desk.sim.faults.inject(desk.agent, json.dumps(frames))
    ended = await call.wait_for("hangup", 5)
    assert ended.current_call.hangup_cause == "USER_BUSY"
    assert [event.reason for event in desk.seen.of(UnknownFrame)] == ["unknown method", "not a JSON object"]


async def test_a_message_over_the_hard_limit_ends_the_socket_and_the_phone_comes_back(
    desk: Desk, rogue: Rogues
) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        if len(rogue.lines) == 1:
            await line.raw("x" * (8 * 1_048_576 + 1))

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    lost = await desk.seen.wait(SessionLost)
    assert "1009" in lost.reason
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())


async def test_a_violation_of_the_flow_is_told_and_the_call_goes_on(desk: Desk) -> None:
    phone = desk.phone(strict_flows=False)
    await phone.start()
    _, call = await desk.rings(phone)
    await desk.inject(method="verto.media", params={"callID": call.id, "sdp": "v=0"})
    violation = await desk.seen.wait(FlowViolation)
    assert (violation.call_id, violation.state) == (call.id, DialogState.RINGING)
    await within(call.answer())
    assert desk.seen.words(call.id) == ["ringing", "answering", "active"]


async def test_with_strict_flows_a_violation_closes_the_phone_with_an_error(desk: Desk) -> None:
    from ziwo_async import FlowBroken, SessionClosed

    phone = desk.phone(strict_flows=True)
    await phone.start()
    _, call = await desk.rings(phone)
    await desk.inject(method="verto.media", params={"callID": call.id, "sdp": "v=0"})
    with pytest.raises(FlowBroken, match=f"call {call.id}: verto.media in state 'ringing'"):
        await within(phone.wait_closed())
    assert desk.seen.of(SessionClosed)[0].error == "FlowBroken"
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


async def test_a_request_that_the_server_refuses_is_one_error_and_nothing_more(desk: Desk, phone: Phone) -> None:
    with pytest.raises(VertoError, match=r"verto.nonsense was refused by the server: Invalid Method") as caught:
        await within(phone.request("verto.nonsense"))
    assert (caught.value.code, caught.value.method) == (-32601, "verto.nonsense")
    with pytest.raises(BadFrame, match="cannot be written as JSON"):
        await phone.request("verto.send", {"x": float("nan")})
    with pytest.raises(BadFrame, match="closes the socket"):
        await phone.request("verto.send", {"x": "a" * 1_000_000})
    assert phone.ready
    assert phone._core.open_requests == 0


async def test_a_number_that_no_frame_can_hold_is_an_error_and_leaves_nothing(desk: Desk, phone: Phone) -> None:
    for variables in ({"x": "\ud800"}, {"x": "a" * 1_000_000}):
        with pytest.raises(BadFrame):
            await within(phone.dial(CUSTOMER, variables=variables))
    assert phone.calls == ()
    assert not phone._core.media._entries
    assert phone.ready


async def test_replies_of_every_odd_shape_are_no_crash(desk: Desk, rogue: Rogues) -> None:
    odd = [
        {"result": None}, {"result": []}, {"result": "yes"}, {"error": None}, {"error": "no"}, {"error": []},
        {"error": {"code": "x", "message": 7}},
    ]  # fmt: skip
    left = list(odd)
    server = await rogue(ready_then_rest)
    phone = desk.phone(url=server.url)
    await phone.start()
    server.lines[0].replies_to["verto.test"] = lambda request: left.pop(0)
    for shape in odd:
        if "result" in shape:
            await within(phone.request("verto.test"))
        else:
            with pytest.raises(VertoError):
                await within(phone.request("verto.test"))
    server.lines[0].replies_to["verto.test"] = lambda request: server.lines[0].cut()  # type: ignore[func-returns-value]
    with pytest.raises(ConnectionLost):
        await within(phone.request("verto.test"))
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())

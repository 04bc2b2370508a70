"""What ZIWO's server asks of a phone: pick up, dial, messages."""

from __future__ import annotations

import asyncio
import json

from ziwo_async import (
    Active,
    AgentMessage,
    DialogState,
    Early,
    Ringing,
    TextMessage,
    UnknownFrame,
    ZiwoClient,
)

from .kit import CUSTOMER, Desk, Line, Rogue, until, within


async def test_pickup_answers_a_ringing_call(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    assert await desk.agent.picks_up(there)
    await call.wait_for(Active, 5)
    assert desk.seen.words(call.id) == ["ringing", "answering", "active"]


async def test_pickup_sent_twice_answers_once(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.rings(ziwo.phone)
    await desk.agent.picks_up(there)
    await desk.agent.picks_up(there)
    await call.wait_for(Active, 5)
    await within(ziwo.phone.request("verto.ping"))
    assert len(desk.frames("verto.answer")) == 1


async def test_pickup_of_an_answered_call_is_ignored(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.talks(ziwo.phone)
    await desk.agent.picks_up(there)
    await desk.inject(method="verto.send", params={"data": {"after": "pickup"}})
    await desk.seen.wait(AgentMessage)
    await within(ziwo.phone.request("verto.ping"))
    assert len(desk.frames("verto.answer")) == 1
    assert call.state is DialogState.ACTIVE


async def test_pickup_of_our_own_outbound_call_is_ignored(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.customer.never_answers(early_media=True)
    call = await within(ziwo.phone.dial(CUSTOMER))
    await call.wait_for(Early, 5)
    there = await desk.customer.is_called()
    assert await desk.agent.picks_up(there)
    await desk.inject(method="verto.send", params={"data": {"after": "pickup"}})
    await desk.seen.wait(AgentMessage)
    await within(ziwo.phone.request("verto.ping"))
    assert desk.frames("verto.answer") == []
    assert call.state is DialogState.EARLY


async def test_pickup_of_a_call_we_do_not_have_is_told(desk: Desk, ziwo: ZiwoClient) -> None:
    await desk.inject(method="verto.pickup", params={"callID": "none-such"})
    unknown = await desk.seen.wait(UnknownFrame)
    assert (unknown.method, unknown.reason) == ("verto.pickup", "verto.pickup for a call we do not have")


async def test_dial_of_the_server_is_answered_with_its_uuid_as_call_id(desk: Desk, ziwo: ZiwoClient) -> None:
    assert await within(desk.agent.told_to_dial(CUSTOMER, uuid="call_42"))
    (invite,) = desk.frames("verto.invite")
    assert invite["params"]["dialogParams"]["callID"] == "call_42"
    assert invite["params"]["dialogParams"]["destination_number"] == CUSTOMER
    call = ziwo.phone.call("call_42")
    assert call is not None
    await call.wait_for(Active, 5)


async def test_dial_of_the_server_that_is_refused_harms_nothing(desk: Desk, ziwo: ZiwoClient) -> None:
    desk.sim.faults.fail_next("verto.invite", -32002, "CALL ERROR")
    await desk.inject(method="verto.dial", params={"uuid": "call_1", "number": CUSTOMER})
    await until(lambda: "destroy" in desk.seen.words("call_1"))
    _, call = await desk.talks(ziwo.phone)
    assert call.state is DialogState.ACTIVE


async def test_dial_of_the_server_with_the_id_of_a_live_call_harms_nothing(desk: Desk, ziwo: ZiwoClient) -> None:
    _, call = await desk.talks(ziwo.phone)
    await desk.inject(method="verto.dial", params={"uuid": call.id, "number": CUSTOMER})
    await within(ziwo.phone.request("verto.ping"))
    await within(call.hold())
    assert call.state is DialogState.HELD
    assert desk.frames("verto.invite") == []


async def test_messages_for_the_agent_are_events(desk: Desk, ziwo: ZiwoClient) -> None:
    there, call = await desk.talks(ziwo.phone)
    await desk.agent.send({"event": "popup", "id": 5, "nested": {"x": [1, None]}})
    message = await desk.seen.wait(AgentMessage)
    assert (message.data, message.call_id) == ({"event": "popup", "id": 5, "nested": {"x": [1, None]}}, None)
    await desk.agent.send_on_call(there, {"crm": "open"})
    message = await desk.seen.wait(AgentMessage, count=2)
    assert (message.data, message.call_id) == ({"crm": "open"}, call.id)


async def test_a_chat_message_is_an_event(desk: Desk, ziwo: ZiwoClient) -> None:
    await desk.agent.gets_message("agent-0011@127.0.0.1", "hello")
    text = await desk.seen.wait(TextMessage)
    assert (text.text, text.sender, text.call_id) == ("hello", "agent-0011@127.0.0.1", None)


async def test_a_message_of_a_call_waits_behind_the_handlers_of_that_call(desk: Desk) -> None:
    order: list[str] = []
    ringing, go_on = asyncio.Event(), asyncio.Event()
    client = desk.client()

    @desk.seen.router.on(Ringing)
    async def slow(call: object, event: Ringing) -> None:
        ringing.set()
        await go_on.wait()
        order.append("ringing")

    @desk.seen.router.on(AgentMessage)
    async def message(event: AgentMessage) -> None:
        order.append(str(event.data["n"]))

    await client.phone.start()
    there, _ = await desk.rings(client.phone)
    await within(ringing.wait())
    await desk.agent.send_on_call(there, {"n": 1})
    await desk.agent.send({"n": 2})
    await until(lambda: order)
    assert order == ["2"]
    go_on.set()
    await until(lambda: len(order) == 3)
    assert order == ["2", "ringing", "1"]


async def test_an_inbound_call_arrives_while_the_bot_chatters(desk: Desk, ziwo: ZiwoClient) -> None:
    """The server holds its messages back while we send; a long burst of ours makes a pause now and then."""
    options = desk.sim.options
    object.__setattr__(options, "flush_quiet", 0.05)
    try:
        _, call = await desk.talks(ziwo.phone)
        stop = asyncio.Event()

        async def chatter() -> None:
            while not stop.is_set():
                await call.dtmf("1")

        bot = asyncio.create_task(chatter())
        await until(lambda: len(desk.world.dtmf) > 50)
        second = await desk.world.customer("+97150000009").dials(desk.agent)
        await desk.seen.wait(Ringing, lambda event: event.call_id == second.id)
        assert not bot.done()
        stop.set()
        await within(bot)
    finally:
        object.__setattr__(options, "flush_quiet", 0.004)


async def test_requests_of_the_server_are_answered_with_nothing_or_a_result(rogue: object, desk: Desk) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        await line.send(id=7, method="verto.ping", params={"serno": 1})

    server = await rogue(script)  # type: ignore[operator]
    phone = desk.phone(url=server.url)
    await phone.start()
    await within(phone.request("verto.subscribe", {"eventChannel": "x"}))
    replies = [frame for frame in server.lines[0].frames if "method" not in frame]
    assert all("error" not in json.dumps(reply) for reply in replies)

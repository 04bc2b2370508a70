"""Handlers that both type checkers must accept."""

from __future__ import annotations

from ziwo_async import (
    Active,
    Call,
    CallEvent,
    DialogEvent,
    Early,
    Event,
    HandlerFailed,
    Hangup,
    Ringing,
    Router,
    SessionEvent,
    SessionLost,
    ZiwoClient,
)

router = Router()


@router.on(Ringing)
async def exact(call: Call, event: Ringing) -> None:
    print(call.id, event.customer_number)


@router.on(Ringing)
async def wider(call: Call, event: DialogEvent) -> None:
    print(call.id, event.state_flow)


@router.on(CallEvent)
async def base(call: Call, event: CallEvent) -> None:
    print(call.id, event.call_id)


@router.on(Early, when=lambda event: event.customer_number.startswith("+971"))
async def with_a_predicate(call: Call, event: Early) -> None:
    print(call.id, event.at)


@router.on(Ringing)
async def without_the_call(event: Ringing) -> None:
    print(event.customer_number)


@router.during(Active)
async def lasting_without_the_call(event: DialogEvent) -> None:
    print(event.at)


@router.on(SessionLost)
async def session(event: SessionLost) -> None:
    print(event.reason)


@router.on(HandlerFailed)
async def session_base(event: SessionEvent) -> None:
    print(event)


@router.during(Active, grace=2.0)
async def lasting(call: Call, event: Active) -> None:
    ended: Hangup = await call.wait_for(Hangup)
    other: DialogEvent = await call.wait_for("held", timeout=1.0)
    print(ended.cause, other.state, event.state)


async def reading(client: ZiwoClient) -> None:
    async with client.events(DialogEvent, overflow="fail") as events:
        async for event in events:
            print(event.customer_number)
    async with client.expect(Ringing, where=lambda event: event.customer_number == "1", timeout=1) as expected:
        pass
    number: str = expected.event.customer_number
    print(number)
    async with client.events(Event) as everything:
        async for anything in everything:
            print(anything)


async def sound_of_a_day(client: ZiwoClient) -> None:
    async for cdr in client.calls.history():
        found = await client.recordings.download(cdr, "folder")
        print(found.path)
        async with client.voicemails.stream(cdr) as stream:
            print(stream.size)

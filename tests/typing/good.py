"""Handlers that both type checkers must accept."""

from __future__ import annotations

from collections.abc import Sequence

from ziwo_async import (
    Active,
    Call,
    CallEvent,
    CallFlow,
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
from ziwo_async.webhooks import (
    Answer,
    CdrHook,
    Decision,
    EndCall,
    MemoryOnce,
    OnceStore,
    Rule,
    SqliteOnce,
    StartCall,
    TrackerService,
    call,
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


tracker = TrackerService(keys=["any-16-letters-or-more"], fallback=[call("1")])


@tracker.on_start
async def route(start: StartCall) -> Rule | Sequence[Rule] | Answer:
    return [call("1", caller_id=start.did_called)]


@tracker.on_start
def plain_route(start: StartCall) -> list[Rule] | None:
    return [] if start.caller else None


@tracker.on_end
async def call_over(end: EndCall) -> None:
    station: CallFlow = end.call_flows[0]
    print(station, end.late)


@CdrHook(insecure=True, once=MemoryOnce()).on_cdr
def record(cdr: EndCall, action: str) -> None: ...


async def deciding() -> None:
    decision: Decision = await tracker.decide(StartCall(did_called="1", caller="2", call_id="3"))
    rules: Sequence[Rule] = decision.answer.rules
    store: OnceStore = SqliteOnce("file")
    print(rules, store)

"""Handlers and calls that both type checkers must refuse: on each line marked so, and nowhere else."""

from __future__ import annotations

import ziwo_async
from ziwo_async import Active, Call, Destroy, Early, Hangup, Ringing, Router, SessionLost, ZiwoClient
from ziwo_async.webhooks import CdrHook, EndCall, Rule, StartCall, TrackerService, call

router = Router()


def sync(call: Call, event: Ringing) -> None: ...


async def other_event(call: Call, event: Active) -> None: ...


async def nothing() -> None: ...


async def with_call(call: Call, event: SessionLost) -> None: ...


async def too_many(call: Call, event: Ringing, more: int) -> None: ...


async def ended(event: SessionLost) -> None: ...


router.on(Ringing)(sync)  # error
router.on(Ringing)(other_event)  # error
router.on(Ringing)(nothing)  # error
router.on(SessionLost)(with_call)  # error
router.on(Ringing)(too_many)  # error
router.on(str)  # error
router.on("ringing")  # error
router.during(SessionLost)  # error
router.during(Ringing)(sync)  # error
router.on(Early, when=lambda event: event.nonsense)  # error
router.on(SessionLost)(ended)
print(ziwo_async.NoSuchThing)  # error


async def reading(client: ZiwoClient, call: Call) -> None:
    client.events(DialogState)  # error
    client.events(Ringing, overflow="sometimes")  # error
    wrong: Destroy = await call.wait_for(Hangup)  # error
    await client.phone.dial(5)  # error
    await call.dtmf(5)  # error
    print(wrong)


class DialogState: ...


tracker = TrackerService(keys=["any-16-letters-or-more"])


def numbers(start: StartCall) -> list[str]:
    return [start.did_called]


async def of_an_end(end: EndCall) -> Rule:
    return call(end.did_called or "")


def of_two(end: EndCall, more: str) -> None: ...


tracker.on_start(numbers)  # error
tracker.on_start(of_an_end)  # error
tracker.on_end(of_two)  # error
CdrHook(insecure=True).on_cdr(of_two)
call("1", caller=2)  # error

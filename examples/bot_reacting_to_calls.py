"""A bot that reacts to calls: answers inbound ones after a moment, and tells what it would open in a CRM.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/bot_reacting_to_calls.py         # in another one

Ctrl-C (or SIGTERM) hangs up, logs out and ends with code 0.
"""

from __future__ import annotations

import asyncio
import logging

from ziwo_async import (
    Active,
    Call,
    CallEnded,
    Early,
    HandlerFailed,
    Hangup,
    Ringing,
    Router,
    SessionLost,
    SessionReady,
    SessionRestored,
    ZiwoClient,
)

log = logging.getLogger("bot")
router = Router()

A_MOMENT = 0.5  # seconds a customer hears ringing, so that answering looks human


@router.on(SessionReady)
async def ready(event: SessionReady) -> None:
    log.info("ready for calls as %s", event.login)


@router.on(Ringing)
async def pop_up(call: Call, event: Ringing) -> None:
    # An inbound call rings: the moment to open the customer's page. Short work only: the call's next handlers wait.
    log.info("ringing: opening the page of %s", event.customer_number)


@router.during(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    # `during` runs as a task of its own for as long as the call lives, so it may wait.
    await asyncio.sleep(A_MOMENT)
    try:
        await call.answer()
    except CallEnded as ended:
        log.info("missed: %s gave up (%s)", event.customer_number, ended.cause)


@router.on(Early)
async def calling(call: Call, event: Early) -> None:
    # An outbound call rings at the customer's.
    log.info("early: opening the page of %s", event.customer_number)


@router.during(Active)
async def talking(call: Call, event: Active) -> None:
    log.info("active: talking to %s", event.customer_number)
    ended = await call.wait_for(Hangup)
    flow = " ".join(step.state for step in ended.state_flow)
    log.info("hangup: %s, by %s; it went %s", ended.cause, ended.by, flow)


@router.on(SessionLost)
async def lost(event: SessionLost) -> None:
    log.warning("connection lost (%s); it comes back by itself", event.reason)


@router.on(SessionRestored)
async def restored(event: SessionRestored) -> None:
    log.info("connected again: %d calls kept, %d lost", len(event.kept), len(event.lost))


@router.on(HandlerFailed)
async def failed(event: HandlerFailed) -> None:
    log.error("%s failed: %s", event.handler, event.error)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ZiwoClient.from_env().run(router)

"""Raise an alarm when callers wait too long, or too many of them wait; and say when it is over.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/queue_alarm.py --wait 30 --calls 5   # in another one; the user must be an admin

Runs until Ctrl-C. It takes nobody's phone.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from ziwo_async import WaitingCall, ZiwoClient


def waiting(calls: Iterable[WaitingCall]) -> dict[str, list[WaitingCall]]:
    """The calls that no agent has, by queue."""
    queues: dict[str, list[WaitingCall]] = {}
    for call in calls:
        # "Trying": an agent's phone rings, and the caller still waits.
        if call.state in ("Waiting", "Trying") and call.bridged_at is None:
            queues.setdefault(call.queue_name or "?", []).append(call)
    return queues


def problem(calls: list[WaitingCall], wait: float, most: int) -> str | None:
    """What is wrong with a queue, if anything."""
    now = datetime.now(UTC)
    longest = max(((now - call.joined_at).total_seconds() for call in calls if call.joined_at), default=0.0)
    if len(calls) > most:
        return f"{len(calls)} callers wait"
    return f"a caller has waited for {longest:.0f} s" if longest > wait else None


async def main(*, wait: float, most: int) -> None:
    alarms: set[str] = set()
    async with ZiwoClient.from_env() as ziwo, ziwo.live, ziwo.live.queue_calls() as watch:
        ended = asyncio.ensure_future(ziwo.live.wait_closed())
        while not ended.done():
            # Looked at each second, because waiting grows while nothing is told.
            await asyncio.wait([ended], timeout=1.0)
            if watch.stale or watch.current is None:
                continue  # what we know may be untrue by now: neither an alarm, nor the end of one
            queues = waiting(watch.current)
            for queue in sorted(alarms | set(queues)):
                found = problem(queues.get(queue, []), wait, most)
                if found and queue not in alarms:
                    alarms.add(queue)
                    print(f"ALARM {queue}: {found}", flush=True)
                elif not found and queue in alarms:
                    alarms.discard(queue)
                    print(f"over  {queue}", flush=True)
        await ended  # an alarm that sees nothing any more must not look as if all were well: this says why, and ends it


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Raise an alarm when callers wait.")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds that a caller may wait")
    parser.add_argument("--calls", type=int, default=5, help="how many callers may wait")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(wait=arguments.wait, most=arguments.calls))

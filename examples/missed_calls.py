"""Tell every missed call, once, and call back if you like.

    ziwo simulate                                    # in one terminal; it prints the three variables
    python examples/missed_calls.py                  # in another one; the user must be an admin
    python examples/missed_calls.py --call-back      # rings your own phone first, then the customer

Runs until Ctrl-C. Started again, it goes on where it was: what was missed meanwhile is told then.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ziwo_async import Cdr, SpendPolicy, SpendRefused, ZiwoClient, ZiwoError

# What a mistake may cost at most.
POLICY = SpendPolicy(calls_per_minute=3, allowed_prefixes=("+971",))
NOTES = Path("called-back.txt")


def first_time(cdr: Cdr, notes: Path) -> bool:
    """Note that a call is called back, BEFORE it is: after a crash the feed gives its last call again."""
    if notes.exists() and cdr.key in notes.read_text().split():
        return False
    with notes.open("a") as file:
        file.write(f"{cdr.key}\n")
    return True


async def call_back(ziwo: ZiwoClient, cdr: Cdr) -> None:
    if not cdr.customer_number:
        return  # the caller hid the number
    if not first_time(cdr, NOTES):
        print("  called back already, or about to when the program ended", flush=True)
        return
    try:
        await dial(ziwo, cdr.customer_number)
        print("  calling back: pick up your phone", flush=True)
    except ZiwoError as error:
        # Not tried again: when the outcome is not known, the call may have been made.
        print(f"  not called back: {error}", flush=True)


async def dial(ziwo: ZiwoClient, number: str) -> None:
    while True:
        try:
            await ziwo.agent.click_to_call(number)
            return
        except SpendRefused as refused:
            if refused.retry_after is None:
                raise
            await asyncio.sleep(refused.retry_after)  # nothing was sent: too many within a minute


async def main(*, calling_back: bool) -> None:
    async with ZiwoClient.from_env(spend=POLICY) as ziwo:
        # An hour back when it runs for the first time; later from where it stopped.
        async for cdr in ziwo.calls.missed(since=timedelta(hours=1), every=10.0):
            where = cdr.queue_name or cdr.did_called or "?"
            left = ", left a message" if cdr.voicemail else ""
            print(f"missed: {cdr.customer_number or 'unknown'} at {cdr.start:%H:%M:%S}, {where}{left}", flush=True)
            if calling_back:
                await call_back(ziwo, cdr)
            # Coming back for the next call is what marks this one as handled.


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tell every missed call.")
    parser.add_argument("--call-back", action="store_true", help="call back by click to call")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(calling_back=arguments.call_back))

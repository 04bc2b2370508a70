"""Send every missed call to a web hook: at once when the live feed tells it, and from the history when it did not.

    ziwo simulate                                    # in one terminal; it prints the three variables
    export WEBHOOK_URL=https://example.com/missed    # where each call is sent, as JSON
    python examples/missed_calls_to_webhook.py       # in another one; the user must be an admin

Nothing is lost: what the live feed did not tell (a lost connection, a pause of this program) is found in the history.
Nothing is sent twice: what was taken is noted in `sent-calls.sqlite`. When the program dies between the two, the call
is sent again under the same `Idempotency-Key`, and the receiver can tell. Runs until Ctrl-C.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import aiohttp

from ziwo_async import CallRecorded, Cdr, ZiwoClient, ZiwoError

log = logging.getLogger("missed")
EVERY = float(os.environ.get("HISTORY_EVERY", "60"))  # seconds between two looks at the history
SENT = Path("sent-calls.sqlite")


class Sender:
    """Sends each call once, whoever finds it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, db: sqlite3.Connection) -> None:
        self._http = http
        self._url = url
        self._db = db
        self._one_at_a_time = asyncio.Lock()
        db.execute("CREATE TABLE IF NOT EXISTS sent (call TEXT PRIMARY KEY)")

    async def send(self, cdr: Cdr, source: str) -> bool:
        """Send a call, unless it was sent before; False when the receiver did not take it."""
        async with self._one_at_a_time:
            if self._db.execute("SELECT 1 FROM sent WHERE call = ?", (cdr.key,)).fetchone():
                return True
            body = {
                "callID": cdr.call_id,
                "customer": cdr.customer_number,
                "queue": cdr.queue_name,
                "start": cdr.start.isoformat() if cdr.start else None,
                "voicemail": bool(cdr.voicemail),
            }
            try:
                async with self._http.post(self._url, json=body, headers={"Idempotency-Key": cdr.key}) as response:
                    response.raise_for_status()
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("not taken: %s", type(error).__name__)  # the address may be a secret
                return False
            with self._db:
                self._db.execute("INSERT INTO sent VALUES (?)", (cdr.key,))
            log.info("%s told of a missed call", source)
            return True


async def from_the_live_feed(ziwo: ZiwoClient, sender: Sender) -> None:
    """Quick, and may miss some."""
    async with ziwo.live.events(CallRecorded) as recorded:
        async for event in recorded:
            try:
                cdr = await ziwo.calls.by_call_id(event.call_id)
            except ZiwoError as error:
                log.warning("%s", error)
                continue
            if cdr is not None and cdr.missed:
                await sender.send(cdr, "the live feed")


async def from_the_history(ziwo: ZiwoClient, sender: Sender) -> None:
    """Slow, and misses none. It remembers where it was, also while the program does not run."""
    async for cdr in ziwo.calls.missed(since=timedelta(hours=1), every=EVERY, name="webhook"):
        pause = 1.0
        while not await sender.send(cdr, "the history"):
            await asyncio.sleep(pause)
            pause = min(pause * 2, 60.0)
        # Coming back for the next call is what marks this one as handled.


async def main() -> None:
    async with ZiwoClient.from_env() as ziwo, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as http:
        with closing(sqlite3.connect(SENT)) as db:
            sender = Sender(http, os.environ["WEBHOOK_URL"], db)
            async with ziwo.live, asyncio.TaskGroup() as tasks:
                tasks.create_task(from_the_live_feed(ziwo, sender))
                tasks.create_task(from_the_history(ziwo, sender))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with suppress(KeyboardInterrupt):
        asyncio.run(main())

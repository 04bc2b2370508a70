"""Call masking: a customer and a driver reach each other through a number of yours, and see nothing but it.

    export TRACKER_KEY=...    # at least 16 characters; also the API key of the call tracker at ZIWO
    export PAIRS_KEY=...      # for your own system, which says who belongs together
    export DIDS=+97142345671,+97142345672   # your numbers that lead to this call tracker
    export OFFICE=042789926   # who is called when nobody else is known
    python examples/call_masking.py         # on 127.0.0.1 port 8068; ZIWO needs a server with TLS before it

    pair='{"customer": "0501111111", "driver": "0502222222", "minutes": 90}'
    curl -H "X-API-Key: $PAIRS_KEY" -d "$pair" http://127.0.0.1:8068/pairs
    # {"did": "+97142345671", ...}: tell this number to both of them

The pairs are in `masks.sqlite`, and survive a restart. It needs the caller's number in ZIWO's start request; ask ZIWO
for it. What is decided can be seen without a call:

    ziwo trackers try examples/call_masking.py --did +97142345671 --caller 0502222222
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from ziwo_async import BadArgument, MaskTaken
from ziwo_async.webhooks import Answer, MaskingTable, Rule, StartCall, TrackerService, call

NEEDED = ("TRACKER_KEY", "PAIRS_KEY", "DIDS", "OFFICE")
if missing := [name for name in NEEDED if not os.environ.get(name)]:
    sys.exit(f"set {', '.join(missing)}: see the beginning of this file")

OFFICE = os.environ["OFFICE"]
DIDS = os.environ["DIDS"].split(",")
masks = MaskingTable(os.environ.get("MASKS", "masks.sqlite"), region="AE")
tracker = TrackerService(keys=[os.environ["TRACKER_KEY"]], fallback=[call(OFFICE, timeout=30)])


@tracker.on_start
async def route(start: StartCall) -> Answer | Rule:
    """Connect the two of a pair; whoever else calls reaches the office."""
    office = call(OFFICE, caller_id=start.did_called, timeout=30)
    found = await masks.rules(start)
    return office if found is None else Answer((*found.rules, office))


async def pair(request: web.Request) -> web.Response:
    """Let a customer and a driver reach each other, for so many minutes."""
    given = request.headers.get("X-API-Key", "").encode(errors="surrogateescape")  # any bytes
    if not hmac.compare_digest(given, os.environ["PAIRS_KEY"].encode()):
        raise web.HTTPUnauthorized
    try:
        wanted = await request.json()
        found = await masks.pair(
            str(wanted["customer"]),
            str(wanted["driver"]),
            dids=DIDS,
            expires=timedelta(minutes=float(wanted["minutes"])),
        )
    except MaskTaken:
        return web.json_response({"error": "no number is free for these two"}, status=409)
    except (BadArgument, KeyError, TypeError, ValueError, OverflowError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    return web.json_response({"did": found.did, "expires": found.expires.isoformat()})


async def close(app: web.Application) -> AsyncIterator[None]:
    yield
    await tracker.aclose()
    masks.close()


def main() -> None:
    app = web.Application()
    app.add_routes([*tracker.routes(), web.post("/pairs", pair)])
    app.cleanup_ctx.append(close)
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8068")))


if __name__ == "__main__":
    main()

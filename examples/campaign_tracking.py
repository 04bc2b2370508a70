"""Call tracking: each advertisement has a number of its own, and the calls of each are counted.

    export TRACKER_KEY=...    # at least 16 characters; also the API key of the call tracker at ZIWO
    export SALES=042789926    # who is called
    python examples/campaign_tracking.py           # on 127.0.0.1 port 8069; ZIWO needs a server with TLS before it
    python examples/campaign_tracking.py report 7  # what the last seven days brought, at any time

The counts are in `campaigns.sqlite`: your numbers, ids of calls and times, and nothing about callers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from aiohttp import web

from ziwo_async.webhooks import CampaignNumbers, EndCall, Rule, StartCall, TrackerService, call

CAMPAIGNS = {
    "+97142345671": "radio",
    "+97142345672": "billboard airport",
    "+97142345673": "newsletter",
}

if missing := [name for name in ("TRACKER_KEY", "SALES") if not os.environ.get(name)]:
    sys.exit(f"set {', '.join(missing)}: see the beginning of this file")

SALES = os.environ["SALES"]
campaigns = CampaignNumbers(os.environ.get("COUNTS", "campaigns.sqlite"), region="AE")
tracker = TrackerService(keys=[os.environ["TRACKER_KEY"]], fallback=[call(SALES, timeout=30)])


@tracker.on_start
async def route(start: StartCall) -> Rule:
    """Count the call. Where that fails, the fallback is sent: no call is lost for a count."""
    source = await campaigns.started(start)
    print(f"{start.did_called}: a call from {source or 'an unknown source'}", flush=True)
    return call(SALES, caller_id=start.did_called, timeout=30)


@tracker.on_end
async def ended(end: EndCall) -> None:
    """Count how it went. Told again, it is counted once."""
    source = await campaigns.ended(end)
    print(f"{end.did_called}: the call from {source or 'an unknown source'} is over", flush=True)


async def open_campaigns(app: web.Application) -> AsyncIterator[None]:
    for number, source in CAMPAIGNS.items():
        await campaigns.assign(number, source)  # which changes nothing where it is so already
    yield
    await tracker.aclose()
    campaigns.close()


async def report(days: float) -> None:
    print(f"{'source':<20}{'calls':>7}{'answered':>10}{'missed':>8}{'talk':>9}")
    for one in await campaigns.counts(since=datetime.now(UTC) - timedelta(days=days)):
        minutes, seconds = divmod(round(one.talk.total_seconds()), 60)
        source = one.source or "(no campaign)"
        print(f"{source:<20}{one.started:>7}{one.answered:>10}{one.missed:>8}{minutes:>6}:{seconds:02d}")
    campaigns.close()


def main() -> None:
    if sys.argv[1:2] == ["report"]:
        asyncio.run(report(float(sys.argv[2]) if len(sys.argv) > 2 else 7.0))
        return
    app = web.Application()
    app.add_routes(tracker.routes())
    app.cleanup_ctx.append(open_campaigns)
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8069")))


if __name__ == "__main__":
    main()

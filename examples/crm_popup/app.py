"""A pop-up for agents: the customer's record in the CRM opens when a call rings, or is made.

    ziwo simulate                                # in one terminal; it prints the three variables
    python examples/crm_popup/app.py             # in another one; open the address that it prints

`CRM_URL` says where your CRM has its records, such as `https://crm.example/customers?phone={number}`; by default this
program shows a page of its own. For more than that change `url_for`. `REGION` is the country of national numbers, such
as AE; it needs the extra `numbers`.

The program has the agent's phone. With `ZIWO_AGENT=5555`, and the login of an admin, it watches the calls of that agent
instead, who uses any phone of ZIWO's; this needs the extra `live`.
"""

from __future__ import annotations

import asyncio
import html
import logging
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from ziwo_async import BadArgument, DialogEvent, Direction, Early, Ringing, Router, ZiwoClient, ZiwoError, exit_code
from ziwo_async.browser import BrowserEvents, plain_number, record_url

log = logging.getLogger("popup")
router = Router()

PORT = int(os.environ.get("PORT", "8057"))
PAGE = f"http://127.0.0.1:{PORT}/"
CRM_URL = os.environ.get("CRM_URL", f"{PAGE}customers?phone={{number}}")
REGION = os.environ.get("REGION")
AGENT = os.environ.get("ZIWO_AGENT")
PATIENCE = 10.0  # seconds for the CRM
MOST = 200  # records that are remembered
FILES = {"": "text/html", "popup.js": "text/javascript", "popup.css": "text/css"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",  # what is opened cannot reach back
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def url_for(number: str) -> str | None:
    """Say where the record of a customer is; None if there is none. Yours to change: a plain function does, too.

    Args:
        number: Digits, after a plus where the country is known.
    """
    return CRM_URL.replace("{number}", quote(number, safe=""))


@dataclass(frozen=True)
class Record:
    """What a page is told of a call's customer."""

    number: str
    url: str | None = None
    problem: str = ""


class Records:
    """The record of each call's customer: looked up once, however many pages ask."""

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Task[Record]] = {}

    async def of(self, event: DialogEvent) -> Record:
        """The record of the customer of a call."""
        if event.call_id not in self._found:
            self._found[event.call_id] = asyncio.create_task(look_up(event.customer_number))
            if len(self._found) > MOST:
                del self._found[next(iter(self._found))]
        return await asyncio.shield(self._found[event.call_id])


async def look_up(number: str) -> Record:
    plain = plain_number(number, region=REGION)
    try:
        async with asyncio.timeout(PATIENCE):
            return Record(plain, await record_url(url_for, number, region=REGION))
    except (BadArgument, TimeoutError) as error:
        log.warning("no record for %s: %s", plain, str(error) or "the CRM does not answer")
        return Record(plain, problem="The CRM gave no address that can be opened.")


records = Records()


def watched(event: DialogEvent) -> bool:
    return AGENT is None or event.agent == AGENT


# A lookup may take its time, so it runs as a task of its own (`during`).
@router.during(Ringing, when=lambda event: watched(event) and event.direction == Direction.INBOUND)
async def customer_calls(event: Ringing) -> None:
    record = await records.of(event)
    log.info("%s calls: %s", record.number or "a hidden number", record.url)


@router.during(Early, when=lambda event: watched(event) and event.direction == Direction.OUTBOUND)
async def customer_is_called(event: Early) -> None:
    record = await records.of(event)
    log.info("%s is called: %s", record.number, record.url)


def make_app(events: BrowserEvents) -> web.Application:
    async def record(request: web.Request) -> web.Response:
        await events.check(request)
        event = events.calls.get(request.match_info["call_id"])
        if event is None:
            raise web.HTTPNotFound(text="There is no such call.")
        return web.json_response(asdict(await records.of(event)), headers={"Cache-Control": "no-store"})

    async def customer(request: web.Request) -> web.Response:
        number = html.escape(request.query.get("phone", ""))
        text = f"<!doctype html><title>{number}</title><h1>The record of {number}</h1>"
        return web.Response(text=text, content_type="text/html")

    async def file(request: web.Request) -> web.Response:
        name = request.path.removeprefix("/")
        body = (Path(__file__).parent / "page" / (name or "index.html")).read_text(encoding="utf-8")
        return web.Response(text=body, content_type=FILES[name])

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)

    app = web.Application()
    app.on_response_prepare.append(add_headers)
    app.add_routes([web.get(f"/{name}", file) for name in FILES])
    app.add_routes([web.get("/records/{call_id}", record), web.get("/customers", customer)])
    events.add_to(app)
    return app


async def main() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    ziwo = ZiwoClient.from_env()
    source = ziwo.phone if AGENT is None else ziwo.live
    (ziwo if AGENT is None else ziwo.live).include(router)
    events = BrowserEvents(ziwo, control=AGENT is None, source="phone" if AGENT is None else "live", where=watched)
    async with ziwo, events, source:
        runner = web.AppRunner(make_app(events), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", PORT).start()
            print(f"The agent's page: {events.link(PAGE)}", flush=True)
            ended = asyncio.ensure_future(source.wait_closed())
            stopping = asyncio.ensure_future(stopped.wait())
            await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not ended.cancel():
                ended.result()  # the phone was taken over, or the like
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(main())
    except ZiwoError as error:
        log.error("%s", error)
        sys.exit(exit_code(error))

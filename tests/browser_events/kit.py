"""A page that has the script, served with an agent's phone behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ziwo_async import Router, ZiwoClient
from ziwo_async.browser import BrowserEvents
from ziwo_async.simulator import SimAgent
from ziwo_async.testing import FAST_RECONNECT, ServedWorld

from ..browser.chromium import Browser, Page

CUSTOMER = "+97150000000"
PATIENCE = 30.0

RECORDING = """<!doctype html><title>page</title>
<script src="/ziwo/ziwo-events.js"></script>
<script>
window.seen = [];
window.details = [];
window.states = [];
for (const state of ["requesting", "trying", "early", "ringing", "answering", "active", "held", "hangup", "destroy",
                     "recovering"]) {
  window.addEventListener("_jorel-dialog-state-" + state, (event) => {
    window.seen.push(state);
    window.details.push(event.detail);
  });
}
window.addEventListener("ziwo-events-state", (event) => window.states.push(event.detail.state));
</script>"""


def client_of(
    world: ServedWorld, agent: SimAgent | None = None, *, router: Router | None = None, **options: Any
) -> ZiwoClient:
    """The client of an agent: 5555, if no other is given."""
    agent = agent or world.agent("5555")
    given: dict[str, Any] = {"reconnect": FAST_RECONNECT, "api_url": world.api_url, **options}
    return ZiwoClient(username=agent.username, password=agent.password, router=router, **given)


@dataclass
class Site:
    """A site that runs.

    Attributes:
        url: Its address.
        pages: Its pages, by their paths.
        asked: The paths that were asked for.
    """

    url: str
    pages: dict[str, str]
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def site(events: BrowserEvents, *, pages: Mapping[str, str] | None = None, port: int = 0) -> AsyncIterator[Site]:
    """Serve pages and the events."""
    served = Site("", {"/": RECORDING, **(pages or {})})

    async def page(request: web.Request) -> web.Response:
        if request.path not in served.pages:
            raise web.HTTPNotFound
        return web.Response(text=served.pages[request.path], content_type="text/html")

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        served.asked.append(request.path)
        answer: web.StreamResponse = await handler(request)
        return answer

    app = web.Application(middlewares=[note])
    events.add_to(app)
    app.router.add_get("/{page:.*}", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield served
    finally:
        await runner.cleanup()


async def beside(browser: Browser, page: Page) -> Page:
    """Open one more tab that shares cookies and storage with another one."""
    context = (await page.call("Target.getTargetInfo"))["targetInfo"]["browserContextId"]
    return await browser.tab(context)


async def windows(browser: Browser, page: Page) -> list[str]:
    """The addresses of the windows beside a page, which it opened itself."""
    own = (await page.call("Target.getTargetInfo"))["targetInfo"]
    found = (await browser.call("Target.getTargets"))["targetInfos"]
    return [
        target["url"]
        for target in found
        if target["type"] == "page"
        and target.get("browserContextId") == own["browserContextId"]
        and target["targetId"] != own["targetId"]
    ]


async def clicked(page: Page) -> None:
    """Somebody clicks in the page."""
    await page.call("Runtime.evaluate", expression="0", userGesture=True)


@asynccontextmanager
async def clicking(page: Page) -> AsyncIterator[None]:
    """Somebody uses the page all the time: for some seconds after a click or a key, browsers let it open a window.

    Each window uses a click up. So whoever waited for one waits for `clicked`, too, before the next.
    """
    await clicked(page)

    async def click() -> None:
        while True:
            await clicked(page)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(click())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

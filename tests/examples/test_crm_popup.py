"""The CRM pop-up: the whole program, a contact centre, and the agent's browser."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ziwo_async import Call, Ringing, Router
from ziwo_async.testing import ServedWorld

from ..browser.chromium import Browser, Page
from ..browser_events.kit import beside, clicked, clicking, client_of, windows
from ..cli.kit import ROOT, Program, program
from .account import login

pytestmark = pytest.mark.browser

APP = ROOT / "examples" / "crm_popup" / "app.py"
ANN, BOB = "+97150000000", "+97150000001"
FIRST = "document.querySelector('#calls li')"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def popup(
    world: ServedWorld, port: int, here: Path, *, agent: str = "5555", env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Program, str]]:
    """The program, and the address that it prints."""
    given = {**login(world, agent), "PORT": str(port), **(env or {})}
    async with program(sys.executable, APP, env=given, cwd=here) as running:
        (line,) = await running.says("The agent's page: ")
        yield running, line.split(": ", 1)[1]
        assert await running.stops() == 0, running.errors
        assert "Traceback" not in running.errors
        assert login(world, agent)["ZIWO_PASSWORD"] not in running.errors


async def opens(browser: Browser, page: Page, *wanted: str) -> None:
    """Wait until these windows are there beside the page, and no others."""
    async with asyncio.timeout(30):
        while sorted(await windows(browser, page)) != sorted(wanted):
            await asyncio.sleep(0.05)


async def target_of(browser: Browser, url: str) -> str:
    """The id of the window with this address. While it loads, it has that address, then none, then that again."""
    async with asyncio.timeout(30):
        while True:
            for target in (await browser.call("Target.getTargets"))["targetInfos"]:
                if target["url"] == url:
                    found: str = target["targetId"]
                    return found
            await asyncio.sleep(0.05)


async def test_the_record_opens_for_a_call_in_and_a_call_out(
    page: Page, browser: Browser, world: ServedWorld, tmp_path: Path
) -> None:
    world.customer(BOB).never_answers(early_media=True)
    port = free_port()
    crm = f"http://localhost:{port}/customers?phone="  # another origin than the page's
    async with popup(world, port, tmp_path, env={"CRM_URL": crm + "{number}"}) as (running, link):
        await page.goes_to(link)
        await page.until("document.querySelector('#state').textContent === 'Live'")
        async with clicking(page):
            call = await world.customer("0097150000000").dials(world.agent("5555"))
            await opens(browser, page, f"{crm}%2B97150000000")
            await page.until(f"{FIRST}?.dataset.popup === 'opened'")
            assert await page.js(f"{FIRST}.querySelector('strong').textContent") == ANN
            await page.js(f"[...{FIRST}.querySelectorAll('button')].find((b) => b.textContent === 'Answer').click()")
            await page.until(f"{FIRST}.querySelector('span').textContent === 'inbound, active'")
            await call.hangs_up()
            await page.until(f"{FIRST}.classList.contains('over')")

            await clicked(page)
            await page.js("document.forms[1].elements.number.value = '+97150000001'; document.forms[1].requestSubmit()")
            out = f"{crm}%2B97150000001"
            await opens(browser, page, f"{crm}%2B97150000000", out)
            await page.until(f"{FIRST}.querySelector('a').href === {out!r}")
        # Neither is opened again by another tab, or by the same one when it is loaded again.
        second = await beside(browser, page)
        await second.goes_to(link.partition("#")[0])
        await page.call("Page.reload")
        for tab in (page, second):
            async with clicking(tab):
                await tab.until(f"{FIRST}?.querySelector('a')?.href === {out!r}")
        assert len([url for url in await windows(browser, page) if url.startswith(crm)]) == 2
    # The bot has heard of both, too.
    assert re.search(r"\+97150000000 calls: http://localhost", running.errors)
    assert re.search(r"\+97150000001 is called: http://localhost", running.errors)


async def test_a_blocked_pop_up_is_in_the_list(
    page: Page, browser: Browser, world: ServedWorld, tmp_path: Path
) -> None:
    """As with a browser that was not told to allow them. The program's own page of a customer is the CRM here."""
    port = free_port()
    async with popup(world, port, tmp_path) as (_, link):
        await page.goes_to(link)
        await page.until("document.querySelector('#state').textContent === 'Live'")
        await world.customer(ANN, name="<img src=x onerror=alert(1)>").dials(world.agent("5555"))
        await page.until(f"{FIRST}?.dataset.popup === 'blocked'")
        assert "Allow pop-ups" in await page.js(f"{FIRST}.textContent")
        assert await windows(browser, page) == []
        where = f"http://127.0.0.1:{port}/customers?phone=%2B97150000000"
        attributes = "['href', 'target', 'rel'].map((name) => l.getAttribute(name))"
        assert await page.js(f"(l => {attributes})({FIRST}.querySelector('a'))") == [
            where,
            "_blank",
            "noopener noreferrer",
        ]
        await page.call("Runtime.evaluate", expression=f"{FIRST}.querySelector('a').click()", userGesture=True)
        await opens(browser, page, where)
        attached = await browser.call("Target.attachToTarget", targetId=await target_of(browser, where), flatten=True)
        asked = await browser.call("Runtime.evaluate", attached["sessionId"], expression="String(window.opener)")
        assert asked["result"]["value"] == "null"
        assert page.problems == []  # before the program ends, which the page notices


async def test_what_is_no_web_address_is_not_opened(
    page: Page, browser: Browser, world: ServedWorld, tmp_path: Path
) -> None:
    env = {"CRM_URL": "java\r\nscript:alert(1)//{number}"}  # browsers read it without the line break
    async with popup(world, free_port(), tmp_path, env=env) as (running, link):
        await page.goes_to(link)
        await page.until("document.querySelector('#state').textContent === 'Live'")
        async with clicking(page):
            await world.customer(ANN).dials(world.agent("5555"))
            await page.until(f"{FIRST}?.querySelector('p').textContent.includes('no address that can be opened')")
        assert await windows(browser, page) == []
        assert await page.js(f"{FIRST}.querySelector('a')") is None
    assert "no record for +97150000000: the address of a record must be" in running.errors


async def test_an_agent_is_watched_over_the_live_feed(
    page: Page, browser: Browser, world: ServedWorld, tmp_path: Path
) -> None:
    pytest.importorskip("socketio")
    router = Router()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        await page.until(f"{FIRST}?.dataset.popup === 'blocked'")
        await call.answer()

    port = free_port()
    async with (
        popup(world, port, tmp_path, agent="0011", env={"ZIWO_AGENT": "5555"}) as (_, link),
        client_of(world, router=router) as ziwo,
        ziwo.phone,
    ):
        await page.goes_to(link)
        await page.until("document.querySelector('#state').textContent === 'Live'")
        call = await world.customer(ANN).dials(world.agent("5555"))
        await call.reaches("active", 30)
        await page.until(f"{FIRST}.querySelector('span').textContent === 'inbound, active'")
        assert await page.js("[document.querySelectorAll('button:not([hidden] *)').length]") == [0]

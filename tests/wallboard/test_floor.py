"""All of it: a contact centre, the live feed, the board and a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from ziwo_async import Call, Ringing, Router, ZiwoClient, ZiwoError
from ziwo_async.testing import FAST_RECONNECT, ServedWorld, serve
from ziwo_async.wallboard.board import Board
from ziwo_async.wallboard.server import WallboardServer
from ziwo_async.wallboard.watcher import Watcher

from ..browser.chromium import Page

CUSTOMER = "+97150000000"


@pytest.fixture
async def world() -> AsyncIterator[ServedWorld]:
    async with serve(agents=("0011",)) as world:
        world.add_agent("5555", first_name="Ann", last_name="Agent")
        yield world


@pytest.fixture
async def wall(world: ServedWorld) -> AsyncIterator[WallboardServer]:
    """The wallboard of agent 0011, who is an admin."""
    board, user = Board(), world.agent("0011")
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url, reconnect=FAST_RECONNECT)
    async with ziwo, ziwo.live:
        watcher = Watcher(ziwo.live, board)
        async with WallboardServer(board, watcher, title="acme") as server:
            running = asyncio.create_task(watcher.run())
            yield server
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.browser
async def test_a_call_from_ringing_to_its_end(page: Page, world: ServedWorld, wall: WallboardServer) -> None:
    router = Router()

    @router.on(Ringing)
    async def rings(call: Call, event: Ringing) -> None:
        await page.until("document.querySelector('.call .words')?.textContent.includes('ringing')")
        await call.answer()

    agent = world.agent("5555")
    await page.goes_to(wall.link)
    await page.until("document.body.dataset.feed === 'live'")
    await page.until("document.querySelectorAll('.agent').length === 2")
    ziwo = ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, router=router)
    async with ziwo, ziwo.phone:
        call = await world.customer(CUSTOMER).dials(agent, ring_timeout=30)
        await call.reaches("active", 30)
        await page.until("document.querySelector('.call .words').textContent.includes('active')")
        text = await page.js("document.querySelector('.call').innerText")
        assert CUSTOMER in text
        assert "inbound, Ann Agent" in text
        await call.hangs_up()
        await page.until("document.querySelector('.call[data-over=yes]')")
        await page.until("document.body.innerText.includes('No live calls')")
    assert page.problems == []


@pytest.mark.browser
async def test_statuses_and_waiting_callers(page: Page, world: ServedWorld, wall: WallboardServer) -> None:
    agent = world.agent("5555")
    queue = world.queue("support", agents=[agent])
    await page.goes_to(wall.link)
    await page.until("document.querySelectorAll('.agent').length === 2")
    agent.set_status("On Break")
    await page.until("[...document.querySelectorAll('.agent')].some(a => a.dataset.tone === 'rest')")
    await world.customer(CUSTOMER).dials(queue)
    await page.until("document.querySelector('.queue .waiting')?.textContent === '1'")
    await page.until("document.querySelector('.queue .wait').textContent.startsWith('longest 0:')")
    await page.until("document.querySelectorAll('.kpi').length > 5")
    assert page.problems == []


@pytest.mark.browser
async def test_a_lost_live_socket_is_said_and_comes_back(page: Page, world: ServedWorld, wall: WallboardServer) -> None:
    await page.goes_to(wall.link)
    await page.until("document.body.dataset.feed === 'live'")
    world.faults.refuse_live()
    world.faults.cut_live()
    await page.until("document.querySelector('#feed').textContent.startsWith('Stale, no live connection to ZIWO')")
    world.agent("5555").set_status("Meeting")
    world.faults.refuse_live(refuse=False)
    await page.until("document.body.dataset.feed === 'live'")
    await page.until("document.body.innerText.includes('Meeting')")


@pytest.mark.browser
async def test_who_is_no_admin_sees_why(page: Page, world: ServedWorld) -> None:
    user = world.add_agent("7777", rights=())
    board = Board()
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url)
    async with ziwo, ziwo.live:
        watcher = Watcher(ziwo.live, board)
        async with WallboardServer(board, watcher, title="acme") as server:
            running = asyncio.create_task(watcher.run())
            await page.goes_to(server.link)
            await page.until("document.querySelector('#agents-note').textContent.startsWith('Not told by ZIWO: 403')")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_feed_that_ends_for_good_ends_the_watcher_with_its_error(world: ServedWorld) -> None:
    user = world.agent("0011")
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url, reconnect=FAST_RECONNECT)
    async with ziwo, ziwo.live:
        running = asyncio.create_task(Watcher(ziwo.live, Board()).run())
        await ziwo.live.agents().first(20)
        user.password = "another"
        world.faults.live_auth_fails(1000)
        world.faults.cut_live()
        async with asyncio.timeout(20):
            with pytest.raises(ZiwoError):
                await running


async def test_the_watcher_ends_with_the_feed(world: ServedWorld) -> None:
    user = world.agent("0011")
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url)
    async with ziwo:
        async with ziwo.live:
            running = asyncio.create_task(Watcher(ziwo.live, Board()).run())
            await ziwo.live.agents().first(20)
        async with asyncio.timeout(20):
            with suppress(ZiwoError):
                await running

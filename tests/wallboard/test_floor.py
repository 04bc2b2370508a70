"""All of it: a contact centre, the live feed, the board and a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from pydantic import SecretStr

from ziwo_async import Call, LiveFeed, Ringing, Router, ZiwoClient, ZiwoError
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


async def test_what_ziwo_tells_no_more_is_taken_off_the_board(world: ServedWorld) -> None:
    """A page must not go on showing as live what the server refuses to tell since the last connect."""
    user, board = world.agent("0011"), Board()
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url, reconnect=FAST_RECONNECT)
    async with ziwo, ziwo.live:
        watcher = Watcher(ziwo.live, board)
        running = asyncio.create_task(watcher.run())
        await shows(board, lambda: board.rows("agents") and board.rows("kpis") and watcher.live)
        user.rights.discard("admin")
        world.faults.cut_live()
        await shows(board, lambda: not board.rows("agents") and not board.rows("kpis"))
        assert set(watcher.notes) == {"agents", "queues", "calls", "kpis"}
        assert not watcher.live
        user.rights.add("admin")
        world.faults.cut_live()
        await shows(board, lambda: board.rows("agents") and board.rows("kpis") and watcher.live)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_one_part_that_is_not_told_again_is_stale(world: ServedWorld) -> None:
    user, board = world.agent("0011"), Board()
    ziwo = ZiwoClient(username=user.username, password=user.password, api_url=world.api_url, reconnect=FAST_RECONNECT)
    async with ziwo, ziwo.live:
        watcher = Watcher(ziwo.live, board)
        running = asyncio.create_task(watcher.run())
        await shows(board, lambda: board.rows("agents") and board.rows("kpis") and watcher.live)
        feed, before = ziwo.live, ziwo.live.connections
        topic = feed._routes["GET /live/agents"].topic
        put, topic.put = topic.put, lambda item: None  # type: ignore[method-assign]
        world.faults.cut_live()
        await shows(board, lambda: feed.connections > before and not feed.stats().stale and not feed.calls().stale)
        assert not watcher.live
        assert topic.at is not None
        assert watcher.at == topic.at.timestamp()
        topic.put = put  # type: ignore[method-assign]
        world.agent("5555").set_status("Meeting")
        await shows(board, lambda: watcher.live)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_call_has_one_row_by_whatever_name_the_server_lists_it() -> None:
    async def token(refused: SecretStr | None) -> SecretStr:
        raise AssertionError

    feed, board = LiveFeed("http://nowhere.example", token=token), Board()
    running = asyncio.create_task(Watcher(feed, board).run())
    call = {"id": 17, "callID": "c", "agentCCLogin": "0011", "direction": "inbound", "callState": "ACTIVE"}
    feed.receive("GET /live/agents", ({"result": True, "content": {"7": {"id": 7}}},))
    await shows(board, lambda: board.rows("agents"))
    feed.receive("GET /live/calls", ({"result": True, "content": {"17": call}},))
    await shows(board, lambda: any(row["flow"] for row in board.rows("calls").values()))
    assert list(board.rows("calls")) == ["c"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def shows(board: Board, look: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not look():
            await board.wait(0.05)


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

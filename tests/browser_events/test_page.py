"""The script in a real browser: what a page is told, once each, whatever happens to tabs, connections and servers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from ziwo_async import ZiwoClient
from ziwo_async.browser import BrowserEvents
from ziwo_async.testing import FaultProxy, ServedWorld

from ..browser.chromium import Browser, Page
from .kit import CUSTOMER, PATIENCE, RECORDING, Site, beside, site
from .test_backlog import event

pytestmark = pytest.mark.browser

DETAIL = {"callID", "primaryCallID", "customerNumber", "direction", "stateFlow", "currentCall", "dialog", "state"}
COMMANDS = ["answer", "dtmf", "hangup", "hold", "transfer", "unhold"]
LIVE = "window.ziwoEvents?.state === 'live'"


async def opened(page: Page, events: BrowserEvents, at: Site) -> None:
    await page.goes_to(events.link(at.url))
    await page.until(LIVE)


async def seen(page: Page, last: str, times: int = 1) -> list[str]:
    """The states that the page was told, once it was told one of them so many times."""
    await page.until(f"seen.filter((state) => state === {json.dumps(last)}).length >= {times}")
    told: list[str] = await page.js("seen")
    return told


async def tell_on(page: Page) -> list[str]:
    """The calls that the page was told of, in order, as `<id> <state>`."""
    found: list[str] = await page.js("details.map((detail) => `${detail.callID} ${detail.state}`)")
    return found


def publish(ziwo: ZiwoClient, call_id: str, *states: str) -> None:
    ziwo.phone.dispatcher.publish(event(call_id, *states), None, None)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_a_call_in_and_a_call_out_as_the_web_phone_tells_them(
    page: Page, world: ServedWorld, ziwo: ZiwoClient
) -> None:
    world.customer("+97150000001").will(answer_after=0.05)
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at:
        await opened(page, events, at)
        assert await page.js("location.href") == at.url  # the token has left the address
        await world.customer(CUSTOMER).dials(world.agent("5555"))
        await seen(page, "ringing")
        detail = json.loads(await page.js("JSON.stringify(details[0])"))
        assert set(detail) == DETAIL
        assert (detail["customerNumber"], detail["direction"]) == (CUSTOMER, "inbound")
        assert set(detail["stateFlow"][0]) >= {"state", "date", "dateUNIX"}
        # "Full data of the call, including the ones above and much more"
        shared = {"callID", "primaryCallID", "customerNumber", "direction", "stateFlow"}
        assert {key: detail["currentCall"][key] for key in shared} == {key: detail[key] for key in shared}
        assert detail["currentCall"].items() <= detail["dialog"].items()
        functions = "Object.entries(details[0].dialog).filter(([, v]) => typeof v === 'function')"
        assert await page.js(f"{functions}.map(([name]) => name).sort()") == COMMANDS
        await page.js("details[0].dialog.answer()")
        await seen(page, "active")
        await page.js("details[0].dialog.hold()")
        await seen(page, "held")
        await page.js("details[0].dialog.unhold().then(() => details[0].dialog.dtmf('12#'))")
        await seen(page, "active", 2)
        await page.js("details[0].dialog.hangup()")
        told = await seen(page, "destroy")
        assert told == ["ringing", "answering", "active", "held", "active", "hangup", "destroy"]
        refused = await page.js("details[0].dialog.answer().catch((e) => [e instanceof Error, e.name, e.message])")
        assert refused == [True, "CallGone", "there is no such call"]

        call_id = await page.js(
            "seen.length = 0, window['_jorel-callPhoneNumber']('+97150000001').then((a) => a.callID)"
        )
        assert await seen(page, "active") == ["requesting", "trying", "early", "active"]
        assert await page.js("details.at(-1).callID") == call_id
        assert await page.js("details.at(-1).customerNumber") == "+97150000001"
        await page.js("ziwoEvents.calls[0].dialog.transfer('0011')")  # then our leg ends by itself
        await seen(page, "destroy")
        assert await page.js("ziwoEvents.calls") == []
        assert [problem for problem in page.problems if "favicon" not in problem and "404" not in problem] == []


async def test_without_control_there_is_only_data(page: Page, ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo) as events, site(events) as at:
        await opened(page, events, at)
        publish(ziwo, "1", "ringing")
        await seen(page, "ringing")
        assert await page.js("Object.values(details[0].dialog).filter((v) => typeof v === 'function')") == []
        assert await page.js("'_jorel-callPhoneNumber' in window") is False
        # What breaks in the page stays there.
        await page.js("window.addEventListener('_jorel-dialog-state-hangup', () => { throw Error('mine') }, true)")
        for call_id in ("__proto__", "constructor", "</script><script>document.title='owned'</script>"):
            publish(ziwo, call_id, "ringing", "hangup")
            publish(ziwo, call_id, "ringing", "hangup", "destroy")
        await seen(page, "destroy", 3)
        assert await page.js("ziwoEvents.calls.map((call) => call.callID)") == ["1"]
        assert await page.js("[document.title, {}.callID]") == ["page", None]


async def test_a_page_without_the_token_waits_for_it(page: Page, browser: Browser, ziwo: ZiwoClient) -> None:
    async with BrowserEvents(ziwo) as events, site(events) as at:
        await page.goes_to(at.url)
        await page.until("window.ziwoEvents?.state === 'refused'")
        publish(ziwo, "1", "ringing")
        assert await page.js("ziwoEvents.enter('wrong')") is False
        assert await page.js("seen") == []
        link = events.link(f"{at.url}?a=b#/customers/1").replace("#", "#/customers/1&")
        other = await beside(browser, page)
        await other.goes_to(link)
        await other.until(LIVE)
        assert await other.js("location.href") == f"{at.url}?a=b#/customers/1"
        assert await other.js("history.length") == await page.js("history.length")
        await page.until(LIVE)  # the cookie is of all tabs
        assert await page.js("seen") == ["ringing"]
        assert await page.js("document.cookie") == ""


# --- once each --------------------------------------------------------------------------------------------------------


async def test_a_tab_that_is_opened_in_the_middle_of_a_call(
    page: Page, browser: Browser, world: ServedWorld, ziwo: ZiwoClient
) -> None:
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at:
        publish(ziwo, "over", "ringing", "hangup", "destroy")
        publish(ziwo, "talk", "ringing", "answering", "active")
        call = await world.customer(CUSTOMER).dials(world.agent("5555"))
        await call.reaches("ringing", PATIENCE)
        await opened(page, events, at)
        assert sorted(await seen(page, "ringing")) == ["active", "ringing"]
        assert await page.js("ziwoEvents.calls.map((call) => call.state).sort()") == ["active", "ringing"]
        await page.js("details.find((detail) => detail.state === 'ringing').dialog.answer()")
        await seen(page, "active", 2)
        second = await beside(browser, page)
        await second.goes_to(at.url)
        await second.until(LIVE)
        assert await second.js("seen") == ["active", "active"]
        await call.hangs_up()
        for tab in (page, second):
            assert (await seen(tab, "destroy"))[-2:] == ["hangup", "destroy"]


async def test_many_tabs_share_one_stream_and_each_is_told_each_event_once(
    page: Page, browser: Browser, ziwo: ZiwoClient
) -> None:
    async with BrowserEvents(ziwo) as events, site(events) as at:
        await opened(page, events, at)
        tabs = [page]
        for _ in range(7):  # one more than the connections that a browser makes to one server
            tabs.append(await beside(browser, page))
            await tabs[-1].goes_to(at.url)
        for tab in tabs:
            await tab.until(LIVE)
        assert len(events._streams) == 1
        for number in range(20):
            publish(ziwo, str(number), "ringing")
        wanted = [f"{number} ringing" for number in range(20)]
        for tab in tabs:
            await seen(tab, "ringing", 20)
            assert await tell_on(tab) == wanted

        await page.call("Page.close")  # the one that reads the stream
        for number in range(20, 40):
            publish(ziwo, str(number), "ringing")
            await asyncio.sleep(0.005)
        wanted += [f"{number} ringing" for number in range(20, 40)]
        for tab in tabs[1:]:
            await seen(tab, "ringing", 40)
            assert await tell_on(tab) == wanted
        assert len(events._streams) == 1


async def test_a_tab_that_sleeps_holds_the_others_up_for_seconds_only(
    page: Page, browser: Browser, ziwo: ZiwoClient
) -> None:
    async with BrowserEvents(ziwo) as events, site(events) as at:
        await opened(page, events, at)
        second = await beside(browser, page)
        await second.goes_to(at.url)
        await second.until(LIVE)
        await page.call("Page.setWebLifecycleState", state="frozen")  # the one that reads the stream
        publish(ziwo, "1", "ringing")
        await second.js("(now => { Date.now = () => now() + 60_000 })(Date.now)")  # instead of waiting
        assert await seen(second, "ringing") == ["ringing"]
        await page.call("Page.setWebLifecycleState", state="active")
        publish(ziwo, "1", "ringing", "hangup")
        for tab in (page, second):
            assert await seen(tab, "hangup") == ["ringing", "hangup"]


@pytest.mark.parametrize("alone", [False, True], ids=["shared", "old browser"])
async def test_a_lost_connection_loses_and_doubles_nothing(page: Page, ziwo: ZiwoClient, alone: bool) -> None:
    if alone:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.BroadcastChannel")
    async with BrowserEvents(ziwo) as events, site(events) as at:
        port = int(at.url.rpartition(":")[2].rstrip("/"))
        async with FaultProxy("127.0.0.1", port) as proxy:
            await page.goes_to(events.link(f"http://{proxy.address}/"))
            await page.until(LIVE)
            for number in range(60):
                publish(ziwo, str(number), "ringing")
                if number % 20 == 10:
                    proxy.refuse()
                    proxy.reset()
                    await page.until("ziwoEvents.state === 'lost'")
                if number % 20 == 15:
                    proxy.refuse(False)
                    await page.until(LIVE)
                await asyncio.sleep(0)
            await seen(page, "ringing", 60)
            assert await tell_on(page) == [f"{number} ringing" for number in range(60)]
            assert (await page.js("states"))[:3] == ["live", "lost", "live"]


async def test_a_server_that_begins_anew_ends_the_calls_it_does_not_know(
    page: Page, browser: Browser, ziwo: ZiwoClient
) -> None:
    async with BrowserEvents(ziwo, control=True) as events, site(events) as at:
        token = events.link("").partition("=")[2]
        await opened(page, events, at)
        for call_id in ("gone", "kept", "ended"):
            publish(ziwo, call_id, "ringing")
        publish(ziwo, "ended", "ringing", "hangup")
        await seen(page, "hangup")
        second = await beside(browser, page)
        await second.goes_to(at.url)
        await second.until("seen.length === 3")
        await page.js("details.length = seen.length = 0")
        port = int(at.url.rpartition(":")[2].rstrip("/"))
    async with BrowserEvents(ziwo, control=True) as events:
        publish(ziwo, "kept", "ringing", "answering")
        publish(ziwo, "new", "ringing")
        async with site(events, port=port) as at:
            await page.until("ziwoEvents.state === 'refused'")  # it has a token of its own
            assert token not in events.link("")
            await page.js(f"ziwoEvents.enter({json.dumps(events.link('').partition('=')[2])})")
            wanted = Counter(["gone hangup", "gone destroy", "ended destroy", "kept answering", "new ringing"])
            for tab in (page, second):
                await tab.until("ziwoEvents.state === 'live' && details.some((detail) => detail.callID === 'new')")
                told = await tell_on(tab)
                assert Counter(told[-5:]) == wanted
                assert told.index("gone hangup") < told.index("gone destroy")
            made_up: list[Any] = await page.js(
                "details.filter((d) => d.callID === 'gone').map((d) => d.stateFlow.at(-1))"
            )
            assert [(step["state"], step["inferred"]) for step in made_up] == [("hangup", True), ("destroy", True)]
            # Commands need the new server's token, and have it.
            assert await page.js("ziwoEvents.calls[0].dialog.hold().catch((error) => error.name)") == "CallGone"


async def test_the_script_may_be_there_twice_and_later(page: Page, ziwo: ZiwoClient) -> None:
    late = RECORDING.replace('<script src="/ziwo/ziwo-events.js"></script>', "") + (
        "<script>for (const _ of [1, 2]) document.head.append(Object.assign(document.createElement('script'),"
        " {src: '/ziwo/ziwo-events.js', async: true}))</script>"
    )
    async with BrowserEvents(ziwo) as events, site(events, pages={"/": late}) as at:
        await opened(page, events, at)
        publish(ziwo, "1", "ringing")
        publish(ziwo, "1", "ringing", "hangup")
        assert await seen(page, "hangup") == ["ringing", "hangup"]

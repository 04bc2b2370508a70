"""A page written for ZIWO's web phone works as it is: the pop-up of ZIWO's page for developers, in our words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ziwo_async import ZiwoClient
from ziwo_async.browser import BrowserEvents
from ziwo_async.testing import ServedWorld

from ..browser.chromium import Browser, Page
from .kit import CUSTOMER, clicked, clicking, site, windows

pytestmark = pytest.mark.browser

PATHS = ("customers?phone=%2B97150000000", "customers?phone=%2B97150000001")
PAGE = """<!doctype html><title>A CRM's page</title>
<script>
  function addressOfCustomer(number) {
    const address = location.origin + "/customers?phone=" + encodeURIComponent(number);
    return %s;
  }
  async function openCustomer(event) {
    window.open(await addressOfCustomer(event.detail.customerNumber));
  }
  window.addEventListener('_jorel-dialog-state-ringing', openCustomer);
  window.addEventListener('_jorel-dialog-state-early', openCustomer);
</script>
<script src="/ziwo/ziwo-events.js"></script>
"""


def recipe_of_the_docs() -> str:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "pop-the-crm.md").read_text(encoding="utf-8")
    return text.split("```html\n")[1].split("```")[0]


@pytest.mark.parametrize(
    ("text", "inbound", "outbound"),
    [
        (PAGE % "address", *PATHS),
        (PAGE % "new Promise((give) => setTimeout(() => give(address), 20))", *PATHS),
        (recipe_of_the_docs(), "customers", "customers"),
    ],
    ids=["a text", "a promise", "the one of the docs"],
)
async def test_the_documented_pop_up_opens_for_a_call_in_and_a_call_out(
    page: Page, browser: Browser, world: ServedWorld, ziwo: ZiwoClient, text: str, inbound: str, outbound: str
) -> None:
    world.customer("+97150000001").never_answers(early_media=True)
    pages = {"/": text, "/customers": "Ann", "/record": "/customers"}
    async with BrowserEvents(ziwo) as events, site(events, pages=pages) as at:
        await page.goes_to(events.link(at.url))
        await page.until("window.ziwoEvents?.state === 'live'")
        async with clicking(page), asyncio.timeout(30):
            await world.customer(CUSTOMER).dials(world.agent("5555"))
            while await windows(browser, page) != [at.url + inbound]:
                await asyncio.sleep(0.05)
            await clicked(page)
            await ziwo.phone.dial("+97150000001")
            while sorted(await windows(browser, page)) != [at.url + inbound, at.url + outbound]:
                await asyncio.sleep(0.05)

"""What docs/how-to/web-phone.md writes for the page itself, in the page."""

from __future__ import annotations

import pytest

from ziwo_async.embed import WebCallback, WebPhone

from ..docs.blocks import ROOT, blocks
from .conftest import Site

pytestmark = pytest.mark.browser

CLICK_TO_CALL, OFFLINE = (block.code for block in blocks(ROOT / "docs/how-to/web-phone.md") if block.language == "html")


async def test_a_number_that_calls_when_it_is_clicked(site: Site) -> None:
    await site.shows(WebPhone().html(), after=CLICK_TO_CALL)
    await site.tab.until("window.ran")
    await site.tab.js("window['_jorel-callPhoneNumber'] = (number) => { window.called = number; }")
    await site.tab.js("document.querySelector('main').click()")
    assert await site.tells("window.called ?? null") is None
    await site.tab.js("document.querySelector('button').click()")
    assert await site.tells("window.called") == "+97150000000"
    assert site.tab.problems == []


@pytest.mark.parametrize(("hour", "offline"), [(4, True), (5, False), (13, False), (14, True)])
async def test_a_button_that_is_offline_by_a_rule_of_the_page(site: Site, hour: int, offline: bool) -> None:
    clock = f"<script>Date.prototype.getUTCHours = () => {hour}</script>"
    await site.shows(WebCallback(contact_center="acme", extensions=["0011"]).html(), before=clock, after=OFFLINE)
    await site.tab.until("document.querySelector('#__webcallback')?.className")
    config = await site.tells("JSON.parse(document.querySelector('#webcallbackConfig').content)")
    assert config["offline"] is offline
    assert site.tab.problems == []

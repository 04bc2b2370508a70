"""The kit that drives the browser: when it is needed, and what it answers itself."""

from __future__ import annotations

import pytest

from .chromium import Browser, Page, needed


@pytest.mark.parametrize("env", [{}, {"CI": "false"}])
def test_without_a_browser_its_tests_are_skipped(env: dict[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match="no chromium is installed"):
        needed(None, env)


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_but_not_in_ci(value: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="no chromium is installed"):
        needed(None, {"CI": value})


LOAD = """new Promise((told) => {
    const script = document.createElement("script");
    Object.assign(script, {src: "%s", onload: () => told("loaded"), onerror: () => told("refused")});
    document.documentElement.append(script);
})"""


@pytest.mark.browser
async def test_other_hosts_are_answered_inside_the_browser(page: Page) -> None:
    await page.stands_in({"host.invalid/a.js": "window.ran = 'a.js'"})
    assert await page.js(LOAD % "https://host.invalid/a.js?v=1") == "loaded"
    assert await page.js("window.ran") == "a.js"
    assert await page.js(LOAD % "https://host.invalid/b.js") == "refused"


@pytest.mark.browser
async def test_tabs_share_nothing(browser: Browser) -> None:
    first, second = await browser.page(), await browser.page()
    await first.stands_in({"host.invalid/": "<!doctype html>"})
    await second.stands_in({"host.invalid/": "<!doctype html>"})
    for tab in (first, second):
        await tab.goes_to("https://host.invalid/")
        await tab.until("location.host === 'host.invalid' && document.readyState === 'complete'")
    await first.js("localStorage.setItem('a', 1); document.cookie = 'a=1'")
    assert await second.js("[localStorage.length, document.cookie]") == [0, ""]

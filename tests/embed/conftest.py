"""A site on this machine whose pages have snippets, and stand-ins for the scripts that ZIWO serves."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ..browser.chromium import Page

JOREL = "https://jorel.ziwo.io/master/latest/jorel.js"
WEBCALLBACK = "https://webcallback.ziwo.io/master/latest/webcallback.js"
POLYFILLS, PLUGIN, STYLES = (
    f"https://plugin.ziwo.io/ziwo.{name}" for name in ("polyfills.js", "plugin.js", "styles.css")
)

# What they do is ZIWO's; these note in which order they came, and what was there by then.
_PHONE = "(window.ran ??= []).push('jorel'); window.stored = {...localStorage};"
_WIDGET = """
const meta = document.createElement("meta");
meta.id = "webcallbackConfig";
const button = document.createElement("button");
button.id = "__webcallback";
document.head.append(meta);
document.body.append(button);
window.ran = ["webcallback"];
for (const name of ["setWebcallbackConfiguration", "setWebcallbackPosition"]) {
  const theirs = window[name];
  window[name] = () => { ran.push(name); theirs(); };
}
"""
STUBS = {
    JOREL: _PHONE,
    WEBCALLBACK: _WIDGET,
    POLYFILLS: "(window.ran ??= []).push('polyfills');",
    PLUGIN: "window.ran.push('plugin'); window.stored = {...localStorage};"
    "document.querySelector('ziwo-root').textContent = 'the plugin';",
    STYLES: "ziwo-root { color: rgb(1, 2, 3) }",
}

# JSON in ASCII: a lone surrogate would not survive the way out of the browser.
_TELL = """((value) => JSON.stringify(value).replace(
  /[^ -~]/g, (unit) => "\\\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0")))(%s)"""


class Site:
    """Pages on this machine, and the tab that looks at them."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self._numbers = itertools.count(1)
        self._bodies: dict[str, tuple[str, str, Mapping[str, str]]] = {}
        app = web.Application()
        app.router.add_get("/{name:.*}", self._serve)
        self.server = TestServer(app, host="127.0.0.1")

    async def _serve(self, request: web.Request) -> web.Response:
        found = self._bodies.get(request.match_info["name"])
        if found is None:
            return web.Response(status=204)  # the icon that browsers ask for
        text, kind, headers = found
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)

    def has(self, name: str, text: str, kind: str = "text/html", **headers: str) -> None:
        """Serve something from now on."""
        self._bodies[name] = text, kind, headers

    async def shows(
        self, snippet: str, *, head: str = "", before: str = "", after: str = "", csp: str | None = None
    ) -> None:
        """Open a new page with a snippet in its body; wait until it and the scripts that it names are loaded."""
        name = f"page-{next(self._numbers)}"
        page = (
            f"<!doctype html><html><head><title>{name}</title>{head}</head>"
            f"<body><main>{before}{snippet}{after}</main></body></html>"
        )
        self.has(name, page, **({} if csp is None else {"Content-Security-Policy": csp}))
        await self.tab.goes_to(str(self.server.make_url(f"/{name}")))
        await self.tab.until(f"document.title === {name!r} && document.readyState === 'complete'")

    async def tells(self, expression: str) -> Any:
        """Give a value of the page, whatever is in its texts."""
        return json.loads(await self.tab.js(_TELL % expression))

    async def forgets(self) -> None:
        """Empty the local storage of the site."""
        await self.tab.js("localStorage.clear()")


@pytest.fixture
async def site(page: Page) -> AsyncIterator[Site]:
    await page.stands_in({url.removeprefix("https://"): text for url, text in STUBS.items()})
    made = Site(page)
    async with made.server:
        yield made

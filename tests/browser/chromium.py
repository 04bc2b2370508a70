"""A small kit that drives a real headless Chromium by the DevTools protocol.

One browser is shared by all tests of a process (`browser` and `page` in tests/conftest.py); a tab has cookies, storage
and cache of its own.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 30.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)


def chromium() -> str | None:
    """Where the browser is, if there is one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def needed(command: str | None, env: Mapping[str, str]) -> str:
    """Give the command. Without one the test is skipped, but never in CI: there it is an error."""
    if command is None:
        reason = "no chromium is installed (Debian: apt-get install chromium)"
        if env.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    return command


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._stubs: dict[str, str] = {}
        self.requests: list[str] = []
        self.problems: list[str] = []

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """Take an event of the browser."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Fetch.requestPaused":
            self._browser.spawn(self._answer(params["requestId"], params["request"]["url"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the tab."""
        return await self._browser.call(method, self._session, **params)

    async def stands_in(self, stubs: Mapping[str, str]) -> None:
        """Answer https requests inside the browser: `host/path` to the text of a script, a style sheet or a page.

        What is not in the table is not found; nothing with https leaves the machine from now on.
        """
        self._stubs.update(stubs)
        await self.call("Fetch.enable", patterns=[{"urlPattern": "https://*"}])

    async def _answer(self, request: str, url: str) -> None:
        parts = urlsplit(url)
        text = self._stubs.get(f"{parts.netloc}{parts.path}")
        kind = {"js": "text/javascript", "css": "text/css"}.get(parts.path.rpartition(".")[2], "text/html")
        await self.call(
            "Fetch.fulfillRequest",
            requestId=request,
            responseCode=404 if text is None else 200,
            responseHeaders=[
                {"name": "Content-Type", "value": f"{kind}; charset=utf-8"},
                {"name": "Access-Control-Allow-Origin", "value": "*"},  # scripts that are modules need it
            ],
            body=base64.b64encode((text or "").encode()).decode(),
        )

    async def goes_to(self, url: str) -> None:
        """Open an address."""
        await self.call("Page.navigate", url=url)

    async def js(self, expression: str) -> Any:
        """Evaluate in the page; promises are awaited."""
        found = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str, timeout: float = PATIENCE) -> Any:
        """Wait until an expression is true in the page."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    with suppress(AssertionError):  # in the middle of a navigation
                        if found := await self.js(expression):
                            return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            text = await self.js("document.body.innerText")
            raise AssertionError(f"never true: {expression}\n{self.problems}\n{text}") from None

    async def looks_like(self, *, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window and the colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self) -> bytes:
        """Take a picture of the window, as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def press(self, key: str, code: int = 0, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            given = {"text": text} if text and kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **given)


class Browser:
    """A connection to a running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._contexts: list[str] = []
        self._tasks = {asyncio.create_task(self._read())}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until it is done, or until the connection is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                waiting = self._waiting.pop(message["id"])
                if not waiting.done():
                    waiting.set_result(message)
            elif page := self._pages.get(message.get("sessionId", "")):
                page.heard(message["method"], message["params"])

    async def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command, and give its result."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        where = {"sessionId": session} if session else {}
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params, **where}))
        async with asyncio.timeout(PATIENCE):
            reply = await self._waiting[number]
        assert "error" not in reply, f"{method}: {reply['error']}"
        result: dict[str, Any] = reply["result"]
        return result

    async def page(self) -> Page:
        """Open a tab with cookies of its own."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        self._contexts.append(context)
        return await self.tab(context)

    async def tab(self, context: str) -> Page:
        """Open a tab in a context that exists: it shares cookies and storage with the others there."""
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.call(f"{domain}.enable")
        return page

    async def aclose(self) -> None:
        """Close the tabs that were opened here; the browser goes on."""
        for context in self._contexts:
            await self.call("Target.disposeBrowserContext", browserContextId=context)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Browser]:
    """Drive a browser that runs already, until the end of the block."""
    async with connect(address, max_size=2**26, ping_interval=None, proxy=None) as socket:
        browser = Browser(socket)
        try:
            yield browser
        finally:
            await browser.aclose()


@contextmanager
def running(command: str, folder: Path) -> Iterator[str]:
    """Run a browser, with a new profile in a folder, until the end of the block; gives its DevTools address."""
    process = subprocess.Popen(
        [command, *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        port, path = _address(folder / "DevToolsActivePort", process)
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(file: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, "the browser ended at once"
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)
    raise AssertionError("the browser did not say where it listens")

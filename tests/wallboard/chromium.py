"""A small kit that drives a real headless Chromium by the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

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

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the tab."""
        return await self._browser.call(method, self._session, **params)

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
    """A running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self.reader = asyncio.create_task(self._read())

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
        context = await self.call("Target.createBrowserContext")
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context["browserContextId"])
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.call(f"{domain}.enable")
        return page


@asynccontextmanager
async def running(command: str, folder: Path) -> AsyncIterator[Browser]:
    """Run a browser, with a new profile in a folder, until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        command,
        *_FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        port, path = await _address(folder / "DevToolsActivePort", process)
        async with connect(f"ws://127.0.0.1:{port}{path}", max_size=2**26, ping_interval=None, proxy=None) as socket:
            browser = Browser(socket)
            try:
                yield browser
            finally:
                browser.reader.cancel()
                await asyncio.gather(browser.reader, return_exceptions=True)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _address(file: Path, process: asyncio.subprocess.Process) -> tuple[str, str]:
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, "the browser ended at once"
            lines = _lines(file)
            if len(lines) == 2:
                return lines[0], lines[1]
            await asyncio.sleep(0.05)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []

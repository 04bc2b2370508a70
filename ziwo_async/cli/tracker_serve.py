"""`ziwo trackers serve`: a rules file as the service of a call tracker."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, cast

import typer

from .. import EXIT_CODES
from ..webhooks import TrackerService
from .running import fail, plain, run
from .tracker_rules import RulesFile, load_rules

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["serve"]

_PORT = 8067
_LONGEST_PATH = 60


def serve(
    rules: RulesFile,
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0: on every address of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = _PORT,
    prefix: Annotated[str, typer.Option(metavar="PATH", help="What stands before both paths, such as /hooks.")] = "",
) -> None:
    """Serve the two addresses of a call tracker until Ctrl-C, and show each request. Needs no account.

    It speaks plain HTTP: for ZIWO, put a server with TLS before it. Who has the key of the rules file is answered.
    """
    tracker = load_rules(rules)
    run(_serve(tracker, host, port, prefix))


async def _serve(tracker: TrackerService, host: str, port: int, prefix: str) -> int:
    from aiohttp import web

    routes = tracker.routes(prefix)
    app = web.Application(middlewares=[_shown(routes[0].path)])
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10.0)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = f"cannot listen on {host} port {port}: {error.strerror or error}"
            fail(f"{reason}; try --port 0", EXIT_CODES["connection"])
        address = runner.addresses[0]
        base = f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}"
        if not _is_here(host):
            sys.stderr.write("ziwo: the key and every number come in plain HTTP: put a server with TLS before this\n")
        sys.stdout.write(f"Start requests: {base}{routes[0].path}\nEnd requests:   {base}{routes[1].path}\n")
        sys.stdout.write("Ctrl-C ends it.\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        await tracker.aclose()
    return EXIT_CODES["stopped"]


def _shown(start_path: str) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Show each request on a line: when, which, how it was answered and how long that took."""
    from aiohttp import web

    @web.middleware
    async def show(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        began, status, said = time.monotonic(), 500, ""
        try:
            response = await handler(request)
            status = response.status
            if status == 200 and request.path == start_path:
                said = _answer(response)
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            took = (time.monotonic() - began) * 1000
            now = datetime.now().astimezone()
            sys.stdout.write(f"{now:%H:%M:%S}  {plain(request.path[:_LONGEST_PATH])}  {status}  {took:.1f} ms{said}\n")
            sys.stdout.flush()

    return show


def _answer(response: web.StreamResponse) -> str:
    from aiohttp import web

    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes):
        return ""
    content = cast("dict[str, dict[str, object]]", json.loads(body))["content"]
    rules = cast("list[dict[str, object]]", content["rules"])
    numbers = ", then ".join(str(rule["number"]) for rule in rules) or "no rules"
    return plain(f"  {content['didCalled']} -> {numbers}")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

"""The two servers of `webhooks.py`: a bare aiohttp handler, and the service. Prints its port, then serves."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from aiohttp import web

KEY = "bench-" + "k" * 32
RULES = [
    {"action": "call", "number": "0505874603", "callerID": "042789926", "timeout": 10},
    {"action": "call", "number": "047654321", "callerID": "042789926", "timeout": 15},
]


def bare() -> web.Application:
    """What somebody writes by hand: the form's field, the rules, nothing checked."""

    async def start(request: web.Request) -> web.Response:
        form = await request.post()
        content = {"didCalled": form["didCalled"], "rules": RULES}
        return web.json_response({"result": True, "content": content, "info": {}})

    app = web.Application()
    app.router.add_post("/startCall", start)
    return app


def empty() -> web.Application:
    """Less than anybody could do: the body is read and thrown away, and the answer was made before."""
    body = json.dumps({"result": True, "content": {"didCalled": "061234567", "rules": RULES}, "info": {}}).encode()

    async def start(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/startCall", start)
    return app


def service() -> web.Application:
    """The service: key, limits, every kind of body, a typed call, a deadline, typed rules."""
    from ziwo_async.webhooks import Rule, StartCall, TrackerService, call

    tracker = TrackerService(keys=[KEY], fallback=[call("0505874603")])

    @tracker.on_start
    async def route(start: StartCall) -> list[Rule]:
        return [
            call("0505874603", caller_id="042789926", timeout=10),
            call("047654321", caller_id="042789926", timeout=15),
        ]

    app = web.Application()
    app.add_routes(tracker.routes())
    return app


async def serve(name: str) -> None:
    """Serve until killed. A line on standard input asks for the CPU seconds so far."""
    runner = web.AppRunner({"bare": bare, "empty": empty, "service": service}[name](), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def asked() -> None:
        if not sys.stdin.readline():
            ended.set()
            loop.remove_reader(sys.stdin)
        sys.stdout.write(f"{time.process_time()}\n")
        sys.stdout.flush()

    loop.add_reader(sys.stdin, asked)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

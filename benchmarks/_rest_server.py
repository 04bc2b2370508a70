"""A server that costs nothing to the client's side: it answers every request from bytes made before."""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web

ENVELOPE = {
    "result": True,
    "content": {
        "id": 46,
        "firstName": "Ada",
        "lastName": "Byron",
        "username": "ada@acme.example",
        "status": "active",
        "type": "agent",
        "photo": None,
        "roleId": 2,
        "role": {"id": 2, "name": "Agent", "permissions": {"eavesdrop": True}},
        "lastLoginAt": "2026-01-01T00:00:00.000Z",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "contactNumber": None,
        "profileType": "users",
        "ccLogin": "0011",
        "ccPassword": "12345678",
        "wrapUpTime": 0,
        "noAnswerTimeout": 20,
        "noAnswerDelayTime": None,
        "roamingTimeout": 20,
        "roamingContactNumber": None,
        "outboundRoaming": False,
        "autoAnswer": False,
        "languageCode": "en",
        "countryCode": "AE",
        "liveInfo": {
            "callsAnswered": "0",
            "contactString": "verto.rtc/agent-0011",
            "lastBridgeEPOCH": "0",
            "lastStatusChangeEPOCH": "0",
            "noAnswerCount": "0",
            "position": "agent-0011",
            "state": "Waiting",
            "status": "Available",
            "talkTime": "0",
            "wrapUpTime": "0",
        },
        "liveCalls": [],
    },
    "info": {},
}


async def serve() -> None:
    """Listen on a free port of loopback, print it, and serve until killed."""
    body = json.dumps(ENVELOPE).encode()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/profile", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())

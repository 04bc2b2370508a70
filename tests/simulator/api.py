"""A bare HTTP client: aiohttp and the envelope, nothing of the package's own client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp

from ziwo_async.simulator import SimAgent, Simulator

from .client import SDP, Connect, RawClient


class Answer(NamedTuple):
    status: int
    content: Any
    info: dict[str, Any]
    error: str


class Api:
    """Requests with the token of one user (or none)."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession, user: SimAgent | None) -> None:
        self.sim = sim
        self.http = http
        self.headers: dict[str, str] = {}
        if user is not None:
            self.headers["access_token"] = f"token of {user.username}"
            sim.rest.accept_token(self.headers["access_token"], user)

    async def __call__(self, method: str, path: str, **more: Any) -> Answer:
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.http.request(method, path, headers=headers, **more) as response:
            body = await response.json()
        assert set(body) == ({"result", "content", "info"} if body["result"] else {"result", "error", "info"})
        return Answer(response.status, body.get("content"), body["info"], body.get("error", {}).get("message", ""))

    async def get(self, path: str, **query: Any) -> Answer:
        return await self("GET", path, params=query)

    async def rows(self, path: str, **query: Any) -> list[Any]:
        answer = await self.get(path, **query)
        assert answer.status == 200, answer
        assert isinstance(answer.content, list)
        return answer.content

    async def ids(self, path: str, **query: Any) -> list[Any]:
        return [row["id"] for row in await self.rows(path, **query)]

    async def raw(self, method: str, path: str, **more: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and bytes; redirects are not followed."""
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.http.request(method, path, headers=headers, allow_redirects=False, **more) as response:
            return response.status, response.headers, await response.read()


async def phone(connect: Connect, agent: SimAgent, sessid: str = "") -> RawClient:
    """A phone that is logged in."""
    client = await connect()
    await client.login(agent, sessid or f"session of {agent.ccLogin}")
    return client


async def picks_up(client: RawClient) -> str:
    """Answer the next invite; gives its callID."""
    call_id = str((await client.expect("verto.invite"))["callID"])
    await client.ask("verto.answer", sdp=SDP, dialogParams={"callID": call_id})
    return call_id


def dial(client: RawClient, number: str, call_id: str = "c1") -> None:
    client.request("verto.invite", sdp=SDP, dialogParams={"callID": call_id, "destination_number": number})


async def hangs_up(client: RawClient, call_id: str, cause: str = "NORMAL_CLEARING") -> None:
    await client.ask("verto.bye", dialogParams={"callID": call_id}, cause=cause)

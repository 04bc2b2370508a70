"""How long the feed goes on trying, in virtual time: tokens that expire while nothing happens, servers that tease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from pydantic import JsonValue, SecretStr

from ziwo_async import CannotConnect, ConnectionLost, LiveFeed, ReconnectPolicy
from ziwo_async.live.socket import Address, Listener, Loss, Protocols
from ziwo_async.testing import VirtualLoop, run_virtual

HOUR = 3600.0


@dataclass
class Line:
    """A live socket without a wire."""

    protocol: Protocols = 4
    loss: Loss = field(default_factory=Loss)

    async def emit(self, event: str, data: JsonValue) -> None:
        if self.loss.happened.is_set():
            raise ConnectionLost(self.loss.reason, reason=self.loss.reason)

    async def close(self) -> None:
        self.loss.tell("closed")


class Server:
    """In the place of the connector: `live` runs for each connection that is made."""

    protocol: Protocols = 4

    def __init__(self, live: Callable[[Line, Listener], Awaitable[None]]) -> None:
        self._live = live
        self.opened = 0
        self.refusing = 0
        self._lives: set[asyncio.Future[None]] = set()

    async def open(self, address: Address, listener: Listener) -> Line:
        await asyncio.sleep(0.01)
        if self.refusing:
            self.refusing -= 1
            raise CannotConnect("nobody there")
        self.opened += 1
        line = Line()
        living = asyncio.ensure_future(self._live(line, listener))
        self._lives.add(living)
        living.add_done_callback(self._lives.discard)
        return line

    async def gone(self) -> None:
        for living in list(self._lives):
            living.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)


def hours_with(
    patch: pytest.MonkeyPatch, server: Server, hours: float, *, policy: ReconnectPolicy | None = None
) -> list[SecretStr | None]:
    """Run a feed that watches calls end, and nothing else; gives for which refused token another one was asked for."""
    asked: list[SecretStr | None] = []

    async def token(refused: SecretStr | None) -> SecretStr:
        asked.append(refused)
        return SecretStr(f"token {len(asked)}")

    async def main(loop: VirtualLoop) -> None:
        patch.setattr("ziwo_async.live.supervisor.Connector", lambda: server)
        feed = LiveFeed("http://nowhere.example", token=token, reconnect=policy, rng=loop.rng)
        try:
            async with feed:
                feed.call_history()
                ending = asyncio.ensure_future(feed.wait_closed())
                await asyncio.wait([ending], timeout=hours * HOUR)
                if ending.done():
                    ending.result()
                ending.cancel()
        finally:
            await server.gone()

    run_virtual(main, limit=(hours + 1) * HOUR)
    return asked


def test_tokens_that_expire_in_a_quiet_night_are_renewed_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call ends and no event comes, so only the time for which they were good tells that they were good."""

    async def expires(line: Line, listener: Listener) -> None:
        await asyncio.sleep(HOUR)
        line.loss.tell("expired", refused="Invalid access token")

    server = Server(expires)
    asked = hours_with(monkeypatch, server, 10.5)
    assert server.opened == 11
    assert [None if token is None else token.get_secret_value() for token in asked] == [
        None, *(f"token {number}" for number in range(1, 11)),
    ]  # fmt: skip


def test_a_server_that_throws_out_whoever_it_has_told_something_is_not_hammered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def teases(line: Line, listener: Listener) -> None:
        listener("GET /live/agents", ({"result": True, "content": {}},))
        await asyncio.sleep(0.1)
        line.loss.tell("thrown out", refused="Invalid access token")

    server = Server(teases)
    asked = hours_with(monkeypatch, server, 1)
    # Half of the cap is 15 s: 240 attempts, not 30 000.
    assert 100 < server.opened < 400
    assert len(asked) == server.opened


def test_attempts_in_vain_are_forgotten_once_a_connection_has_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stands(line: Line, listener: Listener) -> None:
        await asyncio.sleep(HOUR)
        server.refusing = 2
        line.loss.tell("lost")

    server = Server(stands)
    hours_with(monkeypatch, server, 10.5, policy=ReconnectPolicy(base=1.0, cap=5.0, max_attempts=3))
    assert server.opened == 11


def test_attempts_have_a_limit_when_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stands(line: Line, listener: Listener) -> None:
        await asyncio.sleep(HOUR)
        server.refusing = 3
        line.loss.tell("lost")

    server = Server(stands)
    with pytest.raises(ConnectionLost, match="gave up after 3 attempts"):
        hours_with(monkeypatch, server, 10.5, policy=ReconnectPolicy(base=1.0, cap=5.0, max_attempts=3))

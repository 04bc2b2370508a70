"""The program ends at any moment, and another one goes on: never two dials for one, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ziwo_async.callback import Callback, SqliteCallbacks

from ..cli.kit import program

HERE = Path(__file__).parent


class Killed(BaseException):
    """The program is dead."""


class DyingStore(SqliteCallbacks):
    """Dies at its n-th change, before or after that is on the disk; what comes later does not happen either."""

    def __init__(self, path: Path, n: int, when: str) -> None:
        super().__init__(path)
        self.left = n
        self.when = when
        self.dead = False

    async def change(
        self, id: str, work: Callable[[Callback, frozenset[str]], Callback]  # noqa: A002
    ) -> tuple[Callback, Callback] | None:  # fmt: skip
        self.left -= 1
        if self.dead or (self.left == 0 and self.when == "before"):
            self.dead = True
            raise Killed
        found = await super().change(id, work)
        if self.left == 0:
            self.dead = True
            raise Killed
        return found

    async def due(self, now: float, *, far: float) -> tuple[list[Callback], float | None]:
        return ([], None) if self.dead else await super().due(now, far=far)


async def live_until_dead(centre, n: int, when: str, *extensions: str, **options: object) -> tuple[str, bool]:
    store = DyingStore(centre.path, n, when)
    service = await centre.service(*extensions, store=store, **options)
    asked = await service.request(centre.VISITOR, key="form-1")
    async with asyncio.timeout(30):
        while not store.dead:
            found = await store.get(asked.id)
            assert found is not None
            if found.over:
                return asked.id, False
            await service.tick()
            centre.clock.advance(0.3)
            await asyncio.sleep(0.01)
    return asked.id, True


async def go_on(centre, key: str, *extensions: str, **options: object) -> Callback:
    service = await centre.service(*extensions, **options)
    again = await service.request(centre.VISITOR, key="form-1")
    assert again.id == key  # nothing is lost, and asking again is no new request
    return await centre.until(service, key, lambda it: it.over, pace=None)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", range(1, 6))
async def test_killed_at_each_step_of_a_callback_that_works(centre, n, when):
    centre.world.customer(centre.VISITOR).will(answer_after=0.2)
    await centre.phone("5555")
    key, died = await live_until_dead(centre, n, when, "5555")
    done = await go_on(centre, key, "5555")
    if died and (n, when) == (1, "after"):
        # Written down, and never sent. Nobody can tell that from one that was sent and did nothing.
        assert (done.state, centre.dials()) == ("unclear", [])
    else:
        assert (done.state, centre.dials()) == ("connected", ["5555"])
    assert len(centre.world.calls) == len(centre.dials())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", [2, 4, 5, 7])
async def test_killed_at_steps_of_one_that_needs_two_agents(centre, n, when):
    centre.world.customer(centre.VISITOR).will(answer_after=0.2)
    await centre.phone("5555", "reject")
    await centre.phone("6666")
    options = {"retries": 0, "extension_delay": 1}
    key, _ = await live_until_dead(centre, n, when, "5555", "6666", **options)
    done = await go_on(centre, key, "5555", "6666", **options)
    dials = centre.dials()
    assert dials == list(dict.fromkeys(dials))  # each agent once
    assert (done.state == "connected") == (dials == ["5555", "6666"])
    assert done.state in {"connected", "unclear"}
    if done.state == "unclear":
        assert len(dials) == len(done.attempts) - 1  # the last one was never sent
    assert [each.extension for each in done.attempts] == ["5555", "6666"][: len(done.attempts)]


@pytest.mark.parametrize("moment", ["the answer is under way", "the agent is rung", "the visitor is rung"])
async def test_killed_for_real(centre, moment):
    """SIGKILL to a process of its own; this process goes on with its file."""
    visitor = centre.world.customer(centre.VISITOR)
    visitor.will(answer_after=1.0 if moment == "the visitor is rung" else 0.1)
    agent = centre.world.agent("5555")
    answers = moment != "the agent is rung"
    await centre.phone("5555", "answer" if answers else "nothing")
    if moment == "the answer is under way":
        centre.world.faults.late_http(60.0, f"/integrations/cti/agents/5555/call/{centre.VISITOR}")
    admin = centre.world.agent("0011")
    arguments = (centre.world.api_url, admin.username, admin.password, centre.world.cti_key, centre.path)
    async with program(sys.executable, HERE / "dying.py", *arguments, centre.VISITOR) as dying:
        await centre.world.watch.until(lambda: agent.calls or None, 20, lambda: "nobody is rung")
        if moment != "the answer is under way":
            await dying.says("calling")
        if moment == "the visitor is rung":
            await visitor.is_called(20)
        key = dying.out[0]
        dying.process.send_signal(signal.SIGKILL)
        assert await dying.ends() == -signal.SIGKILL
    assert dying.err == []
    with closing(sqlite3.connect(centre.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (record,) = db.execute("SELECT record FROM callbacks WHERE id = ?", (key,)).fetchone()
    assert ('"dialling"' in record) == (moment == "the answer is under way")
    if not answers:
        (call,) = centre.world.calls
        await call.hangs_up()  # the agent did not pick up while the program was away
        await call.reaches("ended")
    done = await go_on(centre, key, "5555")
    assert centre.dials() == ["5555"]
    assert (done.state, done.reason) == (("connected", None) if answers else ("failed", "no agent"))

"""The program ends at any moment, and another one goes on: never two dials for one, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ziwo_async.callback import Callback, SqliteCallbacks, runner
from ziwo_async.config import Timeouts
from ziwo_async.errors import StoreError

from ..cli.kit import program

HERE = Path(__file__).parent
PATH = "/integrations/cti/agents/5555/call/+97150000000"


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

    async def due(self, now: float) -> tuple[list[Callback], float | None]:
        return ([], None) if self.dead else await super().due(now)


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


class FullDisk(SqliteCallbacks):
    """Has no room for its n-th change."""

    def __init__(self, path: Path, n: int) -> None:
        super().__init__(path)
        self.left = n

    async def change(
        self, id: str, work: Callable[[Callback, frozenset[str]], Callback]  # noqa: A002
    ) -> tuple[Callback, Callback] | None:  # fmt: skip
        self.left -= 1
        if self.left == 0:
            raise StoreError("the disk is full")
        return await super().change(id, work)


@pytest.mark.parametrize("n", [1, 2, 3])
async def test_a_full_disk_costs_time_and_no_second_dial(centre, n):
    """Without room for the dial nothing is sent; without room for its answer the call is looked for."""
    centre.world.customer(centre.VISITOR).will(answer_after=0.2)
    await centre.phone("5555")
    service = await centre.service("5555", store=FullDisk(centre.path, n))
    asked = await service.request(centre.VISITOR)
    await service.tick()
    assert centre.dials() == ([] if n == 1 else ["5555"])
    done = await centre.over(service, asked.id)
    assert (done.state, centre.dials()) == ("connected", ["5555"])


async def test_a_close_that_cannot_wait_leaves_the_dial_to_the_next_one(centre, monkeypatch):
    centre.world.customer(centre.VISITOR).will(answer_after=0.2)
    await centre.phone("5555")
    monkeypatch.setattr(runner, "_CLOSE_WITHIN", 0.05)
    centre.world.faults.late_http(60.0, PATH)
    service = await centre.service("5555")
    asked = await service.request(centre.VISITOR, key="form-1")
    ticking = asyncio.create_task(service.tick())
    await centre.world.watch.until(lambda: centre.world.calls or None, 20, lambda: "no call")
    await service.aclose()
    await ticking
    left = await service.get(asked.id)
    assert left is not None
    assert left.state == "dialling"
    assert (await go_on(centre, asked.id, "5555")).state == "connected"
    assert centre.dials() == ["5555"]


@pytest.mark.parametrize("seed", range(4))
async def test_any_mixture_of_faults_and_deaths(centre, seed):
    """Refused, lost, late and unreadable answers, visitors of every kind, and a program that dies now and then."""
    rng = random.Random(seed)
    world = centre.world
    visitor = world.customer(centre.VISITOR)
    for agent in ("5555", "6666"):
        await centre.phone(agent, rng.choice(["answer", "answer", "reject"]))
    options = {"retries": 2, "extension_delay": 5}
    service = await centre.service(
        "5555", "6666", client=await centre.client(timeouts=Timeouts(request=0.3)), **options
    )
    asked = await service.request(centre.VISITOR, key="form-1")
    async with asyncio.timeout(40):
        while not (now := await service.get(asked.id)) or not now.over:
            match rng.randrange(8):
                case 0:
                    visitor.will(answer_after=rng.choice([0.0, 0.2])).hangs_up_after(rng.choice([0.0, 5.0]))
                case 1:
                    visitor.is_busy(after=rng.choice([0.0, 0.2]))
                case 2:
                    dial = f"/integrations/cti/agents/{rng.choice(['5555', '6666'])}/call/{centre.VISITOR}"
                    world.faults.late_http(rng.choice([0.0, 0.5]), dial)
                    if rng.random() < 0.4:
                        world.faults.next_http(rng.choice([412, 429, 502]), path=dial)
                case 3:
                    world.faults.flaky_http(rng.choice([0, 2]), 503, "/callHistory/")
                case 4:
                    client = await centre.client(timeouts=Timeouts(request=0.3))
                    store = DyingStore(centre.path, rng.randrange(1, 6), rng.choice(["before", "after"]))
                    service = await centre.service("5555", "6666", client=client, store=store, **options)
                case _:
                    pass
            if isinstance(dying := service._store, DyingStore) and dying.dead:
                service = await centre.service("5555", "6666", client=client, **options)
            await service.tick()
            alive = any(call.state != "ended" for call in world.calls)
            centre.clock.advance(0.5 if alive else rng.choice([0.5, 10.0]))
            await asyncio.sleep(0.01)
    assert len(now.attempts) <= 6
    made = len(world.calls)
    talks = sum(cdr.answered_at is not None for cdr in world.history)
    assert made <= len(centre.dials())
    assert talks <= 1
    if now.state == "failed":
        assert talks == 0


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
        await centre.world.watch.until(lambda: agent.calls or None, 30, lambda: "nobody is rung")
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

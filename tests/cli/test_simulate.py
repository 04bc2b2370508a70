"""`ziwo simulate`: every other command has something to show there, and it can be strict, slow and flaky."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from ziwo_async import ZiwoClient
from ziwo_async.cli.app import app
from ziwo_async.cli.simulate import addresses, welcome
from ziwo_async.cli.simulated import make_world
from ziwo_async.simulator import Simulator

from .kit import ZIWO, Program, finished, program


@dataclass
class Simulated:
    """A contact centre that `ziwo simulate` serves, and what it told."""

    told: dict[str, Any]

    def env(self, who: dict[str, str]) -> dict[str, str]:
        return {
            "ZIWO_API_URL": self.told["api_url"],
            "ZIWO_USERNAME": who["username"],
            "ZIWO_PASSWORD": who["password"],
        }

    async def run(self, *command: str | Path, who: dict[str, str] | None = None) -> tuple[int, Program]:
        return await finished(*ZIWO, *command, env=self.env(who or self.told["agents"][0]))

    async def rows(self, *command: str | Path, who: dict[str, str] | None = None) -> list[Any]:
        code, done = await self.run(*command, "--json", who=who)
        assert (code, done.errors) == (0, "")
        return [json.loads(line) for line in done.out]


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@asynccontextmanager
async def simulated(*options: str) -> AsyncIterator[Simulated]:
    async with program(*ZIWO, "simulate", "--port", "0", "--calls-every", "0", "--json", *options) as centre:
        yield Simulated(json.loads((await centre.says("{"))[0]))
        assert await centre.stops() == 0
        assert centre.err == []


SHOWS_SOMETHING = """
    history, history --missed, history --own, history --last 7d --queue support, history --number +971500000101, agents,
    agents --admin, queues, queues --admin, numbers, numbers --admin, trackers list, trackers show campaign,
    trackers logs, trackers test campaign, status, status --list, whoami, ping
"""


async def test_every_command_shows_something() -> None:
    async with simulated() as centre:
        env = centre.env(centre.told["agents"][0])
        for command in SHOWS_SOMETHING.split(","):
            # In this process: so many of their own would take long.
            done = await asyncio.to_thread(CliRunner().invoke, app, [*command.split(), "--json"], env=env)
            assert (done.exit_code, done.stderr) == (0, ""), command
            assert [json.loads(line) for line in done.stdout.splitlines()], command


async def test_the_recordings_and_the_voicemail_of_its_history_can_be_fetched(tmp_path: Path) -> None:
    async with simulated() as centre:
        calls = await centre.rows("history")
        assert {call["direction"] for call in calls} == {"inbound", "outbound"}
        recorded = next(call for call in calls if call["recordingFile"] and not call["voicemail"])
        message = next(call for call in calls if call["voicemail"])
        for call, more in ((recorded, ()), (message, ("--voicemail",))):
            code, got = await centre.run("recording", "get", call["callID"], "-o", tmp_path, *more)
            assert code == 0, got.errors
            assert sizes(tmp_path)[f"{call['callID']}.mp3"] > 1000


async def test_the_services_of_its_tracker_answer() -> None:
    async with simulated() as centre:
        (tried,) = await centre.rows("trackers", "test", "campaign")
        assert (tried["startCall"]["status"], tried["endCall"]["status"]) == (200, 200)


async def test_services_elsewhere_are_called_where_that_is_allowed() -> None:
    async with simulated("--allow-host", "0.0.0.0") as centre:
        who, url = centre.told["admin"], centre.told["api_url"]
        service = f"{url}/callTrackers/example/startCall"
        async with ZiwoClient(api_url=url, username=who["username"], password=who["password"]) as ziwo:
            for host, tried in (("0.0.0.0", True), ("tracker.example", False)):
                await ziwo.trackers.update(1, start_url=service.replace("127.0.0.1", host))
                answer = await ziwo.trackers.test(1)
                assert isinstance(answer, dict)
                assert answer["startCall"]["tried"] is tried, answer


async def test_its_key_and_its_customers() -> None:
    async with simulated() as centre:
        url, agent = centre.told["api_url"], centre.told["agents"][0]
        async with ZiwoClient(api_url=url, api_key=centre.told["api_key"]) as cti:
            assert await cti.cti.current_call(agent["agent"]) is None
        async with ZiwoClient(api_url=url, username=agent["username"], password=agent["password"]) as ziwo:
            assert [customer.phone async for customer in ziwo.crm.customers(phone="00971500000101")] == [
                "+971500000101"
            ]


async def test_every_agent_may_do_everything_unless_agents_are_plain() -> None:
    async with simulated("--plain-agents") as centre:
        code, refused = await centre.run("history")
        assert (code, refused.out) == (3, [])
        assert "You have no permission for this: admin" in refused.errors
        assert await centre.rows("history", "--own")
        assert await centre.rows("history", who=centre.told["admin"])
    async with simulated() as centre:
        assert await centre.rows("history", who=centre.told["agents"][1])


async def test_a_slow_one() -> None:
    async with simulated("--slow", "0.25") as centre:
        (answer,) = await centre.rows("ping")
        assert answer["seconds"] >= 0.25


async def test_a_flaky_one() -> None:
    async with simulated("--flaky", "2") as centre:
        outcomes = [await centre.run("ping") for _ in range(4)]
        assert [code for code, _ in outcomes] == [0, 1, 0, 1]
        assert "HTTP 503" in outcomes[1][1].errors
        assert await centre.rows("queues")  # what only reads is tried again


async def test_an_output_that_ends_early_ends_it_quietly() -> None:
    simulate = f"{shlex.join(ZIWO)} simulate --port 0 --calls-every 0.1 --agent 5555"
    async with program("bash", "-c", f"{simulate} | head -14; echo ${{PIPESTATUS[0]}}") as centre:
        await centre.says("the echo test")
        told = dict(re.findall(r"^export ZIWO_(\w+)=(\S+)$", centre.text, re.MULTILINE))
        ziwo = ZiwoClient(api_url=told["API_URL"], username=told["USERNAME"], password=told["PASSWORD"])
        try:
            await ziwo.phone.start()  # somebody to call, which is told
            assert await centre.ends() == 0
        finally:
            await ziwo.abort()
    assert (centre.out[-1], centre.err) == ("1", [])


async def test_people_are_told_what_programs_are() -> None:
    for rights, warned in ((None, False), ((), True)):
        async with Simulator(make_world(("5555", "0011"), rights=rights)) as simulator:
            told, said = addresses(simulator), welcome(simulator)
        assert f"export ZIWO_API_KEY={told['api_key']}" in said
        words = re.findall(r"'(?:username|password)': '([^']+)'", str(told))
        assert len(words) == 6
        assert all(word in said for word in words)
        assert ("403" in said) is warned

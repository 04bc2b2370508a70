"""A bot written only from the README works against `ziwo simulate` started in another terminal."""

from __future__ import annotations

import re
import shlex
import socket
import sys
from pathlib import Path

import pytest

from ziwo_async.cli.simulate import API_PORT, make_world, welcome
from ziwo_async.simulator import Simulator

from ..cli.kit import ZIWO, program
from .blocks import ROOT, blocks

README = ROOT / "README.md"


def shell_commands() -> list[str]:
    lines = "".join(block.code for block in blocks(README) if block.language == "sh").splitlines()
    return [line.partition("#")[0].strip() for line in lines]


def the_bot() -> str:
    return next(block.code for block in blocks(README) if block.language == "python")


def exports(lines: list[str]) -> dict[str, str]:
    told = [shlex.split(line)[1] for line in lines if line.startswith("export ")]
    return dict(name_value.split("=", 1) for name_value in told)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def test_the_bot_of_the_readme_works(tmp_path: Path) -> None:
    bot_file = tmp_path / "bot.py"
    bot_file.write_text(the_bot())
    commands = shell_commands()
    simulate = next(shlex.split(line) for line in commands if line.startswith("ziwo simulate"))
    environment = exports(commands)
    assert "python bot.py" in commands
    # As written, but for the port: the default one may be taken on the machine that runs the tests.
    port = free_port()
    environment["ZIWO_API_URL"] = environment["ZIWO_API_URL"].replace(str(API_PORT), str(port))
    async with program(*ZIWO, *simulate[1:], "--port", str(port)) as centre:
        await centre.says("export ZIWO_PASSWORD=")
        async with program(sys.executable, "-u", bot_file, env=environment) as bot:
            await bot.says("call from", timeout=40)
            await centre.says("talks to agent 5555", times=2)
            await centre.says("over: NORMAL_CLEARING")
            assert await bot.stops() == 0
        assert bot.err == []
        assert re.match(r"call from \+97150000010\d", bot.out[0])
        assert "over: NORMAL_CLEARING after ringing answering active hangup" in bot.out
        assert await centre.stops() == 0
        assert centre.err == []


async def test_the_readme_tells_what_simulate_tells() -> None:
    async with Simulator(make_world(("5555", "0011"))) as simulator:
        told = welcome(simulator).replace(simulator.api_url, f"http://127.0.0.1:{API_PORT}")
    assert exports(told.splitlines()) == exports(shell_commands())


def test_the_bot_has_about_15_lines() -> None:
    assert len([line for line in the_bot().splitlines() if line]) <= 15


def test_the_excerpt_of_the_demo_is_what_it_draws() -> None:
    excerpt = next(block.code for block in blocks(README) if block.language == "text")
    states = [line.split()[2] for line in excerpt.splitlines() if re.match(r"  [┌├└]", line)]
    assert states == ["ringing", "answering", "active", "held", "active", "hangup", "destroy"]


LINKS = set(re.findall(r"\]\(([^)#h][^)#]*)", README.read_text(encoding="utf-8")))


# Only these: the tests also run in a tree that has nothing else of the repository.
@pytest.mark.parametrize("link", sorted(link for link in LINKS if link.startswith(("docs/", "examples/"))))
def test_the_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists(), link

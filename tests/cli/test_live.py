"""`ziwo live` and `ziwo wallboard`, against the simulator's live socket."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ziwo_async.testing import ServedWorld, serve

from .centre import Centre, Ziwo
from .kit import ZIWO, Program, program
from .terminal import on_a_terminal

CUSTOMER = "+97150000000"
PATIENCE = 40.0


def set_status(centre: Centre, status: str) -> None:
    centre.do(lambda world: world.agent("5555").set_status(status))


# --- ziwo live --------------------------------------------------------------------------------------------------------


def test_agents_once_as_json(ziwo: Ziwo) -> None:
    (told,) = ziwo.json("live", "agents", "--once")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", told["at"])
    logins = {agent["ccLogin"]: agent for agent in told["agents"].values()}
    assert set(logins) == {"5555", "0011"}
    assert logins["5555"]["firstName"] == "Ann"
    assert "lastStatusChangeEPOCH" in logins["5555"]["liveInfo"]


def test_queues_calls_and_figures_once(centre: Centre, ziwo: Ziwo) -> None:
    centre.do(lambda world: world.queue("support", agents=[world.agent("5555")]))
    (queues,) = ziwo.json("live", "queues", "--once")
    assert [queue["name"] for queue in queues["queues"].values()] == ["support"]
    (calls,) = ziwo.json("live", "calls", "--once")
    assert calls["calls"] == {}
    (stats,) = ziwo.json("live", "stats", "--once")
    assert stats["stats"]["totalAgents"] == 2
    assert "SLA" in stats["stats"]


def test_it_takes_nobodys_phone(centre: Centre, ziwo: Ziwo) -> None:
    ziwo.ok("live", "agents", "--once")
    assert centre.do(lambda world: world.agent("5555").connected) is False
    assert not [request for request in centre.requests if "autologin" in request]


@pytest.mark.parametrize("what", ["agents", "queues", "calls", "stats"])
def test_who_is_no_admin_is_told_so(centre: Centre, ziwo: Ziwo, what: str) -> None:
    centre.do(lambda world: world.add_agent("7777", password="canary-7777", rights=()))
    ziwo.env |= centre.env("7777")
    line = ziwo.refuses(1, "live", what, "--once")
    assert "the live feed does not tell this user: 403" in line


def test_a_wrong_password_ends_with_its_code(ziwo: Ziwo) -> None:
    ziwo.env["ZIWO_PASSWORD"] = "wrong"
    ziwo.refuses(3, "live", "agents")


async def test_a_pipe_gets_a_line_for_each_snapshot() -> None:
    async with serve(agents=("5555",)) as world:
        agent = world.agent("5555")
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        async with program(*ZIWO, "live", "agents", env=env) as shown:
            await shown.says('"agents": ')
            agent.set_status("On Break")
            (line,) = (await shown.says('"status": "On Break"'))[:1]
            (told,) = json.loads(line)["agents"].values()
            assert told["ccLogin"] == "5555"
            assert await shown.stops() == 0
        assert shown.err == []


def test_a_terminal_gets_a_table_that_follows(centre: Centre, ziwo: Ziwo) -> None:
    centre.do(lambda world: world.add_agent("6666", first_name="E\x1b[2Jvil", last_name="Name"))
    env = centre.env()
    with on_a_terminal("live", "agents", TERM="xterm", COLUMNS="100", **env) as terminal:
        terminal.shows("Ann Agent")
        terminal.shows("ccLogin")
        set_status(centre, "Meeting")
        terminal.shows("Meeting")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(PATIENCE) == 0
        assert "\x1b[2Jvil" not in terminal.shown


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("queues", ("queue", "waiting", "longest", "support", "1", "0:0")),
        ("calls", ("direction", "caller", "inbound", CUSTOMER, "support")),
        ("stats", ("figure", "value", "SLA", "totalAgents")),
    ],
)
def test_a_terminal_gets_a_table_of_the_others_too(centre: Centre, what: str, shown: tuple[str, ...]) -> None:
    async def waits(world: ServedWorld) -> None:
        queue = world.queue("support", agents=[world.agent("5555")])
        await world.customer(CUSTOMER).dials(queue)

    centre.wait_for(waits)
    with on_a_terminal("live", what, "--once", TERM="xterm", COLUMNS="140", **centre.env()) as terminal:
        for word in shown:
            terminal.shows(word)
        assert terminal.process.wait(PATIENCE) == 0


def test_a_terminal_is_told_when_the_table_is_stale(centre: Centre) -> None:
    with on_a_terminal("live", "agents", TERM="xterm", COLUMNS="100", **centre.env()) as terminal:
        terminal.shows("Ann Agent")
        centre.do(lambda world: (world.faults.refuse_live(), world.faults.cut_live()))
        terminal.shows("stale: no connection; nothing new since ")
        centre.do(lambda world: world.faults.refuse_live(refuse=False))
        set_status(centre, "Meeting")
        terminal.shows("Meeting")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("command", [("live", "agents"), ("wallboard", "--port", "0")])
async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "socketio.py").write_text("raise ModuleNotFoundError(\"No module named 'socketio'\", name='socketio')")
    async with serve(agents=("5555",)) as world:
        agent = world.agent("5555")
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        async with program(*ZIWO, *command, env={**env, "PYTHONPATH": str(tmp_path)}) as refused:
            assert await refused.ends() == 2
    assert refused.out == []
    (line,) = refused.err
    assert "ziwo_async[live]" in line.replace("-", "_")


# --- ziwo wallboard ---------------------------------------------------------------------------------------------------


async def opened(shown: Program) -> tuple[str, str]:
    """The address and the token that it printed."""
    (line,) = await shown.says("The wallboard: ")
    found = re.fullmatch(r"The wallboard: (http://127\.0\.0\.1:\d+/)#token=([\w-]+)", line)
    assert found is not None
    return found[1], found[2]


async def first_message(http: aiohttp.ClientSession, url: str, *, until: str) -> dict[str, Any]:
    async with http.get(f"{url}stream") as stream:
        async for line in stream.content:
            if line.startswith(b"data: ") and until in (message := json.loads(line[6:])):
                return dict(message)
    raise AssertionError("the stream ended")


async def test_the_wallboard_shows_the_floor_to_who_has_the_token() -> None:
    async with serve(agents=("5555",)) as world:
        agent = world.agent("5555")
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        async with program(*ZIWO, "wallboard", "--port", "0", env=env) as shown:
            url, token = await opened(shown)
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(PATIENCE)) as http:
                async with http.get(f"{url}stream") as refused:
                    assert refused.status == 401
                async with http.post(f"{url}session", json={"token": token}) as entered:
                    assert entered.status == 204
                message = await first_message(http, url, until="agents")
            assert [row["login"] for row in message["agents"].values()] == ["5555"]
            assert message["live"] is True
            assert await shown.stops() == 0
        assert shown.err == []
        assert not agent.connected


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serve(agents=("5555",)) as world:
            agent = world.agent("5555")
            env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
            async with program(*ZIWO, "wallboard", "--port", str(port), env=env) as shown:
                assert await shown.ends() == 4
            assert shown.out == []
            (line,) = shown.err
            assert f"cannot listen on port {port}" in line

"""`ziwo simulate`, `listen` and `dial`, each a process of its own, talking over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ziwo_async.testing import serve

from .kit import ZIWO, Program, finished, program

ANSWERS, BUSY = "+971500000001", "+971500000002"
SECRET = "password-5555"


@asynccontextmanager
async def contact_centre(*options: str) -> AsyncIterator[tuple[Program, dict[str, str]]]:
    """`ziwo simulate`, and the environment that it tells to export."""
    async with program(*ZIWO, "simulate", "--port", "0", *options) as centre:
        await centre.says("agent 0011: ")
        exports = dict(re.findall(r"^export (ZIWO_\w+)=(\S+)$", centre.text, re.MULTILINE))
        assert set(exports) == {"ZIWO_API_URL", "ZIWO_USERNAME", "ZIWO_PASSWORD"}
        yield centre, exports


async def test_simulate_keeps_calling_who_listens() -> None:
    async with contact_centre("--calls-every", "0.2") as (centre, exports):
        async with program(*ZIWO, "listen", env=exports) as phone:
            line = (await phone.says("ringing"))[0]
            assert "inbound" in line
            assert "+97150000010" in line
            assert await phone.stops() == 0
            assert phone.errors == "ziwo: this is the phone of agent-5555 now; Ctrl-C ends it"
            # It hung up what rang, and showed that.
            assert "CALL_REJECTED, by us" in phone.text
            assert "destroy" in phone.out[-1]
        await centre.says("not answered: CALL_REJECTED")
        assert await centre.stops(signal.SIGTERM) == 0
        assert centre.err == []
        assert SECRET not in phone.text + phone.errors


async def test_listen_json_is_documented_objects() -> None:
    async with (
        contact_centre("--calls-every", "0.2") as (_, exports),
        program(*ZIWO, "listen", "--json", env=exports) as phone,
    ):
        await phone.says("ringing")
        assert await phone.stops() == 0
        states = [json.loads(line)["state"] for line in phone.out]
        assert states[:3] == ["ringing", "hangup", "destroy"]


async def test_simulate_json_is_all_a_program_needs() -> None:
    options = ("--port", "0", "--json", "--agent", "7", "--agent", "0042", "--agent", "7", "--calls-every", "0")
    async with program(*ZIWO, "simulate", *options) as centre:
        told: dict[str, Any] = json.loads((await centre.says("{"))[0])
        first, second = told["agents"]
        assert (first["agent"], second["agent"]) == ("7", "0042")
        assert told["verto_url"].startswith("ws://127.0.0.1:")
        env = {
            "ZIWO_API_URL": told["api_url"],
            "ZIWO_USERNAME": second["username"],
            "ZIWO_PASSWORD": second["password"],
        }
        code, _ = await finished(*ZIWO, "dial", BUSY, env=env)
        assert code == 1
        assert await centre.stops() == 0
        assert len(centre.out) == 1


async def test_dial_shows_a_busy_customer_and_says_so() -> None:
    async with contact_centre("--calls-every", "0") as (_, exports):
        code, call = await finished(*ZIWO, "dial", BUSY, env=exports)
        assert code == 1
        assert [line.split()[2] for line in call.out[1:]] == ["requesting", "trying", "hangup", "destroy"]
        assert call.errors == f"ziwo: {BUSY} did not answer: USER_BUSY"


async def test_interrupting_dial_hangs_up() -> None:
    async with (
        contact_centre("--calls-every", "0") as (_, exports),
        program(*ZIWO, "dial", ANSWERS, env=exports) as call,
    ):
        await call.says(" active ")
        assert await call.stops() == 0
        assert call.err == []
        assert "NORMAL_CLEARING, by us" in call.text
        assert "the documented flow" in call.out[-1]


async def test_two_interrupts_at_once_are_one() -> None:
    async with (
        contact_centre("--calls-every", "0") as (_, exports),
        program(*ZIWO, "dial", ANSWERS, env=exports) as call,
    ):
        await call.says(" trying ")
        call.process.send_signal(signal.SIGINT)
        assert await call.stops(signal.SIGINT) == 0
        assert "Traceback" not in call.errors


async def test_dial_ends_with_0_when_it_was_answered_and_the_customer_hung_up() -> None:
    async with serve() as world:
        agent = world.agent("5555")
        world.customer(ANSWERS).will(answer_after=0.0).hangs_up_after(0.1)
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        code, call = await finished(*ZIWO, "dial", ANSWERS, env=env)
        assert (code, call.err) == (0, [])
        assert "NORMAL_CLEARING, by the other side" in call.text


async def test_dial_json() -> None:
    async with contact_centre("--calls-every", "0") as (_, exports):
        code, call = await finished(*ZIWO, "dial", "--json", BUSY, env=exports)
        assert code == 1
        assert [json.loads(line)["state"] for line in call.out] == ["requesting", "trying", "hangup", "destroy"]


async def test_listen_can_be_interrupted_while_it_reconnects() -> None:
    async with (
        contact_centre("--calls-every", "0") as (centre, exports),
        program(*ZIWO, "listen", env=exports) as phone,
    ):
        await phone.says("ready")
        assert await centre.stops() == 0
        await phone.says("connection lost: ")
        assert await phone.stops() == 0


def address(port: int) -> dict[str, str]:
    return {
        "ZIWO_API_URL": f"http://127.0.0.1:{port}",
        "ZIWO_USERNAME": "a@b.example",
        "ZIWO_PASSWORD": "canary-secret",
    }


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        ({}, 2, "no contact centre: set ZIWO_CONTACT_CENTER"),
        ({"ZIWO_CONTACT_CENTER": "evil.com/#"}, 2, "evil.com/#"),
        ({"ZIWO_CONTACT_CENTER": "acme"}, 2, "no credentials: set ZIWO_USERNAME"),
        ({"ZIWO_CONTACT_CENTER": "acme", "ZIWO_USERNAME": "a"}, 2, "set ZIWO_PASSWORD too"),
        ({"ZIWO_API_URL": "http://example.com", "ZIWO_TOKEN": "canary-secret"}, 2, "must start with https://"),
    ],
)
@pytest.mark.parametrize("command", [("listen",), ("dial", "1")])
async def test_wrong_settings_are_one_line_and_exit_code_2(
    command: tuple[str, ...], env: Mapping[str, str], code: int, message: str
) -> None:
    await check_refused(command, env, code, message)


async def check_refused(command: tuple[str, ...], env: Mapping[str, str], code: int, message: str) -> None:
    ended, refused = await finished(*ZIWO, *command, env=env)
    assert ended == code
    assert refused.out == []
    assert len(refused.err) == 1
    assert refused.err[0].startswith("ziwo: ")
    assert message in refused.err[0]
    assert "canary-secret" not in refused.errors


async def test_a_dead_port_is_exit_code_4() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        await check_refused(("listen",), address(closed.getsockname()[1]), 4, "no connection to 127.0.0.1")


async def test_a_wrong_password_is_exit_code_3() -> None:
    async with contact_centre("--calls-every", "0") as (_, exports):
        await check_refused(("dial", "1"), {**exports, "ZIWO_PASSWORD": "canary-secret"}, 3, "Invalid credentials")


async def test_a_number_that_cannot_be_dialled_is_exit_code_2() -> None:
    async with contact_centre("--calls-every", "0") as (_, exports):
        code, call = await finished(*ZIWO, "dial", " ", env=exports)
        assert code == 2
        assert call.err == ["ziwo: dial: ' ' is not a number that can be dialled"]


async def test_a_port_in_use_is_one_readable_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, centre = await finished(*ZIWO, "simulate", "--port", str(taken.getsockname()[1]))
    assert code == 4
    assert centre.out == []
    assert re.fullmatch(r"ziwo: cannot listen: .*; try --port 0", centre.errors)


async def test_one_interrupt_is_enough_while_the_server_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.setblocking(False)
        async with program(*ZIWO, "listen", env=address(silent.getsockname()[1])) as phone:
            async with asyncio.timeout(20):
                connection, _ = await asyncio.get_running_loop().sock_accept(silent)
            with connection:
                assert await phone.stops() == 0
                assert phone.err == []


async def test_an_interrupt_a_second_after_the_first_kills() -> None:
    work = (
        "import asyncio, sys, typer\n"
        "from ziwo_async.cli.running import run\n"
        "async def stubborn():\n"
        "    print('begun', flush=True)\n"
        "    try:\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        await asyncio.sleep(1.1)\n"
        "        print('closing', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "app = typer.Typer()\n"
        "app.command()(lambda: run(stubborn()))\n"
        "app()\n"
    )
    async with program(sys.executable, "-c", work) as stubborn:
        await stubborn.says("begun")
        stubborn.process.send_signal(signal.SIGINT)
        await stubborn.says("closing")
        assert await stubborn.stops(signal.SIGTERM) == 128 + signal.SIGTERM

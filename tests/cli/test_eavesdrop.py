"""`ziwo eavesdrop`: what it refuses, what it says when nothing comes of it, and what it shows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ziwo_async.testing import ServedWorld, serve

from ..examples.account import login
from .centre import Ziwo
from .kit import ZIWO, finished, program

PATH = "/live/calls/eavesdrop/5555"


@pytest.fixture
def supervisor(ziwo: Ziwo) -> Ziwo:
    """The command line as agent 0011, who listens to agent 5555."""
    ziwo.env |= ziwo.centre.env("0011")
    return ziwo


def one_line(ziwo: Ziwo, code: int, *arguments: str) -> tuple[str, str]:
    """Run it and expect that it fails; gives stdout, and the one line of stderr."""
    result = ziwo("eavesdrop", *arguments)
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("ziwo: ")
    return result.stdout, line


def no_permission(world: ServedWorld) -> None:
    world.agent("0011").rights.discard("eavesdrop")


def not_connected(world: ServedWorld) -> None:
    refusal = {"result": False, "error": {"message": "Your position is not connected"}}
    world.faults.next_http(412, body=refusal, path=PATH)


def never_rings(world: ServedWorld) -> None:
    world.faults.next_http(200, body={"result": True, "content": {"callID": "late"}, "info": {}}, path=PATH)


def as_it_is(world: ServedWorld) -> None:
    pass


@pytest.mark.parametrize(
    ("agent", "make", "code", "audit", "says"),
    [
        ("5555", no_permission, 3, "Forbidden", "permission"),
        ("5555", not_connected, 1, "PositionNotConnected", "Your position is not connected"),
        ("9999", as_it_is, 1, "AgentNotFound", "no agent 9999 to listen to"),
    ],
)
def test_what_the_contact_centre_refuses(
    supervisor: Ziwo, agent: str, make: Callable[[ServedWorld], None], code: int, audit: str, says: str
) -> None:
    supervisor.centre.do(make)
    shown, line = one_line(supervisor, code, agent)
    assert says in line
    assert re.fullmatch(rf"  \d\d:\d\d:\d\d\.\d\d\d  create    agent {agent}, failed: {audit}\n", shown)


def test_a_call_that_does_not_ring_in_time(supervisor: Ziwo) -> None:
    supervisor.centre.do(never_rings)
    shown, line = one_line(supervisor, 1, "5555", "--within", "0.3")
    assert "did not ring within 0.3 s" in line
    assert [row.split()[1] for row in shown.splitlines()] == ["create", "give"]
    assert "call late" in shown
    assert shown.splitlines()[-1].endswith("give up   agent 5555, failed: EavesdropTimeout")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("5555", "--whisper", "all"), "--whisper is one of agent, both, none, not 'all'"),
        (("5555", "--play", "here.wav"), "--play: nobody would hear it; add --whisper agent, or both"),
        (("5555", "--play", "nowhere.wav", "--whisper", "agent"), "--play: there is no file nowhere.wav"),
        (("5555", "--record", "here.wav"), "--record: here.wav exists; use --overwrite, or another name"),
        (("5555", "--record", "new.flac"), "record: there is no format 'flac'"),
        (("5555", "--record", "/nowhere/at/all.wav"), "there is no folder /nowhere/at"),
        ((" ",), "the agent's number is empty"),
    ],
)
def test_what_can_never_work_asks_for_no_call(
    supervisor: Ziwo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.wav").write_bytes(b"")
    shown, line = one_line(supervisor, 2, *arguments)
    assert says in line
    assert shown == ""
    assert (tmp_path / "here.wav").read_bytes() == b""
    assert not [request for request in supervisor.centre.requests if "eavesdrop" in request]


@pytest.mark.media
@pytest.mark.parametrize("kind", ["wav", "mp3"])
async def test_a_disk_that_is_full_is_told_at_once(tmp_path: Path, kind: str) -> None:
    # Where coverage is measured, its data would not fit either.
    limited = ("sh", "-c", 'unset COVERAGE_PROCESS_CONFIG; ulimit -f 12; exec "$0" "$@"')
    target = str(tmp_path / f"call.{kind}")
    async with (
        serve(media=True) as world,
        program(*limited, *ZIWO, "eavesdrop", "5555", "--record", target, env=login(world, "0011")) as listener,
    ):
        await listener.says("answer")
        assert await listener.ends() == 1
    assert listener.err[-1].startswith("ziwo: the recording cannot be written: File too large")
    assert os.listdir(tmp_path) == []


def test_a_sound_that_cannot_be_played_ends_the_call(supervisor: Ziwo, tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_text("this is no sound")
    _, line = one_line(supervisor, 2, "5555", "--play", str(tmp_path / "no.wav"), "--whisper", "agent")
    assert "cannot be played" in line


def test_the_position_is_named(supervisor: Ziwo) -> None:
    assert supervisor("eavesdrop", "5555", "--for", "0.1", "--position", "agent-0011").exit_code == 0
    _, line = one_line(supervisor, 1, "5555", "--position", "elsewhere")
    assert "No such position: elsewhere" in line


def test_json_has_one_object_a_line(supervisor: Ziwo) -> None:
    events = supervisor.json("eavesdrop", "5555", "--for", "0.7", "--whisper", "both")
    audits = [event for event in events if event["event"] == "eavesdrop_audit"]
    assert [audit["action"] for audit in audits] == ["create", "answer", "update", "end"]
    assert {audit["user"] for audit in audits} == {"agent-0011"}
    levels = [event for event in events if event["event"] == "levels"]
    assert [(level["received"], level["sent"]) for level in levels] == [(-100.0, -100.0)]
    assert json.dumps(levels[0]["at"]).endswith('Z"')


async def test_a_phone_that_is_taken_over_is_exit_code_5() -> None:
    async with serve() as world, program(*ZIWO, "eavesdrop", "5555", env=login(world, "0011")) as listener:
        await listener.says("answer")
        await world.faults.punt(world.agent("0011"))
        assert await listener.ends() == 5
    assert [line.split()[1] for line in listener.out][:2] == ["create", "answer"]
    assert listener.err[-1].startswith("ziwo: another client logged in with the session of agent-0011")


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "aiortc.py").write_text("raise ModuleNotFoundError(\"No module named 'aiortc'\", name='aiortc')")
    env = {"PYTHONPATH": str(tmp_path), "ZIWO_CONTACT_CENTER": "acme", "ZIWO_TOKEN": "t"}
    new = str(tmp_path / "new.wav")
    for command in (("eavesdrop", "5555", "--record", new), ("demo", "whisper", "--record", new)):
        code, refused = await finished(*ZIWO, *command, env=env)
        assert (code, refused.out) == (2, [])
        assert refused.err == [
            'ziwo: AiortcMedia needs the extra "media": pip install "ziwo_async[media]" (aiortc is missing)'
        ]
    code, refused = await finished(*ZIWO, "simulate", "--media", env=env)
    assert (code, refused.out) == (2, [])
    assert refused.errors.startswith("ziwo: media in the simulator needs the extra: pip install 'ziwo_async[media]' (")
    assert not (tmp_path / "new.wav").exists()

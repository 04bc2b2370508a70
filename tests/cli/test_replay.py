"""`ziwo replay`: what it shows, refuses and ends with; and `ziwo listen --record`, which makes what it reads."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ziwo_async.cli.app import app

from ..verto.support import FLOWS, TRANSCRIPTS
from .kit import ROOT, ZIWO, program
from .test_phone_commands import SECRET, contact_centre

CALL = "c1"
BEGAN = 1_795_368_000.0


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def line(rel: float, way: str, **more: Any) -> dict[str, Any]:
    return {"rel": rel, "at": BEGAN + rel, "conn": "1", "dir": way, **more}


def came(rel: float, frame_id: int, method: str | None = None, **params: Any) -> dict[str, Any]:
    frame: dict[str, Any] = {"jsonrpc": "2.0", "id": frame_id}
    frame |= {"result": params} if method is None else {"method": method, "params": params}
    return line(rel, "recv", frame=frame)


def sent(rel: float, frame_id: int, method: str, **params: Any) -> dict[str, Any]:
    return line(rel, "send", frame={"jsonrpc": "2.0", "id": frame_id, "method": method, "params": params})


HEADER = {"ziwo_recording": 1, "library": "ziwo_async 0.1.0", "at": BEGAN}
LOGIN = [
    line(0, "note", note="ws open"),
    sent(0.1, 1, "login", login="agent-5555", passwd="[hidden]", sessid="[session-1]"),
    came(0.2, 1, message="logged in"),
    came(0.3, 1, "verto.clientReady", reattached_sessions=[]),
]
INBOUND = [
    came(1, 2, "verto.invite", callID=CALL, sdp="v=0", caller_id_number="+971500000526"),
    sent(2, 2, "verto.answer", sdp="v=0", dialogParams={"callID": CALL}),
    came(3, 2, message="CALL ANSWERED"),
]
ENDED = [
    came(4, 3, "verto.bye", callID=CALL, cause="NORMAL_CLEARING"),
    line(5, "note", note="ws closed", reason="we closed the connection", code=1000, by_us=True),
    {**line(6, "note", note="end of recording", idle=True), "conn": ""},
]
# The server answers its own call.
BROKEN = [
    came(1, 2, "verto.invite", callID="c2", sdp="v=0", caller_id_number="+971500000001"),
    came(2, 3, "verto.answer", callID="c2", sdp="v=0"),
]


def written(file: Path, *lines: dict[str, Any], rest: str = "") -> Path:
    file.write_text("".join(json.dumps(each) + "\n" for each in lines) + rest)
    return file


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path / "good.jsonl", HEADER, *LOGIN, *INBOUND, *ENDED)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return written(tmp_path / "broken.jsonl", HEADER, *LOGIN, *BROKEN, *INBOUND, *ENDED)


def test_a_good_recording_is_shown_call_by_call_and_ends_with_0(good: Path) -> None:
    result = replay(good)
    assert (result.exit_code, result.stderr) == (0, "")
    shown = re.sub(r"\d\d:\d\d:(\d\d\.\d{3})", r"\1", result.stdout).splitlines()
    assert [each.rstrip() for each in shown] == [
        "ziwo_async 0.1.0: 1 connections, 7 frames, 1 calls",
        "00.300  the phone agent-5555 is ready",
        "call c1  inbound  +971500000526  documented",
        "  01.000  ringing    rings at the agent's phone",
        "  02.000  answering  the agent is answering",
        "  03.000  active     agent and customer can talk",
        "  04.000  hangup     NORMAL_CLEARING, by the other side",
        "  04.000  destroy    the documented flow; 3.0 s",
    ]


def test_a_broken_flow_is_told_with_its_step_and_ends_with_1(broken: Path) -> None:
    result = replay(broken)
    assert result.exit_code == 1
    assert "call c2  inbound  +971500000001  violation" in result.stdout
    assert "call c1  inbound  +971500000526  documented" in result.stdout
    (told,) = result.stderr.splitlines()
    assert re.match(r"ziwo: call c2 left the documented flow: .* in state 'ringing': ", told)
    assert "  violation: " in result.stdout


@pytest.mark.parametrize("file", sorted([*TRANSCRIPTS.glob("*/*.jsonl"), *FLOWS.glob("*.jsonl")]), ids=lambda p: p.stem)
def test_the_captured_transcripts_are_replayed_and_documented(file: Path) -> None:
    result = replay(file)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("a transcript: ")
    assert result.stderr == ""


def test_json_has_one_object_a_call_and_the_events_of_the_session(broken: Path) -> None:
    result = replay(broken, "--json")
    ready, closed, second, first = map(json.loads, result.stdout.splitlines())
    assert (ready["event"], ready["login"], ready["at"]) == ("session_ready", "agent-5555", BEGAN + 0.3)
    assert closed["event"] == "session_closed"
    assert (second["callID"], second["verdict"], len(second["violations"])) == ("c2", "documented", 1)
    assert second["documented"] is False
    flow = first.pop("stateFlow")
    assert [step["state"] for step in flow] == ["ringing", "answering", "active", "hangup", "destroy"]
    assert flow[0]["dateUNIX"] == BEGAN + 1
    assert first == {
        "callID": "c1",
        "direction": "inbound",
        "customerNumber": "+971500000526",
        "documented": True,
        "verdict": "documented",
        "step": None,
        "reason": "",
        "complete": True,
        "cause": "NORMAL_CLEARING",
        "by": "remote",
        "violations": [],
    }


def test_one_call_can_be_chosen(broken: Path) -> None:
    result = replay(broken, "--call", "c1")
    assert result.exit_code == 0
    assert "call c2" not in result.stdout
    assert "the phone agent-5555 is ready" in result.stdout
    unknown = replay(broken, "--call", "c3")
    assert unknown.exit_code == 2
    assert unknown.stderr.endswith("broken.jsonl has no call c3; it has c2, c1\n")


def test_a_replay_stops_at_a_state(good: Path) -> None:
    result = replay(good, "--until", "answering")
    assert result.exit_code == 0
    assert "documented  (not over)" in result.stdout
    assert "answering" in result.stdout
    assert "active" not in result.stdout


def test_a_state_that_was_not_entered_ends_with_1_and_one_that_does_not_exist_with_2(good: Path) -> None:
    result = replay(good, "--until", "held")
    assert (result.exit_code, result.stderr) == (1, "ziwo: no call entered 'held'\n")
    result = replay(good, "--until", "held", "--call", "c1")
    assert (result.exit_code, result.stderr) == (1, "ziwo: call c1 never entered 'held'\n")
    result = replay(good, "--until", "ring")
    assert result.exit_code == 2
    assert result.stderr.startswith("ziwo: there is no state 'ring'; there are requesting, trying, ")


def test_a_last_line_that_is_cut_off_is_fine(tmp_path: Path) -> None:
    result = replay(written(tmp_path / "cut.jsonl", HEADER, *LOGIN, *INBOUND, rest='{"rel":4,"at":17'))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "ziwo: the last line is cut off, it was left out",
        "ziwo: the recording has no closing line: its process was killed, or still runs",
    ]


def test_the_size_limit_is_told(tmp_path: Path) -> None:
    full = {**line(6, "note", note="size limit reached", limit=9), "conn": ""}
    result = replay(written(tmp_path / "full.jsonl", HEADER, *LOGIN, *INBOUND, full))
    assert result.exit_code == 0
    assert result.stderr == "ziwo: the recording ends at its size limit; what came later is not in it\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("nonsense\n", "line 1 is no JSON"),
        (json.dumps(HEADER) + "\n7\n", "line 2 is no JSON object"),
        (json.dumps({**HEADER, "ziwo_recording": 99}) + "\n", "line 1 tells format 99; this release reads 1"),
        (json.dumps(HEADER) + "\n\x1b[2J\n", "line 2 is no JSON"),
    ],
)
def test_an_unreadable_file_ends_with_2_and_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    result = replay(file)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"ziwo: {file}: {message}\n"


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        result = replay(path)
        assert result.exit_code == 2
        assert re.fullmatch(r"ziwo: .* cannot be read: .*\n", result.stderr)


def test_control_characters_in_a_recording_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = [
        came(1, 2, "verto.invite", callID="c\x1b[2J", sdp="v=0", caller_id_number="\x1b]0;x\x07"),
        line(2, "note", note="ws closed", reason="\x1b[2Jgone", code=None, by_us=False),
    ]
    result = replay(written(tmp_path / "evil.jsonl", HEADER, *LOGIN, *evil))
    assert "\x1b" not in result.output
    assert "\x07" not in result.output
    assert "gone" in result.stdout


async def test_listen_records_what_replay_shows(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    async with contact_centre("--calls-every", "0.2") as (_, exports):
        async with program(*ZIWO, "listen", "--record", file, "--mask-numbers", env=exports) as phone:
            await phone.says("ringing")
            assert await phone.stops() == 0
        again, env = ("--record", file), exports
        async with program(*ZIWO, "listen", *again, env=env) as refused:
            assert await refused.ends() == 2
    assert refused.errors == f"ziwo: {file} exists: a recording never writes over a file; choose another name"
    assert stat.S_IMODE(_mode(file)) == 0o600
    text = _text(file)
    assert SECRET not in text
    assert "+97150000010" not in text
    result = replay(file)
    assert result.exit_code == 0, result.output
    assert "ringing" in result.stdout
    assert "CALL_REJECTED, by us" in result.stdout
    assert "+9715****10" in result.stdout
    assert result.stderr == ""
    assert str(ROOT) not in text


def _mode(file: Path) -> int:
    return file.stat().st_mode


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii")


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_login_that_fails_leaves_no_recording_behind(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    async with contact_centre("--calls-every", "0") as (_, exports):
        wrong = {**exports, "ZIWO_PASSWORD": "canary-secret"}
        async with program(*ZIWO, "listen", "--record", file, env=wrong) as phone:
            assert await phone.ends() == 3
        async with program(*ZIWO, "listen", "--record", file, env={}) as phone:
            assert await phone.ends() == 2
    assert _files(tmp_path) == []

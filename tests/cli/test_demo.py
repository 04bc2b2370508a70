from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ziwo_async import DialogEvent, check_flow, parse_event
from ziwo_async.cli import demo_whisper
from ziwo_async.cli.app import app

from .kit import ROOT, ZIWO, clean_environment, finished, program
from .sound import CUSTOMER, tones_in

INBOUND = ["ringing", "answering", "active", "held", "active", "hangup", "destroy"]
OUTBOUND = ["requesting", "trying", "early", "active", "held", "active", "hangup", "destroy"]
DOCUMENTED = {"callID", "primaryCallID", "customerNumber", "direction", "stateFlow", "currentCall"}


async def test_demo_draws_both_flows_and_ends_by_itself() -> None:
    async with program(*ZIWO, "demo") as demo:
        await demo.says("A contact centre in this process")  # how long Python takes to start is not the demo's
        assert await demo.ends() == 0, demo.errors
    assert demo.err == []
    states = [words[2] for words in map(str.split, demo.out) if words and words[0] in {"┌", "├", "└"}]
    assert states == INBOUND + OUTBOUND
    assert [line.split()[0] for line in demo.out if " ringing " in line] == ["┌"]
    assert sum("the documented flow;" in line for line in demo.out) == 2
    assert "NORMAL_CLEARING, by the other side" in demo.text
    assert "NORMAL_CLEARING, by us" in demo.text
    assert "ziwo simulate" in demo.text
    assert "\x1b" not in demo.text  # no colour, no cursor movement, when nobody looks


async def test_each_line_says_state_local_time_number_and_direction() -> None:
    _, demo = await finished(*ZIWO, "demo", "--speed", "20")
    ringing = next(line for line in demo.out if "ringing" in line)
    mark, clock, state, direction, number, *_ = ringing.split()
    assert (mark, state, direction, number) == ("┌", "ringing", "inbound", "+971501234567")
    assert len(clock) == len("12:34:56.789")


async def test_json_is_the_documented_objects_and_nothing_else() -> None:
    code, demo = await finished(*ZIWO, "demo", "--json", "--speed", "20")
    assert (code, demo.err) == (0, [])
    details: list[dict[str, Any]] = [json.loads(line) for line in demo.out]
    assert [detail["state"] for detail in details] == INBOUND + OUTBOUND
    for detail in details:
        assert set(detail) == DOCUMENTED | {"state"}
        assert {"state", "date", "dateUNIX"} <= set(detail["stateFlow"][-1])
        assert detail["stateFlow"][-1]["state"] == detail["state"]
        event = parse_event(detail)
        assert isinstance(event, DialogEvent)
        assert event.to_detail() == detail
    assert {detail["customerNumber"] for detail in details} == {"+971501234567", "+971507654321"}
    assert [check_flow([s["state"] for s in details[at]["stateFlow"]]).verdict for at in (6, 14)] == ["documented"] * 2


async def test_a_terminal_that_cannot_do_unicode_gets_ascii() -> None:
    code, demo = await finished("env", "PYTHONIOENCODING=ascii", *ZIWO, "demo", "--speed", "50")
    assert code == 0, demo.errors
    assert demo.text.isascii()
    assert any(line.startswith("  + ") and "ringing" in line for line in demo.out)


async def test_colours_on_request() -> None:
    _, demo = await finished("env", "FORCE_COLOR=1", "TERM=xterm-256color", *ZIWO, "demo", "--speed", "50")
    assert "\x1b[" in demo.text


async def test_interrupted_it_ends_quietly() -> None:
    async with program(*ZIWO, "demo") as demo:
        await demo.says("ringing")
        assert await demo.stops(signal.SIGINT) == 0
        assert demo.err == []
        assert "destroy" in demo.text  # the call was hung up, and that was shown


def test_a_closed_pipe_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*ZIWO, "demo"], stdout=writing, stderr=subprocess.PIPE, env=clean_environment(), cwd=ROOT
    ) as demo:
        os.close(writing)
        os.close(reading)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert b"Traceback" not in errors


async def test_a_speed_out_of_range_is_refused() -> None:
    code, demo = await finished(*ZIWO, "demo", "--speed", "0")
    assert code == 2
    assert "--speed" in demo.errors
    assert "Traceback" not in demo.errors


# --- ziwo demo whisper ----------------------------------------------------------------------------------------------

DB = r"-1\d dB"
HEARD = [
    ("customer", rf"{DB} +-"),
    ("agent", rf"{DB} +-"),
    ("supervisor", rf"{DB} +{DB}"),
    ("customer", rf"{DB} +-"),
    ("agent", rf"{DB} +{DB}"),
    ("supervisor", rf"{DB} +{DB}"),
    ("customer", rf"{DB} +{DB}"),
    ("agent", rf"{DB} +{DB}"),
    ("supervisor", rf"{DB} +{DB}"),
]
"""What each hears of the two others, in the three modes: nobody, the agent, both hear the supervisor."""


@pytest.mark.media
async def test_whisper_measures_who_hears_whom_and_records_it(tmp_path: Path) -> None:
    async with program(*ZIWO, "demo", "whisper", cwd=tmp_path) as demo:
        await demo.says("A contact centre with sound in this process")
        assert await demo.ends() == 0, demo.errors
    assert demo.err == []
    told = [line.split(maxsplit=3)[1:] for line in demo.out if line.startswith("  the ")]
    assert [who for who, _, _ in told] == [who for who, _ in HEARD]
    for (who, _, levels), (_, expected) in zip(told, HEARD, strict=True):
        assert re.fullmatch(expected, levels.strip()), (who, levels)
    assert re.fullmatch(r"whisper\.wav: \d\.\d s, what the supervisor heard and said", demo.out[-1])
    assert CUSTOMER in tones_in(tmp_path / "whisper.wav")
    assert os.listdir(tmp_path) == ["whisper.wav"]


@pytest.mark.media
async def test_whisper_replaces_no_recording_unless_it_may(tmp_path: Path) -> None:
    file = tmp_path / "mine.wav"
    file.write_bytes(b"mine")
    code, demo = await finished(*ZIWO, "demo", "whisper", "--record", file)
    assert (code, demo.out) == (2, [])
    assert demo.err == [f"ziwo: {file} exists; use --overwrite, or --record with another name"]
    assert file.read_bytes() == b"mine"
    code, demo = await finished(*ZIWO, "demo", "whisper", "--record", file, "--overwrite")
    assert code == 0
    assert file.read_bytes()[:4] == b"RIFF"


@pytest.mark.media
async def test_whisper_interrupted_ends_quietly_and_the_recording_is_whole(tmp_path: Path) -> None:
    async with program(*ZIWO, "demo", "whisper", cwd=tmp_path) as demo:
        await demo.says("the supervisor hears")
        assert await demo.stops(signal.SIGINT) == 0
        assert demo.err == []
    assert CUSTOMER in tones_in(tmp_path / "whisper.wav")


@pytest.mark.media
def test_whisper_says_so_when_somebody_hears_what_they_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is told to expect that the customer hears the supervisor, who only listens.
    expected = {"customer": {"agent", "supervisor"}, "agent": {"customer"}}
    monkeypatch.setattr(demo_whisper, "_STEPS", (("none", "The supervisor only listens", expected),))
    result = CliRunner().invoke(app, ["demo", "whisper", "--record", str(tmp_path / "new.wav")])
    assert result.exit_code == 1
    assert result.stderr == "ziwo: that is not what everybody should hear\n"


async def test_options_of_the_calls_are_not_for_whisper() -> None:
    code, demo = await finished(*ZIWO, "demo", "--json", "whisper")
    assert (code, demo.err) == (2, ["ziwo: --json and --speed are not for `demo whisper`"])

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ziwo_async.cli.app import app


def flow(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["flow", *arguments], input=stdin)


def lines(*states: str, call: str = "c1", inferred: tuple[str, ...] = ()) -> str:
    steps: list[dict[str, Any]] = []
    out: list[str] = []
    for state in states:
        steps.append({"state": state, "inferred": state in inferred})
        out.append(json.dumps({"callID": call, "state": state, "stateFlow": steps}))
    return "\n".join(out) + "\n"


DOCUMENTED = lines("ringing", "answering", "active", "hangup", "destroy")


def test_a_documented_flow_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(DOCUMENTED + "\n")
    result = flow(str(file))
    assert result.exit_code == 0
    assert result.stdout == "documented c1  ringing answering active hangup destroy\n"


def test_an_inferred_state_is_named() -> None:
    result = flow("-", stdin=lines("requesting", "trying", "early", "active", inferred=("early",)))
    assert result.exit_code == 0
    assert "inferred   c1  requesting trying early active  (not over)" in result.stdout
    assert "step 2: 'early' was not told by the server" in result.stdout


def test_a_violation_is_told_and_ends_with_1() -> None:
    result = flow("-", stdin=lines("ringing", "active", "destroy") + DOCUMENTED.replace("c1", "c2"))
    assert result.exit_code == 1
    assert "violation  c1  ringing active destroy" in result.stdout
    assert "step 1: 'active' cannot follow 'ringing'" in result.stdout
    assert "documented c2" in result.stdout


def test_json_has_one_object_a_call() -> None:
    result = flow("-", "--json", stdin=lines("ringing", "hangup", "destroy") + lines("early", call="c2"))
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == {
        "callID": "c1",
        "verdict": "documented",
        "step": None,
        "reason": "",
        "complete": True,
        "states": ["ringing", "hangup", "destroy"],
    }
    assert (second["verdict"], second["step"], second["complete"]) == ("violation", 0, False)


def test_events_that_are_not_about_states_are_passed_over() -> None:
    assert flow("-", stdin='{"event": "muted", "callID": "c1"}\n' + DOCUMENTED).exit_code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "-: there is no dialog event in it"),
        ("ringing\n", "line 1 is no JSON object"),
        ("[" * 100_000, "line 1 is no JSON object"),
        (DOCUMENTED + "[]\n", "line 6 is no JSON object"),
        ('{"callID": "c1"}\n', "line 1 is no dialog event: it has no 'state'"),
        ('{"callID": 1, "state": "ringing"}\n', "line 1 is no dialog event: it has no 'state'"),
    ],
)
def test_what_is_no_flow_is_refused_on_one_line(text: str, message: str) -> None:
    result = flow("-", stdin=text)
    assert result.exit_code == 2
    assert result.stderr == f"ziwo: {message}\n"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    result = flow(str(tmp_path / "nothing"))
    assert result.exit_code == 2
    assert result.stderr.startswith("ziwo: ")
    assert result.stderr.count("\n") == 1
    assert "cannot be read" in result.stderr
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert flow(str(tmp_path / "binary")).exit_code == 2


def test_control_characters_do_not_reach_the_terminal() -> None:
    result = flow("-", stdin=json.dumps({"callID": "a\x1b[2Jb\nc", "state": "ringing\x07"}))
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert "a�[2Jb�c" in result.stdout

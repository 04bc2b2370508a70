"""`ziwo trackers try`, `serve` and `replay`: a rules file tried, served, and asked about yesterday's calls."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from ziwo_async.cli.tracker_serve import _is_here
from ziwo_async.simulator.trackers import SimTracker
from ziwo_async.testing import ServedWorld
from ziwo_async.webhooks.handler import THREAD_NAME

from .centre import Centre, Ziwo
from .kit import ZIWO, program

KEY = "canary-tracker-key-1234"
RULES = f"""
import os

from names import SALES
from ziwo_async.webhooks import StartCall, TrackerService, call, is_rehearsal

tracker = TrackerService(keys=[{KEY!r}], fallback=[call("0505874603", timeout=20)])


@tracker.on_start
async def route(start: StartCall):
    if start.caller == "broken":
        raise RuntimeError("the CRM is away")
    if start.did_called == "none":
        return None
    if not is_rehearsal():
        open("called", "a").close()
    lang = (start.model_extra or {{}}).get("lang", "en")
    return [
        call(SALES, caller_id=start.did_called, timeout=10),
        call("047654321", timeout=15, extra={{"lang": lang}}),
    ]
"""


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a rules file imports is not there for the next one."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in ("names", "ziwo_rules_file"):
        sys.modules.pop(name, None)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "names.py").write_text('SALES = "0501112222"\n')
    path = tmp_path / "rules.py"
    path.write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return path


class Nowhere:
    """No contact centre: what needs none is run without one."""

    secrets = frozenset({KEY})
    tokens: frozenset[str] = frozenset()

    def env(self) -> dict[str, str]:
        return {}


@pytest.fixture
def alone(tmp_path: Path) -> Ziwo:
    return Ziwo(cast("Centre", Nowhere()), tmp_path)


# --- try --------------------------------------------------------------------------------------------------------------


def test_try_shows_the_decision_as_a_table(alone: Ziwo, rules: Path) -> None:
    lines = alone.ok(
        "trackers", "try", str(rules), "--did", "061234567", "--caller", "0509998888", "--field", "lang=ar"
    ).splitlines()
    assert lines[:2] == ["didCalled   061234567", "caller      0509998888"]
    assert lines[2].startswith("decided by  the handler, in ")
    assert [line.split() for line in lines[4:]] == [
        ["rule", "action", "number", "caller", "ID", "timeout", "more"],
        ["1", "call", "0501112222", "061234567", "10", "s"],
        ["2", "call", "047654321", "15", "s", '{"lang":', '"ar"}'],
    ]
    assert not (rules.parent / "called").exists()


def test_try_as_json(alone: Ziwo, rules: Path) -> None:
    (found,) = alone.json("trackers", "try", str(rules), "--did", "061234567")
    assert found.pop("seconds") < 8
    assert found == {
        "didCalled": "061234567",
        "caller": None,
        "source": "handler",
        "problem": None,
        "content": {
            "didCalled": "061234567",
            "rules": [
                {"action": "call", "number": "0501112222", "callerID": "061234567", "timeout": 10},
                {"action": "call", "number": "047654321", "timeout": 15, "lang": "en"},
            ],
        },
    }


def test_try_says_why_it_is_the_fallback(alone: Ziwo, rules: Path) -> None:
    shown = alone.ok("trackers", "try", str(rules), "--did", "none")
    assert "decided by  the fallback" in shown
    assert "because     the handler gave no rules" in shown
    assert "0505874603" in shown

    result = alone("trackers", "try", str(rules), "--did", "061234567", "--caller", "broken")
    assert result.exit_code == 1
    assert "because     the handler failed: RuntimeError" in result.stdout
    assert "0505874603" in result.stdout
    assert 'raise RuntimeError("the CRM is away")' in result.stderr  # where it failed, for who writes the file


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    path = tmp_path / "hanging.py"
    path.write_text(
        "import threading\n"
        "from ziwo_async.webhooks import TrackerService, call\n"
        f"t = TrackerService(keys=[{KEY!r}], fallback=[call('0505874603')], start_timeout=1.0)\n"
        "t.on_start(lambda start: threading.Event().wait())\n"
    )
    return path


async def test_try_ends_although_a_handler_hangs_in_its_thread(hanging: Path) -> None:
    async with program(*ZIWO, "trackers", "try", str(hanging), "--did", "06") as running:
        assert await running.ends() == 1
    assert "because     the handler took more than 0.8 s" in running.out
    assert "0505874603" in running.text
    assert running.err[-1] == "ziwo: a handler still hangs in a thread, and is left there"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rules and no fallback: ZIWO is told that it failed"),
        ("\n@t.on_start\ndef f(start): return Answer(extra={'voicemail': True})", 'beside      {"voicemail": true}'),
        ("\n@t.on_start\ndef f(start): return Answer()", "no rules"),
        ("\n@t.on_start\ndef f(start): return 7", "the handler failed: "),
    ],
)
def test_try_without_rules(alone: Ziwo, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r"
    path.write_text(f"from ziwo_async.webhooks import *\nt = again = TrackerService(insecure=True){text}")
    assert said in alone("trackers", "try", str(path), "--did", "061234567").stdout


def test_the_caller_comes_in_the_field_that_the_service_reads(alone: Ziwo, tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text(
        "from ziwo_async.webhooks import *\n"
        "t = TrackerService(insecure=True, caller_field='from')\n"
        "@t.on_start\ndef f(start): return call(start.caller or '1')\n"
    )
    (found,) = alone.json("trackers", "try", str(path), "--did", "061234567", "--caller", "0509998888")
    assert found["content"]["rules"][0]["number"] == "0509998888"
    said = alone.refuses(2, "trackers", "try", str(path), "--did", "061234567", "--field", "from=1")
    assert said == "ziwo: --field from: there is --caller for it"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--did", " "], "--did is empty"),
        (["--did", "1", "--field", "lang"], "is no NAME=VALUE"),
        (["--did", "1", "--field", "=x"], "is no NAME=VALUE"),
        (["--did", "1", "--field", "a=1", "--field", "a=2"], "is given twice"),
        (["--did", "1", "--field", "didCalled=2"], "there is --did for it"),
    ],
)
def test_options_that_make_no_sense(alone: Ziwo, rules: Path, options: list[str], said: str) -> None:
    assert said in alone.refuses(2, "trackers", "try", str(rules), *options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no file"),
        ("x = 1\n", "has no TrackerService"),
        ("from ziwo_async.webhooks import *\na, b = [TrackerService(insecure=True) for _ in '12']", "services: a, b"),
        ("x = 1\ny = [", ", line 2: SyntaxError"),
        ("import os\nkey = os.environ['NO_SUCH_KEY']\n", ", line 2: KeyError: 'NO_SUCH_KEY'"),
        ("raise SystemExit(0)", ", line 1: SystemExit: 0"),
        ("from ziwo_async.webhooks import *\nTrackerService()", ", line 2: a hook without a key"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_rules_file(alone: Ziwo, tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    for command in (["try", str(path), "--did", "1"], ["serve", str(path)], ["replay", str(path)]):
        assert said in alone.refuses(2, "trackers", *command)


# --- serve ------------------------------------------------------------------------------------------------------------


async def test_serve(rules: Path) -> None:
    command = (*ZIWO, "trackers", "serve", rules, "--port", "0", "--prefix", "/hooks")
    async with program(*command, cwd=rules.parent) as server:
        (line,) = await server.says("^Start requests: ")
        start = line.split()[-1]
        assert start.startswith("http://127.0.0.1:")
        assert start.endswith("/hooks/startCall")
        async with aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as http:
            form = aiohttp.FormData({"didCalled": "061234567"}, default_to_multipart=True)
            async with http.post(start, data=form) as answer:
                content = (await answer.json())["content"]
                assert [rule["number"] for rule in content["rules"]] == ["0501112222", "047654321"]
            async with http.post(start, data={"didCalled": "1"}, headers={"X-API-KEY": "wrong"}) as answer:
                assert answer.status == 401
            async with http.post(start, data={"didCalled": "1", "callerIDNumber": "broken"}) as answer:
                assert (await answer.json())["content"]["rules"][0]["number"] == "0505874603"
            cdr = {"callID": "a", "id": "46:5196", "didCalled": "061234567"}
            async with http.post(start.replace("startCall", "endCall"), json=cdr) as answer:
                assert answer.status == 200
        await server.says(
            r"^\d\d:\d\d:\d\d  /hooks/startCall  200  [0-9.]+ ms  061234567 -> 0501112222, then 047654321$"
        )
        await server.says(r"  /hooks/startCall  401  [0-9.]+ ms$")
        await server.says(r"  /hooks/endCall  200  [0-9.]+ ms$")
        assert await server.stops(signal.SIGTERM) == 0
        assert "RuntimeError: the CRM is away" in server.errors
        assert KEY not in server.text + server.errors
    assert (rules.parent / "called").exists()  # that was no rehearsal


def test_a_port_that_is_taken(alone: Ziwo, rules: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = alone.refuses(4, "trackers", "serve", str(rules), "--port", str(port))
    assert said.startswith(f"ziwo: cannot listen on 127.0.0.1 port {port}")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("hooks.example", False),
    ],
)
def test_who_can_hear_it(host: str, here: bool) -> None:
    assert _is_here(host) is here


# --- replay -----------------------------------------------------------------------------------------------------------

THEN = [
    {"action": "call", "number": "0501112222", "callerID": "061234567", "timeout": "10"},
    {"action": "call", "number": "047654321", "callerID": None, "timeout": 15, "lang": "en"},
]


def log(ziwo: Ziwo, *requests: dict[str, Any], days: float = 1, kind: str = "start", name: str = "campaign") -> None:
    def work(world: ServedWorld) -> None:
        now = world.trackers._now
        tracker = world.trackers.find(name) or add(world, name)
        try:
            world.trackers._now = lambda: now() - days * 86_400
            for request in requests:
                world.trackers.log(
                    tracker,
                    kind,
                    call_id="a",
                    url="http://127.0.0.1/x",
                    status=200,
                    error="",
                    request=request,  # type: ignore[arg-type]
                )
        finally:
            world.trackers._now = now

    ziwo.centre.do(work)


def add(world: ServedWorld, name: str) -> SimTracker:
    return world.add_tracker(name, startRequestURL="http://127.0.0.1/x", endRequestURL="http://127.0.0.1/y")


def test_replay_asks_about_the_start_calls_of_yesterday(ziwo: Ziwo, rules: Path) -> None:
    log(ziwo, {"didCalled": "061234567"}, {"didCalled": "none", "callerIDNumber": "0509998888"}, {"foo": "bar"})
    log(ziwo, {"didCalled": "061234567", "endRawTime": 1}, kind="end")
    log(ziwo, {"didCalled": "too new"}, days=0)
    log(ziwo, {"didCalled": "too old"}, days=2.5)
    result = ziwo("trackers", "replay", str(rules))
    assert result.exit_code == 0
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["when", "didCalled", "caller", "then", "decision"]
    assert "Z  none          0509998888  " in first
    assert first.endswith("  0505874603 for 20 s (fallback: the handler gave no rules)")
    assert "  061234567     not told" in second
    assert second.endswith('  0501112222 as 061234567 for 10 s, then 047654321 for 15 s (lang="en")')
    assert result.stderr == (
        "ziwo: 2 start calls: 1 by the handler, 1 by the fallback; 1 end call left out; 1 record without didCalled\n"
    )
    assert not (rules.parent / "called").exists()


def test_replay_compares_with_the_answer_of_then(ziwo: Ziwo, rules: Path) -> None:
    form = {"didCalled": "061234567"}
    log(ziwo, {"body": json.dumps(form), "answer": {"content": {**form, "rules": THEN}}})
    log(ziwo, {"body": form, "answer": {"content": {**form, "rules": THEN[:1]}}})
    log(ziwo, {"body": form, "answer": None})
    log(ziwo, {"body": form, "answer": {"rules": [THEN[0], {**THEN[1], "lang": "ar"}]}})
    rows = ziwo.json("trackers", "replay", str(rules))
    assert [row["changed"] for row in rows] == [True, None, True, False]
    rows = rows[1:]
    assert rows[1]["before"] == THEN[:1]
    assert [rule["number"] for rule in rows[1]["rules"]] == ["0501112222", "047654321"]
    result = ziwo("trackers", "replay", str(rules), "--changed")
    assert [line.split()[3] for line in result.stdout.splitlines()[1:]] == ["told", "told", "told"]
    assert "  changed  " in result.stdout
    assert "2 of 3 answered differently now" in result.stderr


def test_replay_takes_days_trackers_and_a_limit(ziwo: Ziwo, rules: Path) -> None:
    log(ziwo, *({"didCalled": f"0600{n}"} for n in range(60)), days=2)
    log(ziwo, {"didCalled": "0700"}, days=2, name="other")
    today = datetime.now().astimezone().date()
    then = str(today - timedelta(days=3)), str(today)
    assert len(ziwo.json("trackers", "replay", str(rules), "--since", then[0])) == 61
    assert len(ziwo.json("trackers", "replay", str(rules), "--since", then[0], "--until", then[1])) == 61
    assert len(ziwo.json("trackers", "replay", str(rules), "--until", then[0])) == 0
    only = ziwo.json("trackers", "replay", str(rules), "--since", then[0], "--tracker", "other")
    assert [row["didCalled"] for row in only] == ["0700"]
    assert len(ziwo.json("trackers", "replay", str(rules), "--since", then[0], "--limit", "3")) == 3
    assert "is no day" in ziwo.refuses(2, "trackers", "replay", str(rules), "--since", "2026-01-01T10:00")
    assert "before from_date" in ziwo("trackers", "replay", str(rules), "--since", then[1], "--until", then[0]).stderr
    assert "no call tracker 'x'" in ziwo("trackers", "replay", str(rules), "--tracker", "x").stderr


def test_replay_fails_when_the_handler_does_and_shows_one_traceback(ziwo: Ziwo, rules: Path) -> None:
    log(ziwo, *({"didCalled": f"0600{n}", "callerIDNumber": "broken"} for n in range(5)))
    result = ziwo("trackers", "replay", str(rules))
    assert result.exit_code == 1
    assert result.stdout.count("(fallback: the handler failed: RuntimeError)") == 5
    assert result.stderr.count("Traceback") == 1


def test_what_the_simulators_platform_asked_can_be_replayed(ziwo: Ziwo, rules: Path) -> None:
    """The whole way round: `serve` is asked as ZIWO asks, and `replay` reads that in the logs."""

    async def ask() -> None:
        command = (*ZIWO, "trackers", "serve", rules, "--port", "0")
        async with program(*command, cwd=rules.parent) as server:
            (line,) = await server.says("^Start requests: ")

            async def work(world: ServedWorld) -> None:
                start = line.split()[-1]
                tracker = world.add_tracker(
                    "served",
                    startRequestURL=start,
                    startRequestAPIKey=KEY,
                    endRequestURL=start.replace("startCall", "endCall"),
                    endRequestAPIKey=KEY,
                )
                hooks = world.simulator.hooks
                hooks.caller_field = "callerIDNumber"
                (done,) = await hooks.send("start", tracker, did="061234567", caller="0509998888")
                assert done.status == 200
                (done,) = await hooks.send("end", tracker, did="061234567")
                assert done.status == 200

            await asyncio.to_thread(ziwo.centre.wait_for, work)
            await server.says("endCall  200")

    asyncio.run(ask())
    today = str(datetime.now().astimezone().date())
    result = ziwo("trackers", "replay", str(rules), "--since", today, "--json")
    (row,) = (json.loads(line) for line in result.stdout.splitlines())
    assert (row["didCalled"], row["caller"], row["rules"][0]["number"]) == ("061234567", "0509998888", "0501112222")
    assert (row["before"], row["changed"]) == (row["rules"], False)
    assert "1 end call left out" in result.stderr


def test_try_leaves_threads_alone_that_are_not_its_own(alone: Ziwo, rules: Path) -> None:
    """In a program that has a hanging handler of its own, `try` neither waits for that nor ends the program."""
    over = threading.Event()
    other = threading.Thread(target=over.wait, name=f"{THREAD_NAME}_0")
    other.start()
    try:
        assert "decided by  the handler" in alone.ok("trackers", "try", str(rules), "--did", "061234567")
        assert other.is_alive()
    finally:
        over.set()
        other.join(20)

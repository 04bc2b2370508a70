"""Recordings of real sessions against the simulator: what is in them, and that a replay tells what was seen live."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import resource
import secrets
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import (
    BadArgument,
    Call,
    ConfigError,
    DialogEvent,
    Hangup,
    Liveness,
    Phone,
    ReconnectPolicy,
    Recorder,
    SessionLost,
    SessionRestored,
    SessionTakenOver,
    Timeouts,
    UnknownFrame,
    VertoError,
)
from ziwo_async.simulator import Simulator, World
from ziwo_async.testing.recordings import Replayed, replay_recording
from ziwo_async.verto.recording import CLOSED, ENDED, FULL, OPENED

from .kit import CUSTOMER, QUICK_SERVER, Desk, until, within

OTHER = "+971500000526"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def recorder(file: Path) -> Iterator[Recorder]:
    with Recorder(file) as made:
        yield made


def content(file: Path) -> str:
    return file.read_text(encoding="ascii")


def size_of(file: Path) -> int:
    return file.stat().st_size


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content(file).splitlines()]


def seen_live(desk: Desk) -> dict[str, tuple[Any, ...]]:
    """What was told of each call: its flow with inferred states marked, and what it was."""
    told: dict[str, tuple[Any, ...]] = {}
    for event in desk.seen.of(DialogEvent):
        told[event.call_id] = tell(event)
    return told


def tell(event: DialogEvent) -> tuple[Any, ...]:
    flow = " ".join(f"{step.state}{'*' if step.inferred else ''}" for step in event.state_flow)
    now = event.current_call
    return flow, event.direction, event.customer_number, now.hangup_cause, now.hangup_by, now.headers


def seen_again(replayed: Replayed) -> dict[str, tuple[Any, ...]]:
    return {call.id: tell(call.events[-1]) for call in replayed.calls}


async def busy_session(desk: Desk, phone: Phone) -> None:
    """Calls in and out, held, refused, cut off, found again, ended by either side."""
    there, call = await desk.talks(phone)
    await within(call.hold())
    await within(call.unhold())
    await within(call.dtmf("12#"))
    other = desk.world.customer(OTHER).will(answer_after=0.003)
    dialled = await within(phone.dial(OTHER))
    await within(dialled.wait_for("active"))
    await within(dialled.hold())
    # The server counts a call as active a moment before it connects the two ends.
    await until(lambda: all(leg.other is not None for made in desk.world.calls for leg in made.legs))
    await cut(desk, dialled, "held", 1)
    await until(lambda: call.state == "active")
    await cut(desk, call, "active", 2)
    await within(dialled.unhold())
    await there.hangs_up()
    await within(call.wait_for("destroy"))
    desk.world.customer("+971500000527").is_busy()
    busy = await within(phone.dial("+971500000527"))
    await within(busy.wait_for("destroy"))
    missed, ringing = await desk.rings(phone, other)
    await missed.hangs_up()
    await within(ringing.wait_for("destroy"))
    await within(dialled.hangup())


async def cut(desk: Desk, call: Call, state: str, turn: int) -> None:
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored, count=turn)
    await desk.seen.wait(DialogEvent, lambda e: e.call_id == call.id and e.state == "recovering", count=turn)
    await until(lambda: call.state == state, f"call {call.id} is {call.state}")


# -- the same again -----------------------------------------------------------------------------------------------


async def test_a_replay_tells_of_each_call_what_was_seen_live(desk: Desk, file: Path, recorder: Recorder) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    await busy_session(desk, phone)
    await within(phone.aclose())
    recorder.close()
    replayed = replay_recording(file)
    assert seen_again(replayed) == seen_live(desk)
    assert len(replayed.calls) == 4
    assert sum("recovering" in call.flow for call in replayed.calls) == 2
    assert (replayed.violations, replayed.broken) == ((), ())
    assert all(call.documented and call.report.complete for call in replayed.calls)
    assert [type(event).__name__ for event in replayed.session_events] == desk.seen.session()
    restored = [event for event in replayed.events if isinstance(event, SessionRestored)]
    live = desk.seen.of(SessionRestored)
    assert [(event.kept, event.lost) for event in restored] == [(event.kept, event.lost) for event in live]


async def test_a_recording_replayed_twice_gives_equal_events(desk: Desk, file: Path, recorder: Recorder) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    await busy_session(desk, phone)
    await within(phone.aclose())
    recorder.close()
    first, second = replay_recording(file), replay_recording(file)
    assert first == second
    assert first.times == tuple(sorted(first.times))
    assert len(first.events) == len(first.times)


async def test_a_replay_knows_the_calls_that_were_lost_with_the_connection(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    _, ringing = await desk.rings(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())
    recorder.close()
    call = replay_recording(file).call(ringing.id)
    assert call.flow == "ringing hangup destroy"
    assert call.hangup is not None
    assert (call.hangup.by, call.hangup.cause) == ("lost", "DESTINATION_OUT_OF_ORDER")
    assert seen_again(replay_recording(file)) == seen_live(desk)


async def test_a_hangup_while_there_was_no_connection_is_no_recovery_in_the_replay(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    gate = asyncio.Event()
    phone = desk.phone_that_waits(gate, connector=recorder.connector())
    await phone.start()
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await within(call.hangup())
    gate.set()
    await there.reaches("ended")
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())
    recorder.close()
    assert replay_recording(file).flows == {call.id: "ringing answering active hangup destroy"}


async def test_a_call_that_ended_while_there_was_no_connection_is_lost_in_the_replay_too(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    gate = asyncio.Event()
    phone = desk.phone_that_waits(gate, connector=recorder.connector())
    await phone.start()
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await there.hangs_up()
    gate.set()
    await desk.seen.wait(SessionRestored)
    await within(call.wait_for("destroy"))
    await within(phone.aclose())
    recorder.close()
    assert seen_again(replay_recording(file)) == seen_live(desk)
    assert [e.lost for e in replay_recording(file).events if isinstance(e, SessionRestored)] == [(call.id,)]


async def test_a_session_that_was_taken_over_ends_its_calls_in_the_replay_too(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    await desk.talks(phone)
    await desk.inject(method="verto.punt", params={})
    await desk.sim.faults.close_phone_socket(desk.agent)
    with pytest.raises(SessionTakenOver):
        await within(phone.wait_closed())
    await within(phone.aclose())
    recorder.close()
    assert seen_again(replay_recording(file)) == seen_live(desk)


async def test_a_connection_that_we_cut_says_so(desk: Desk, file: Path, recorder: Recorder) -> None:
    phone = desk.phone(connector=recorder.connector(), liveness=Liveness(silence=0.02, reply=0.05))
    await phone.start()
    await desk.sim.faults.half_open(desk.agent)
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())
    recorder.close()
    lost = [event for event in replay_recording(file).events if isinstance(event, SessionLost)]
    assert [(event.reason, event.close_code) for event in lost[:1]] == [
        ("we cut it off: the server gave no sign of life", None)
    ]


async def test_a_bye_that_nobody_confirmed_ends_the_call_in_the_replay_as_it_did_live(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector(), timeouts=Timeouts(close=0.05, verto_request=2.0))
    await phone.start()
    _, call = await desk.talks(phone)
    desk.sim.faults.drop_next("verto.bye", executed=False)
    await within(call.hangup())
    assert call.is_over
    await within(phone.request("verto.ping"))
    # No closing line: what is told must come from the lines before.
    flow = replay_recording(file).flows[call.id]
    assert flow == "ringing answering active hangup destroy"


async def test_what_is_open_when_the_phone_closes_is_over_in_the_replay(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector(), reconnect=ReconnectPolicy(base=60.0, cap=60.0))
    await phone.start()
    _, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await within(phone.aclose())
    assert not replay_recording(file).call(call.id).report.complete
    recorder.close()
    # That the program closed the phone was said to nobody: a replay knows only that the call is over.
    again = replay_recording(file).call(call.id)
    assert again.flow.split() == desk.seen.words(call.id)
    assert again.hangup is not None
    assert again.hangup.by == "lost"
    assert desk.seen.of(Hangup)[0].by == "local"
    assert replay_recording(file).call(call.id).report.complete


async def test_two_phones_in_one_recording_are_told_apart(desk: Desk, file: Path, recorder: Recorder) -> None:
    phone = desk.phone(connector=recorder.connector())
    other = desk.phone(desk.other, connector=recorder.connector())
    await phone.start()
    await other.start()
    _, mine = await desk.talks(phone)
    _, theirs = await desk.talks(other, agent=desk.other)
    await desk.sim.faults.cut_phone_socket()
    await desk.seen.wait(SessionRestored, count=2)
    await until(lambda: mine.state == theirs.state == "active" and len(mine.state_flow) == len(theirs.state_flow) == 5)
    await within(phone.aclose())
    await within(other.aclose())
    recorder.close()
    assert set(replay_recording(file).flows.values()) == {"ringing answering active recovering active hangup destroy"}
    assert seen_again(replay_recording(file)) == seen_live(desk)


# -- what is in the file ------------------------------------------------------------------------------------------


async def test_the_file_tells_times_connections_and_frames_both_ways(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    await desk.sim.faults.close_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await within(phone.aclose())
    recorder.close()
    header, *rest = lines(file)
    assert (header["ziwo_recording"], header["masked_numbers"]) == (1, False)
    assert header["library"].startswith("ziwo_async ")
    assert set(header) == {"ziwo_recording", "library", "at", "masked_numbers"}
    assert [line["rel"] for line in rest] == sorted(line["rel"] for line in rest)
    assert all(abs(line["at"] - header["at"] - line["rel"]) < 5 for line in rest)
    notes = [line for line in rest if line["dir"] == "note"]
    assert [(line["note"], line["conn"]) for line in notes] == [
        (OPENED, "1"),
        (CLOSED, "1"),
        (OPENED, "2"),
        (CLOSED, "2"),
        (ENDED, ""),
    ]
    assert (notes[1]["code"], notes[1]["by_us"]) == (1000, False)
    assert "code 1000" in notes[1]["reason"]
    assert notes[3]["by_us"] is True
    sent = [line["frame"]["method"] for line in rest if line["dir"] == "send"]
    assert sent == ["login", "login"]
    ready = [line for line in rest if line["dir"] == "recv" and line["frame"].get("method") == "verto.clientReady"]
    assert len(ready) == 2
    assert recorder.frames == sum(line["dir"] in ("send", "recv") for line in rest)


def unknown(**params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "verto.x", "params": params})


async def test_no_secret_is_in_the_file(file: Path) -> None:
    canaries = {name: f"{name}-{secrets.token_hex(12)}" for name in ("password", "cc", "sess", "token")}
    world = World(agents=("0011",))
    world.add_agent("5555", password=canaries["password"], cc_password=canaries["cc"])
    async with Simulator(world, options=QUICK_SERVER) as sim:
        desk = Desk(sim)
        with Recorder(file) as recorder:
            client = desk.client(session_id=canaries["sess"], connector=recorder.connector(), strict_flows=False)
            await client.phone.start()
            canaries["hash"] = desk.agent.verto_password
            handed_out = set(sim.rest._tokens)
            _, call = await desk.talks(client.phone)
            with pytest.raises(VertoError):
                await client.phone.request("verto.nonsense", {"secretToken": canaries["token"]})
            # The server shows our own secrets where none belong.
            for text in (
                json.dumps({"jsonrpc": "2.0", "id": 9999, "result": {"sessid": canaries["sess"]}}),
                unknown(a=[canaries["hash"]]),
                unknown(deep={"b": f"it was {canaries['token']}!"}),
                unknown(**{canaries["sess"]: 1}),
                f'{{"sessid":"{canaries["sess"]}","passwd":"{canaries["hash"]}"',
                f"#SPU {canaries['sess']} {canaries['hash']}",
                f'{{"jsonrpc":"2.0","id":9,"error":{{"message":"{canaries["sess"]}","message":"CALL ERROR"}}}}',
            ):
                await sim.faults.inject(desk.agent, text)
            await desk.seen.wait(UnknownFrame, count=7)
            await sim.faults.cut_phone_socket(desk.agent)
            await desk.seen.wait(SessionRestored)
            await within(call.hangup())
            await desk.close()
        text = content(file)
        # They did go over the wire: else this would prove nothing.
        frames = "".join((*sim.journal.frames("in"), *sim.journal.frames("out")))
    for name in ("sess", "hash", "token"):
        assert canaries[name] in frames
    assert "a=ice-pwd:" in frames
    assert "a=fingerprint:" in frames
    for secret in (*canaries.values(), *handed_out):
        assert secret not in text
    for attribute in ("ice-pwd", "ice-ufrag", "fingerprint"):
        assert text.count(f"a={attribute}:") == text.count(f"a={attribute}:[hidden]") > 0
    assert text.count('"sessid":"[session-1]"') > 5
    assert "127.0.0.1" not in text
    assert recorder.stopped == ""


async def test_masked_numbers_leave_no_number_in_the_file_and_the_same_flows(desk: Desk, file: Path) -> None:
    with Recorder(file, mask_numbers=True) as recorder:
        phone = desk.phone(connector=recorder.connector())
        await phone.start()
        await busy_session(desk, phone)
        await within(phone.aclose())
    text = content(file)
    for number in (CUSTOMER, OTHER, "+971500000527"):
        assert number not in text
        assert number[1:] not in text
    assert "12#" not in text
    replayed = replay_recording(file)
    live = seen_live(desk)
    assert replayed.flows == {call_id: told[0] for call_id, told in live.items()}
    assert {call.customer_number for call in replayed.calls} >= {"+9715****526", "+9715****527"}


# -- the file itself ----------------------------------------------------------------------------------------------


def test_only_the_owner_may_read_the_file(file: Path) -> None:
    before = os.umask(0)
    try:
        Recorder(file).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_exists_is_never_written_over(file: Path) -> None:
    file.write_text("precious")
    with pytest.raises(ConfigError, match=r"run\.jsonl exists: a recording never writes over a file"):
        Recorder(file)
    assert file.read_text() == "precious"


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        Recorder(file)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("path", ["nowhere/run.jsonl", "a\0b"])
def test_a_file_that_cannot_be_made_is_refused_in_words(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="cannot be made: "):
        Recorder(f"{tmp_path}/{path}")


def test_a_limit_that_makes_no_sense_is_refused_before_a_file_is_made(file: Path) -> None:
    with pytest.raises(ConfigError, match="would hold nothing"):
        Recorder(file, limit=10)
    assert not file.exists()


def test_a_killed_process_leaves_a_file_that_can_be_read(file: Path) -> None:
    code = (
        "import sys\n"
        "from ziwo_async import Recorder\n"
        "recorder = Recorder(sys.argv[1])\n"
        "for number in range(100_000):\n"
        '    recorder.frame(\'1\', \'recv\', \'{"jsonrpc":"2.0","method":"x","id":%d}\' % number)\n'
        "    if number == 50: print('begun', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, file], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGKILL)
    whole, _, rest = file.read_text().rpartition("\n")
    told = [json.loads(line) for line in whole.splitlines()]
    assert [line["frame"]["id"] for line in told[1:]] == list(range(len(told) - 1))
    assert len(told) > 50
    assert len(rest) < 200


async def test_a_full_disk_stops_the_recording_with_one_warning_and_leaves_the_phone_alone(
    desk: Desk, file: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    _, call = await desk.talks(phone)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = size_of(file) + 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        for _ in range(3):
            recorder.frame(
                "1", "recv", '{"jsonrpc":"2.0","id":1,"method":"verto.ping","params":{"a":"aaaaaaaaaaaaaa"}}'
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert recorder.stopped == "File too large"
    await within(call.hold())
    await within(call.hangup())
    warnings = [record for record in caplog.records if record.name == "ziwo_async.recorder"]
    assert [record.levelno for record in warnings] == [logging.WARNING]
    assert "run.jsonl stopped: File too large" in warnings[0].getMessage()
    assert size_of(file) == room
    replayed = replay_recording(file)
    assert replayed.recording.truncated
    assert replayed.flows == {call.id: "ringing answering active"}
    assert repr(recorder).endswith("stopped>")


async def test_a_recording_ends_at_its_limit_with_a_line_that_says_so_and_the_phone_goes_on(
    desk: Desk, file: Path
) -> None:
    with Recorder(file, limit=5_000) as recorder:
        phone = desk.phone(connector=recorder.connector())
        await phone.start()
        await busy_session(desk, phone)
        await within(phone.aclose())
    assert "limit of 5000 bytes" in recorder.stopped
    assert 2_000 < size_of(file) <= 5_000
    assert lines(file)[-1]["note"] == FULL
    assert lines(file)[-1]["limit"] == 5_000
    replayed = replay_recording(file)
    assert replayed.recording.full
    assert not replayed.recording.truncated


async def test_a_connection_that_could_not_be_made_is_noted_without_the_host(file: Path, recorder: Recorder) -> None:
    with pytest.raises(Exception, match="cannot reach"):
        await recorder.connector()("ws://127.0.0.1:9", Timeouts(connect=2.0), None)
    recorder.close()
    assert [(line.get("note"), line.get("reason")) for line in lines(file)[1:]] == [
        ("no connection", "CannotConnect"),
        (ENDED, None),
    ]
    assert replay_recording(file).calls == ()


async def test_a_closed_recorder_lets_the_phone_go_on(desk: Desk, file: Path, recorder: Recorder) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    recorder.close()
    recorder.close()
    size = size_of(file)
    _, call = await desk.talks(phone)
    await within(call.hangup())
    assert size_of(file) == size
    assert lines(file)[-1]["idle"] is False
    # The phone was not closed before: nothing is said of the end of its session.
    assert [type(event).__name__ for event in replay_recording(file).events] == ["SessionReady"]


def what(event: UnknownFrame) -> tuple[str, str | None]:
    # Spaces after commas move columns.
    return re.sub(r" at line \d+ column \d+", "", event.reason), event.method


async def test_frames_that_are_no_plain_objects_are_replayed_as_they_were_read(
    desk: Desk, file: Path, recorder: Recorder
) -> None:
    phone = desk.phone(connector=recorder.connector())
    await phone.start()
    texts = [
        "#SPU 100",
        "[]",
        "[1]",
        "7",
        '{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":NaN}}',
        '{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1e999}}',
        '{"jsonrpc":"2.0","id":1,"method":"x","params":{"s":"\\ud800"}}',
        '{"jsonrpc":"2.0","id":77,"error":{"message":"No such number","message":"CALL ERROR"}}',
        '{"jsonrpc":"2.0","id":1,"method":"x","params":' + '{"a":' * 190 + "1" + "}" * 191,
        "[" * 3_000,
        '{"jsonrpc":"2.0","id":1,"method":"big","params":{"a":"' + "x" * 1_100_000 + '"}}',
    ]
    for text in texts:
        await desk.sim.faults.inject(desk.agent, text)
    await desk.seen.wait(UnknownFrame, count=len(texts) - 1)
    await within(phone.aclose())
    recorder.close()
    live = desk.seen.of(UnknownFrame)
    again = [event for event in replay_recording(file).events if isinstance(event, UnknownFrame)]
    assert [what(event) for event in again] == [what(event) for event in live]
    assert size_of(file) < 50_000


def test_a_recorder_that_breaks_itself_stops_and_says_so(
    file: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.frame("1", "recv", 7)  # type: ignore[arg-type]
    assert recorder.stopped == "a frame could not be cleaned (AttributeError)"
    assert len(caplog.records) == 1


def test_a_call_that_a_recording_does_not_have_is_named(file: Path, recorder: Recorder) -> None:
    recorder.close()
    with pytest.raises(BadArgument, match="the recording has no call c1; it has no calls"):
        replay_recording(file).call("c1")


def test_the_reason_of_a_close_frame_shows_no_secret(file: Path, recorder: Recorder) -> None:
    recorder._open.add("1")
    recorder.frame("1", "send", '{"method":"login","params":{"sessid":"canary-sessid"}}')
    recorder.ended("1", "the server closed the connection with code 1008 (bye canary-sessid)", 1008, by_us=False)
    assert "canary" not in content(file)
    assert lines(file)[-1]["reason"].endswith("with code 1008 (bye [session-1])")

"""`ziwo eavesdrop` with sound: what it records and plays, what it shows of it, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from ..examples.account import login
from .centre import Ziwo
from .kit import ZIWO, program
from .sound import AGENT, CUSTOMER, TIP, conversation, eavesdrop_call, make_tip, serve_with_sound, tones_in
from .terminal import on_a_terminal


@pytest.mark.media
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_records_what_it_hears_and_plays_to_the_agent_alone(tmp_path: Path, number: signal.Signals) -> None:
    file, tip = tmp_path / "talk.wav", make_tip(tmp_path / "tip.wav", 20.0)
    options = ("--whisper", "agent", "--record", str(file), "--play", str(tip))
    async with serve_with_sound() as world, conversation(world) as (talk, _):
        async with program(*ZIWO, "eavesdrop", "5555", *options, env=login(world, "0011")) as listener:
            await listener.says(r"update    agent 5555, heard by the agent$")
            await eavesdrop_call(world).media_comes_up()
            heard = await talk.heard_by_agent(1.0)
            assert heard.has(TIP)
            assert heard.has(CUSTOMER)
            assert not (await talk.heard_by_customer(0.5)).has(TIP)
            assert await listener.stops(number) == 0
        assert eavesdrop_call(world).state == "ended"
        assert talk.state == "active"
    assert [line.split()[1] for line in listener.out] == ["create", "answer", "update", "end"]
    assert tones_in(file) == {CUSTOMER, AGENT, TIP}
    assert file.stat().st_mode & 0o777 == 0o600
    came, recorded = listener.err  # and no meter: nobody looks
    assert came == "ziwo: audio comes in (opus)"
    assert recorded.startswith("ziwo: recorded ")
    assert recorded.endswith(f" s: {file}")


@pytest.mark.media
async def test_json_tells_levels_and_that_a_sound_was_played(tmp_path: Path) -> None:
    tip = make_tip(tmp_path / "tip.wav")
    options = ("--whisper", "both", "--play", str(tip), "--for", "2.7", "--json")
    async with (
        serve_with_sound() as world,
        conversation(world),
        program(*ZIWO, "eavesdrop", "5555", *options, env=login(world, "0011")) as listener,
    ):
        assert await listener.ends() == 0
    events = [json.loads(line) for line in listener.out]
    assert [event["action"] for event in events if event["event"] == "eavesdrop_audit"] == [
        "create",
        "answer",
        "update",
        "end",
    ]
    assert [event["codec"] for event in events if event["event"] == "media_up"] == ["opus"]
    levels = [event for event in events if event["event"] == "levels"]
    assert max(level["received"] for level in levels) > -30
    assert max(level["sent"] for level in levels) > -30
    assert levels[-1]["sent"] == -100
    assert listener.err == [f"ziwo: played {tip}, 0.3 s"]


@pytest.mark.media
async def test_the_other_side_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "talk.wav"
    async with serve_with_sound() as world, conversation(world):
        options = ("--record", str(file))
        async with program(*ZIWO, "eavesdrop", "5555", *options, env=login(world, "0011")) as listener:
            await listener.says("answer")
            await eavesdrop_call(world).media_comes_up()
            await eavesdrop_call(world).heard_by_agent(0.5)
            await eavesdrop_call(world).hangs_up()
            assert await listener.ends() == 1
    assert "ziwo: the call was ended, by remote: NORMAL_CLEARING" in listener.err
    assert tones_in(file) == {CUSTOMER, AGENT}


@pytest.mark.media
async def test_a_simulated_contact_centre_can_be_listened_to() -> None:
    async with program(*ZIWO, "simulate", "--media", "--port", "0", "--calls-every", "0", "--json") as centre:
        told = json.loads((await centre.says("{"))[0])
        agent = told["agents"][0]
        env = {"ZIWO_API_URL": told["api_url"], "ZIWO_USERNAME": agent["username"], "ZIWO_PASSWORD": agent["password"]}
        async with program(*ZIWO, "eavesdrop", "0011", "--for", "1.7", "--json", env=env) as listener:
            assert await listener.ends() == 0
        events = [json.loads(line) for line in listener.out]
        assert "media_up" in [event["event"] for event in events]
        assert max(event["received"] for event in events if event["event"] == "levels") > -30  # hold music
        assert await centre.stops() == 0
        assert centre.err == []


@pytest.mark.parametrize("columns", [80, 50, 10])
def test_on_a_terminal_there_is_a_meter_in_one_line(ziwo: Ziwo, columns: int) -> None:
    env = {**ziwo.centre.env("0011"), "COLUMNS": str(columns)}
    with on_a_terminal("eavesdrop", "5555", "--for", "0.6", **env) as terminal:
        terminal.shows("  quiet  said ")
        terminal.shows("  end ")
    meters = [part for part in terminal.shown.split("\r") if part.startswith("heard ")]
    assert len(meters) >= 2
    assert all("\n" not in meter and len(meter) < max(columns, 40) for meter in meters)
    assert ("░" in terminal.shown) is (columns > 40)
    assert "\x1b" not in terminal.shown
    # It is taken away before something else is written.
    assert "\r  " in terminal.shown.partition("  end ")[0].rpartition("0:0")[2]

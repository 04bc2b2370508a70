"""The simulator against recordings of real servers: same client, same answers, field for field."""

from __future__ import annotations

from typing import Any

import pytest

from ziwo_async.simulator import Simulator

from .backend import freeswitch_world, ziwo_world
from .replay import DATA, Case, Replay, ReplayClock, options


def without(*names: str) -> Any:
    """A difference: the simulator's result lacks these members."""

    def change(frame: Any) -> Any:
        result = frame.get("result") if isinstance(frame, dict) else None
        if not isinstance(result, dict) or not set(names) <= set(result):
            return None
        return {**frame, "result": {k: v for k, v in result.items() if k not in names}}

    return change


def display_number(number: str) -> Any:
    """A difference: the far end is shown with this number."""

    def change(frame: Any) -> Any:
        params = frame.get("params", {}) if isinstance(frame, dict) else {}
        if params.get("display_number") != "XML":
            return None
        return {**frame, "params": {**params, "display_number": number, "callee_id_number": number}}

    return change


DUPLICATES = {"disable_multiple_sessions": True}
NO_BYTES = "the recording does not hold the bytes that were sent; see test_websocket.py"

CASES = [
    Case("s01_login_ok", differs=[("no directory flags", without("moderator", "stereoAudio", "superuser"))]),
    Case("s02_bad_login"),
    Case("s03_before_login", leave_out=[("a", 1.0, 99, "the speed test (#SPU) is not simulated")]),
    Case("s04_duplicate"),
    Case("s04b_preauth_punt"),
    Case("s05_echo"),
    Case("s06_early_media_remote_bye"),
    Case("s07_rejected"),
    Case("s08_local_bye"),
    Case("s09_inbound"),
    Case("s10_inbound_rejected"),
    Case("s11_inbound_cancelled"),
    Case("s12_call_control"),
    Case("s13_reattach"),
    Case("s14_other_sessid"),
    Case("s15_errors", skip={"none": "rights of a user are not simulated: every agent may do everything"}),
    Case(
        "s17_bad_media", move=[(95.4676, 95.4671, "the bye of one call and the invite of the next race on the server")]
    ),
    Case(
        "s19_ws_quirks",
        skip={
            **dict.fromkeys(("pingcoal", "coal2", "frag", "bin", "busy"), NO_BYTES),
            "half": "the 10 s limit for the rest of a frame is not simulated",
            "unmasked": "the websocket library refuses unmasked frames (1002); the real server takes them",
            "sp": "sub-protocols are not echoed (by decision)",
            "deflate": "nothing was said on it; see test_websocket.py",
        },
        leave_out=[("ping", 6.42, 7.0, NO_BYTES)],
    ),
    Case("s23_extra"),
    Case("s24_server_gone", server_dies=True),
    Case("z01_basic"),
    Case(
        "z02_duplicate",
        # Refusals follow one another within a millisecond, before the server has hung up on the older session.
        options={**DUPLICATES, "flush_quiet": 0.4},
        move=[(2.3357, 2.3349, "the recording noticed the end of this connection late")],
        leave_out=[
            ("third", 2.205, 2.2155, "the simulator notices a reset at once, the server took 13 ms"),
            ("same5", 7.54, 7.58, "tries of which only the first and the last say something"),
        ],
    ),
    Case("z02c_duplicate_with_call", options=DUPLICATES),
    Case(
        "z03_pickup",
        leave_out=[("esl", 2.9452, 2.9452, "this pickup was refused: the server had not made the call yet")],
    ),
    Case("z04_dial"),
    Case("z06_sendToCall"),
    Case("z07_keepalive", skip={"websockets-default": NO_BYTES}),
    Case("z08_reattach"),
    Case("z08b_detach_default", options={"detach_timeout": 120.0}),
    Case("z08c_punt_loop"),
    Case("z11_eavesdrop"),
    Case("z11b_eavesdrop_variants"),
    Case("z11c_userspy"),
    Case("z12_transfer"),
    Case("z20_golden_agent_session", differs=[("a loopback channel shows XML", display_number("85555"))]),
]


NOT_REPLAYED = {
    "s16_ping_pubsub": "conference live arrays and FreeSWITCH's JSON API are not simulated",
    "s18_trickle": "what a server makes of trickled candidates is media; test_calls.py has the refused SDPs",
    "s20_idle_ping": "only idle pings; see test_websocket.py",
    "s21_login_expires": "a login that ends after 299 s; see test_websocket.py (also z07b)",
    "s22_server_restart": "in spite of its name the server goes on: mod_verto cannot be unloaded while it has calls",
    "s25_default_keepalive": "the client's websocket library kills itself; see test_websocket.py for the missing PONG",
    "z02b_duplicate_network_gone": "16 minutes of TCP retransmissions; test_sessions.py has the half-open socket",
    "z05_send": "frames of 200 kB; test_calls.py has verto.send with nested data and leaking members",
    "z09_size": "the same limits as in s15",
}
"""Recordings that are not replayed (and not kept in tests/data), each with the reason."""


def test_every_recording_kept_is_replayed() -> None:
    kept = {path.stem for path in DATA.glob("*/*.jsonl")}
    replayed = {case.name for case in CASES}
    assert replayed <= kept
    assert not replayed & set(NOT_REPLAYED)
    # Others may keep recordings of their own there; none of them may be forgotten silently.
    assert kept - replayed <= set(NOT_REPLAYED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_server_says_what_was_recorded(case: Case) -> None:
    world = ziwo_world() if case.name.startswith("z") else freeswitch_world()
    clock = ReplayClock()
    async with Simulator(world, options=options(**case.options), clock=clock) as sim:
        replay = Replay(case, world, sim, clock)
        try:
            await replay.run()
        finally:
            for task in replay.backend.dials:
                task.cancel()
    assert replay.compared > 0
    assert replay.used_differences == {name for name, _ in case.differs}

"""The simulator against recordings of real servers: same client, same answers, field for field."""

from __future__ import annotations

import pytest

from ziwo_async.simulator import Simulator

from .backend import freeswitch_world, ziwo_world
from .replay import Case, Replay, ReplayClock, options

CASES = [Case(n) for n in ("s01_login_ok","s02_bad_login","s03_before_login","s04_duplicate","s04b_preauth_punt","s05_echo","s06_early_media_remote_bye","s07_rejected","s08_local_bye","s09_inbound","s10_inbound_rejected","s11_inbound_cancelled","s12_call_control","s13_reattach","s14_other_sessid","s15_errors","s17_bad_media","s19_ws_quirks","s23_extra","z01_basic","z02_duplicate","z02c_duplicate_with_call","z03_pickup","z04_dial","z06_sendToCall","z07_keepalive","z08_reattach","z08b_detach_default","z08c_punt_loop","z11_eavesdrop","z11b_eavesdrop_variants","z11c_userspy","z12_transfer","z20_golden_agent_session")]


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

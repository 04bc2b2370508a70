"""The plugin, as a user has it: pytest runs a test file of theirs in a process of its own."""

from __future__ import annotations

import pytest

from ..lean import LEAN

pytest_plugins = ["pytester"]

MODES = ["auto", "strict"]

BOT = """
import pytest
from ziwo_async import Active, Call, Ringing, Router, SessionRestored

router = Router()


@router.on(Ringing)
async def answer(call: Call, event: Ringing) -> None:
    await call.answer()
"""

# design.md's example 4. The cut comes after the answer: a call that rings ends with its socket, on the real server too.
MY_BOT = """
async def test_my_bot(ziwo_world, ziwo_client):
    ziwo_client.include(router)
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.reaches("active")
"""

SURVIVES = """
async def test_it_survives_a_cut(ziwo_world, ziwo_client):
    ziwo_client.include(router)
    async with ziwo_client.expect(SessionRestored, timeout=5):
        assert await ziwo_world.faults.cut_phone_socket() == 1
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.reaches("active")
    assert ziwo_world.api_url.startswith("http://127.0.0.1:")
    assert ziwo_world.verto_url.startswith("ws://127.0.0.1:")
    assert ziwo_world.simulator.journal is ziwo_world.journal
"""

AGENTS = """
@pytest.mark.ziwo(agent="0011")
async def test_another_agent(ziwo_world, ziwo_client):
    assert ziwo_client.phone.login == "agent-0011"
    assert ziwo_world.agent("0011").connected
    assert not ziwo_world.agent("5555").connected


@pytest.mark.ziwo(agent="7777")
async def test_a_new_agent(ziwo_world, ziwo_client):
    assert ziwo_client.phone.login == "agent-7777"


async def test_the_usual_agent(ziwo_client):
    assert ziwo_client.phone.login == "agent-5555"
"""

PROXIED = """
import re
from ziwo_async import Hangup, SessionTakenOver
from ziwo_async.simulator import SimulatorError


@pytest.mark.ziwo(proxy=True)
async def test_behind_the_proxy(ziwo_world, ziwo_client):
    ziwo_client.include(router)
    proxy = ziwo_world.proxy
    assert (proxy.accepted, proxy.open) == (1, 1)
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.reaches("active")
    async with ziwo_client.expect(SessionRestored, timeout=5):
        proxy.reset()
    await call.reaches("active")
    assert proxy.accepted >= 2


@pytest.mark.ziwo("0011", proxy=True)
async def test_another_agent_behind_it_and_a_scenario(ziwo_world, ziwo_client):
    assert ziwo_client.phone.login == "agent-0011"
    assert ziwo_world.proxy.open == 1
    await ziwo_world.faults.punt(ziwo_world.agent("0011"))
    with pytest.raises(SessionTakenOver):
        await ziwo_client.phone.wait_closed()


async def test_without(ziwo_world, ziwo_client):
    with pytest.raises(SimulatorError, match=re.escape("mark.ziwo(proxy=True)")):
        ziwo_world.proxy
"""

CLOSED = """
seen = []

async def test_first(ziwo_world, ziwo_client):
    seen.extend([ziwo_world, ziwo_client])

async def test_then():
    import asyncio
    from ziwo_async.simulator import NotRunning
    world, client = seen
    assert not client.phone.ready
    with pytest.raises(NotRunning):
        world.simulator
    assert len(asyncio.all_tasks()) == 1
"""


def make(pytester: pytest.Pytester, mode: str, *parts: str) -> None:
    text = "\n".join([BOT, *parts])
    if mode == "strict":
        text = text.replace("import pytest\n", "import pytest\npytestmark = pytest.mark.asyncio\n", 1)
    pytester.makepyfile(text)
    pytester.makeini(
        f"""
        [pytest]
        asyncio_mode = {mode}
        asyncio_default_fixture_loop_scope = function
        addopts = --strict-markers --strict-config -p no:randomly -p no:cacheprovider
        filterwarnings = error
        """
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_users_test_file_runs(pytester: pytest.Pytester, mode: str) -> None:
    make(pytester, mode, MY_BOT, SURVIVES)
    pytester.runpytest_subprocess(*LEAN, timeout=50).assert_outcomes(passed=2)


def test_the_marker_chooses_the_agent(pytester: pytest.Pytester) -> None:
    make(pytester, "auto", AGENTS)
    pytester.runpytest_subprocess(*LEAN, timeout=50).assert_outcomes(passed=3)


def test_a_client_can_run_behind_the_fault_proxy(pytester: pytest.Pytester) -> None:
    make(pytester, "auto", PROXIED)
    pytester.runpytest_subprocess(*LEAN, timeout=50).assert_outcomes(passed=3)


SOUNDING = """
import pytest
from ziwo_async import Active, Call, Ringing, Router, Tone

@pytest.mark.ziwo(media=True)
async def test_the_customer_hears_the_bot(ziwo_world, ziwo_client):
    router = Router()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        await call.answer()
        call.audio.play(Tone(1000))

    ziwo_client.include(router)
    call = await ziwo_world.customer("+97150000000").dials(ziwo_world.agent("5555"))
    await call.media_comes_up()
    for _ in range(10):
        if (await call.heard_by_customer(0.2)).has(1000):
            break
    else:
        raise AssertionError("nothing was heard")
"""


@pytest.mark.media
def test_calls_can_carry_sound(pytester: pytest.Pytester) -> None:
    make(pytester, "auto", SOUNDING)
    pytester.runpytest_subprocess(*LEAN, timeout=50).assert_outcomes(passed=1)


def test_everything_is_closed_after_the_test(pytester: pytest.Pytester) -> None:
    make(pytester, "auto", CLOSED)
    pytester.runpytest_subprocess(*LEAN, timeout=50).assert_outcomes(passed=2)


def test_a_wrong_marker_is_refused_in_words(pytester: pytest.Pytester) -> None:
    make(pytester, "auto", '@pytest.mark.ziwo(user="x")\nasync def test_it(ziwo_client): ...')
    result = pytester.runpytest_subprocess(*LEAN, timeout=50)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker ziwo takes agent=, proxy= and media= only*"])


def test_without_pytest_asyncio_pytest_starts_and_the_fixtures_say_what_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(ziwo_world): ...\ndef test_b(ziwo_client): ...\ndef test_c(): ...")
    result = pytester.runpytest_subprocess(*LEAN, "-p", "no:asyncio", "-p", "no:cacheprovider", timeout=50)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*ziwo_client needs pytest-asyncio: pip install pytest-asyncio*"])


def test_the_plugin_is_listed_and_costs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            ours = {name for name in sys.modules if name.startswith("ziwo_async.")}
            assert ours <= {
                "ziwo_async.testing", "ziwo_async.testing.plugin", "ziwo_async.testing.fixtures"
            }, ours
            assert "aiohttp" not in sys.modules
        """
    )
    pytester.runpytest_subprocess(*LEAN, "-p", "no:cacheprovider", timeout=50).assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("--fixtures", "--markers", "-p", "no:cacheprovider", timeout=50)
    result.stdout.fnmatch_lines(["*@pytest.mark.ziwo(agent, proxy, media)*"])


async def test_the_projects_own_tests_can_use_them(ziwo_world: object, ziwo_client: object) -> None:
    assert type(ziwo_world).__name__ == "ServedWorld"
    assert type(ziwo_client).__name__ == "ZiwoClient"

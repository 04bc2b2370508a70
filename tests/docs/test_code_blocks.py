"""Every Python block of README.md and docs/ runs. How: see `blocks`."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import AiortcMedia, Call, Destroy, DialogState, HandlerFailed, Ringing, Router, ZiwoClient
from ziwo_async.testing import FAST_RECONNECT, ServedWorld, serve

from ..cli.kit import program
from ..cli.sound import conversation, make_tip, serve_with_sound
from ..lean import LEAN
from .blocks import KINDS, ROOT, Block, all_blocks
from .things import CALLS, CUSTOMER, SETTINGS, THINGS, make, words

pytest_plugins = ["pytester"]

BLOCKS = [block for block in all_blocks() if block.language in {"python", "py", "pycon"}]
PATIENCE = 40.0


def of(kind: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.kind == kind]
    assert found, f"there is no {kind} in the documentation any more: remove it here"
    return pytest.mark.parametrize("block", [pytest.param(block, id=block.name, marks=marks(block)) for block in found])


def marks(block: Block) -> list[pytest.MarkDecorator]:
    return [pytest.mark.media] if "media" in words(block.options.get("needs", "")) else []


def test_every_block_says_how_it_is_tested() -> None:
    silent = [block.name for block in BLOCKS if block.kind not in KINDS]
    assert silent == [], "these need a line <!-- test: ... --> before the fence"


def test_every_option_is_known() -> None:
    known = {"ends", "quiet", "shows", "drive", "needs", "then"}
    assert [(block.name, block.options) for block in BLOCKS if not set(block.options) <= known] == []
    things = {*CALLS, *SETTINGS, *THINGS}
    assert [block.name for block in BLOCKS if not set(words(block.options.get("needs", ""))) <= things] == []


def test_no_comment_stands_alone() -> None:
    """A comment that is not directly before a fence would test nothing."""
    comments = sum(page.count("<!-- test: ") for page in (path.read_text() for path in {b.path for b in all_blocks()}))
    assert comments == len(BLOCKS)


@of("example")
def test_included_example(block: Block) -> None:
    found = re.fullmatch(r'--8<-- "(examples/[\w/]+\.py)"\n', block.code)
    assert found is not None, "an example is included whole; tests/examples runs it"
    assert (ROOT / found.group(1)).exists()


@of("pytest")
def test_users_test_file(block: Block, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(block.code)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    wanted = len(re.findall(r"^(?:async )?def test_", block.code, re.MULTILINE))
    assert wanted > 0
    pytester.runpytest_subprocess(*LEAN, "-p", "no:cacheprovider", timeout=50).assert_outcomes(passed=wanted)


@asynccontextmanager
async def contact_centre(needs: list[str], here: Path) -> AsyncIterator[ServedWorld]:
    """A contact centre; with sound when a block needs that, and then with a conversation to listen to."""
    sound = "media" in needs
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(serve_with_sound() if sound else serve())
        if sound:
            make_tip(here / "tip.wav")
            world.customer(CUSTOMER).speaks(500)
        if sound and "supervisor" in needs:
            await stack.enter_async_context(conversation(world))
        yield world


@of("program")
async def test_program(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "block.py"
    file.write_text(block.code)
    needs = words(block.options.get("needs", ""))
    async with contact_centre(needs, tmp_path) as world:
        agent = world.agent("0011" if "supervisor" in needs else "5555")
        make(needs, world, tmp_path / "empty")
        env = {
            "ZIWO_API_URL": world.api_url,
            "ZIWO_USERNAME": agent.username,
            "ZIWO_PASSWORD": agent.password,
            "ZIWO_API_KEY": world.cti_key,
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        async with program(sys.executable, file, env=env, cwd=tmp_path) as running:
            if block.options.get("quiet") == "yes":
                code = await running.ends()
            else:
                await agent.comes_online(PATIENCE)
                customer = world.customer(CUSTOMER).hangs_up_after(0.2)
                call = await customer.dials(agent, ring_timeout=3.0)
                await call.reaches("ended", PATIENCE)
                code = await running.stops()
    shown = f"{running.text}\n{running.errors}"
    assert code == int(block.options.get("ends", "0")), shown
    assert "Traceback" not in shown
    assert block.options.get("shows", "") in shown
    assert agent.password not in shown
    assert world.cti_key not in shown


@asynccontextmanager
async def setting(world: ServedWorld, router: Router, needs: list[str]) -> AsyncIterator[dict[str, Any]]:
    agent = world.agent("0011" if "supervisor" in needs else "5555")
    failures: list[HandlerFailed] = []

    @router.on(HandlerFailed)
    async def failed(event: HandlerFailed) -> None:
        failures.append(event)

    ziwo = ZiwoClient(
        username=agent.username,
        password=agent.password,
        api_key=world.cti_key,
        api_url=world.api_url,
        router=router,
        reconnect=FAST_RECONNECT,
        media=AiortcMedia(stun=()) if "media" in needs else None,
    )
    async with ziwo, ziwo.phone:
        yield {
            "ziwo": ziwo,
            "router": router,
            "world": world,
            "agent": world.agent("5555"),
            "customer": world.customer(CUSTOMER),
            "log": logging.getLogger("docs"),
        }
    assert failures == []


async def ring(ziwo: ZiwoClient, world: ServedWorld, number: str) -> Call:
    async with ziwo.expect(Ringing, timeout=PATIENCE) as expected:
        await world.customer(number).dials(world.agent("5555"))
    call = ziwo.phone.call(expected.event.call_id)
    assert call is not None
    return call


async def drive(ziwo: ZiwoClient, world: ServedWorld) -> None:
    """A customer calls; who was not answered by the block is answered here; then the phone is closed."""
    async with ziwo.expect(Destroy, timeout=PATIENCE):
        world.customer(CUSTOMER).hangs_up_after(0.1)
        call = await ring(ziwo, world, CUSTOMER)
        await asyncio.sleep(0.05)  # for handlers of the block that answer; nothing depends on its length
        if call.state is DialogState.RINGING:
            await call.answer()
    await ziwo.phone.aclose()


@of("fragment")
async def test_fragment(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    code = compile(
        "\n" * block.line + block.code, str(block.path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    needs = words(block.options.get("needs", ""))
    async with (
        asyncio.timeout(PATIENCE * 2),
        contact_centre(needs, tmp_path) as world,
        setting(world, Router(), needs) as names,
    ):
        ziwo: ZiwoClient = names["ziwo"]
        names.update(make(needs, world, tmp_path / "empty"), here=tmp_path, Path=Path)
        for need in (word for word in needs if word in CALLS):
            names[need] = await ring(ziwo, world, CUSTOMER if need != "second" else "+97150000002")
            if need != "ringing":
                await names[need].answer()
        result = eval(code, names)
        async with asyncio.TaskGroup() as tasks:
            if inspect.iscoroutine(result):
                tasks.create_task(result)
            if block.options.get("drive") == "inbound":
                tasks.create_task(drive(ziwo, world))
        if "then" in block.options:
            assert eval(block.options["then"], names), block.options["then"]

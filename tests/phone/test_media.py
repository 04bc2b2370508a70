"""Media engines that work, fail and are slow; and sessions in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ziwo_async import DialogState, MediaEngine, MediaError, MediaSession, NullMedia, UnknownFrame

from .kit import CUSTOMER, Desk, Line, Rogue, until, within


class Engine:
    """A media engine that notes what it is asked, and fails where told."""

    def __init__(self, **failing: Exception) -> None:
        self.failing = failing
        self.said: list[str] = []
        self.open_sessions = 0
        self.gate: asyncio.Event | None = None

    async def open(self, call_id: str) -> MediaSession:
        if "open" in self.failing:
            raise self.failing["open"]
        self.open_sessions += 1
        return Session(self, await NullMedia().open(call_id))


class Session:
    def __init__(self, engine: Engine, plain: MediaSession) -> None:
        self.engine = engine
        self.plain = plain

    async def _step(self, name: str) -> None:
        self.engine.said.append(name)
        if self.engine.gate is not None and name in ("offer", "answer"):
            await self.engine.gate.wait()
        if name in self.engine.failing:
            raise self.engine.failing[name]

    async def offer(self) -> str:
        await self._step("offer")
        return await self.plain.offer()

    async def answer(self, offer: str) -> str:
        await self._step("answer")
        return await self.plain.answer(offer)

    async def accept(self, answer: str) -> None:
        await self._step("accept")

    async def mute(self, muted: bool) -> None:
        await self._step(f"mute {muted}")

    async def close(self) -> None:
        self.engine.open_sessions -= 1
        await self._step("close")


def no_media(text: str = "no microphone") -> MediaError:
    return MediaError(text, call_id="x")


async def test_an_engine_is_asked_in_order_and_closed_once(desk: Desk) -> None:
    engine = Engine()
    assert isinstance(engine, MediaEngine)
    phone = desk.phone(media=engine)
    await phone.start()
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("active", 5)
    await within(call.mute())
    await within(call.hangup())
    await until(lambda: engine.said == ["offer", "accept", "mute True", "close"], str(engine.said))
    assert engine.open_sessions == 0


@pytest.mark.parametrize("step", ["open", "offer"])
async def test_an_engine_that_cannot_offer_is_an_error_of_dial(desk: Desk, step: str) -> None:
    engine = Engine(**{step: no_media()})
    phone = desk.phone(media=engine)
    await phone.start()
    with pytest.raises(MediaError, match="no microphone"):
        await within(phone.dial(CUSTOMER))
    assert (phone.calls, engine.open_sessions) == ((), 0)
    assert phone.ready


async def test_an_engine_that_cannot_answer_leaves_the_call_ringing(desk: Desk) -> None:
    engine = Engine(answer=no_media())
    phone = desk.phone(media=engine)
    await phone.start()
    there, call = await desk.rings(phone)
    with pytest.raises(MediaError, match="no microphone"):
        await within(call.answer())
    assert call.state is DialogState.RINGING
    engine.failing.clear()
    await within(call.answer())
    await there.reaches("active")


async def test_an_answer_that_the_server_refuses_may_be_given_again(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.rings(phone)
    desk.sim.faults.fail_next("verto.answer", -32002, "CODEC ERROR")
    with pytest.raises(MediaError, match="CODEC ERROR"):
        await within(call.answer())
    assert not call.is_over
    await within(call.answer())
    assert call.state is DialogState.ACTIVE


async def test_an_engine_that_fails_with_the_servers_answer_ends_the_call(desk: Desk) -> None:
    phone = desk.phone(media=Engine(accept=no_media()))
    await phone.start()
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("destroy", 5)
    assert phone.ready


async def test_an_engine_that_fails_when_a_call_is_attached_again_ends_that_call(desk: Desk) -> None:
    engine = Engine()
    phone = desk.phone(media=engine)
    await phone.start()
    _, call = await desk.talks(phone)
    engine.failing["answer"] = no_media()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await call.wait_for("destroy", 5)
    assert desk.seen.words(call.id)[-3:] == ["recovering", "hangup", "destroy"]
    await until(lambda: phone.ready)


async def test_an_engine_with_a_bug_ends_its_call_and_nothing_else(desk: Desk) -> None:
    phone = desk.phone(media=Engine(accept=ZeroDivisionError()))
    await phone.start()
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("destroy", 5)
    assert phone.ready


async def test_a_dial_cancelled_in_a_slow_engine_leaves_no_media(desk: Desk) -> None:
    engine = Engine()
    engine.gate = asyncio.Event()
    phone = desk.phone(media=engine)
    await phone.start()
    task = asyncio.create_task(phone.dial(CUSTOMER))
    await until(lambda: engine.said == ["offer"])
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert engine.open_sessions == 0
    assert not phone._core.media._entries
    assert desk.frames("verto.invite") == []


async def test_a_call_that_ends_while_its_answer_is_made_leaves_no_media(desk: Desk) -> None:
    engine = Engine()
    engine.gate = asyncio.Event()
    phone = desk.phone(media=engine)
    await phone.start()
    there, call = await desk.rings(phone)
    task = asyncio.create_task(call.answer())
    await until(lambda: engine.said == ["answer"])
    await there.cancels()
    await call.wait_for("destroy", 5)
    engine.gate.set()
    await asyncio.wait([task], timeout=5)
    assert task.exception() is not None
    await until(lambda: engine.open_sessions == 0 and not phone._core.media._entries)


@pytest.mark.parametrize(
    ("offer", "text"),
    [("v=0\r\n", "has no audio"), ("m=audio 9 RTP/AVP 102\r\na=rtpmap:102 L16/8000\r\n", "no codec that we speak")],
)
async def test_null_media_says_which_offers_it_cannot_answer(offer: str, text: str) -> None:
    session = await NullMedia().open("c1")
    with pytest.raises(MediaError, match=text):
        await session.answer(offer)


async def test_a_message_in_pieces_is_one_message(desk: Desk, rogue: Callable[..., Awaitable[Rogue]]) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        await line.socket.send(['{"jsonrpc":"2.0","id":1,', '"method":"verto.nonsense",', '"params":{"n":1}}'])

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    unknown = await desk.seen.wait(UnknownFrame)
    assert (unknown.method, unknown.params) == ("verto.nonsense", {"n": 1})
    await within(phone.aclose())

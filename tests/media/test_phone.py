"""Media through a real phone: `call.audio`, events of media, hold, re-attachment after a loss, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ziwo_async import Active, CallEvent, Held, MediaError, WrongState
from ziwo_async.events import DialogState, MediaLost, MediaUp
from ziwo_async.media import AiortcMedia, CallAudio, Tone
from ziwo_async.simulator.rtp import Peer
from ziwo_async.simulator.rtp import Tone as ServerTone

from ..phone.kit import Desk, Line, Rogue, contact_centre, rogues
from .kit import OURS, SERVER, heard_by, is_tone, media, read_wav, until, within


class Server:
    """A Verto server with real media, in as few words as it takes."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.ends = asyncio.Event()

    async def script(self, rogue: Rogue, line: Line) -> None:
        calls = ["in"] if self.peers else []
        login = await line.next()
        await line.result(login, message="logged in", sessid=login["params"]["sessid"])
        peer = Peer(after=self.peers[-1] if self.peers else None)
        peer.play(ServerTone(SERVER if not self.peers else 700))
        self.peers.append(peer)
        line.replies_to["verto.answer"] = line.replies_to["verto.attach"] = self._take
        line.replies_to["verto.invite"] = lambda request: self._dialled(line, request)
        if calls:
            await line.send(id=1, method="verto.attach", params={"callID": "in", "sdp": peer.offer()})
        await line.send(id=2, method="verto.clientReady", params={"reattached_sessions": calls})
        if not calls:
            invite = {"callID": "in", "sdp": peer.offer(), "caller_id_number": "+97150000000", "callee_id_number": "x"}
            await line.send(id=3, method="verto.invite", params=invite)

    def _take(self, request: dict[str, Any]) -> dict[str, Any]:
        self.peers[-1].accept(request["params"]["sdp"])
        return {"result": {"message": "SENT"}}

    def _dialled(self, line: Line, request: dict[str, Any]) -> dict[str, Any]:
        call_id, peer = request["params"]["dialogParams"]["callID"], Peer()
        peer.play(ServerTone(SERVER))
        self.peers.append(peer)
        sdp = peer.answer(request["params"]["sdp"])
        asyncio.get_running_loop().create_task(self._progress(line, call_id, sdp))
        return {"result": {"message": "CALL CREATED", "callID": call_id}}

    async def _progress(self, line: Line, call_id: str, sdp: str) -> None:
        await line.send(id=4, method="verto.media", params={"callID": call_id, "sdp": sdp})
        await self.ends.wait()
        await line.send(id=5, method="verto.answer", params={"callID": call_id})

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    await made.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with contact_centre() as made:
        yield made


async def audio_of(call: Any) -> CallAudio:
    audio = call.audio
    assert isinstance(audio, CallAudio)
    return audio


async def hears(audio: CallAudio, hz: int) -> None:
    async def wait() -> None:
        window: list[bytes] = []
        async for frame in audio.frames(8000):
            window = [*window[-9:], frame.pcm]
            if len(window) == 10 and is_tone(b"".join(window), 8000, hz):
                return
        raise AssertionError("the call ended")

    await within(wait())


async def test_a_call_is_answered_heard_held_lost_and_taken_up_again(
    desk: Desk, server: Server, tmp_path: Path
) -> None:
    async with rogues() as rogue:
        there = await rogue(server.script)
        engine = media(loopback=None, watch_after=5.0)
        async with desk.phone(url=there.url, media=engine) as phone:
            call = (await desk.seen.wait(CallEvent) and phone.calls)[0]
            with pytest.raises(WrongState, match="a ringing call gets it when it is answered"):
                _ = call.audio
            await within(call.answer())
            audio = await audio_of(call)
            assert engine._server_is_here
            await hears(audio, SERVER)
            audio.play(Tone(OURS))
            handle = await audio.record(tmp_path / "call.wav")
            assert await heard_by(server.peers[0], OURS)
            up = await desk.seen.wait(MediaUp)
            assert (up.call_id, up.codec, up.again) == ("in", "opus", False)

            await within(call.mute())
            assert not await heard_by(server.peers[0], OURS, seconds=0.2)
            await within(call.unmute())

            await within(call.hold())
            server.peers[0].play(None)
            await within(call.unhold())
            server.peers[0].play(ServerTone(SERVER))
            await hears(audio, SERVER)

            there.lines[0].cut()
            await until(lambda: len(server.peers) == 2)
            await hears(audio, 700)
            assert call.audio is audio
            assert await heard_by(server.peers[1], OURS)
            await desk.seen.wait(Active, lambda event: event.state_flow[-2].state is DialogState.RECOVERING)

            await within(call.hangup())
            assert await within(handle.wait()) == tmp_path / "call.wav"
            assert len(read_wav(tmp_path / "call.wav")[0]) > 16000
            assert [frame async for frame in audio.frames()] == []
        assert not desk.seen.of(MediaLost)
        assert len(desk.seen.of(Held)) == 1


async def test_a_dialled_call_has_early_media_and_lost_media_are_an_event(desk: Desk, server: Server) -> None:
    async with rogues() as rogue:
        there = await rogue(server.script)
        async with desk.phone(url=there.url, media=media(watch_after=0.3)) as phone:
            call = await within(phone.dial("+97150000001"))
            await call.wait_for("early", 5)
            await hears(call.audio, SERVER)
            server.ends.set()
            await call.wait_for("active", 5)
            server.peers[-1].play(None)
            lost = await desk.seen.wait(MediaLost)
            assert (lost.call_id, lost.reason) == (call.id, "no audio")
            server.peers[-1].play(ServerTone(SERVER))
            await desk.seen.wait(MediaUp, lambda event: event.again)
            playback = call.audio.play(Tone(OURS))
            assert await heard_by(server.peers[-1], OURS)
            await within(call.hangup())
            await within(playback)
            assert not playback.completed


async def test_an_offer_that_cannot_be_is_an_error_of_the_answer_and_the_call_rings_on(desk: Desk) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.log_in()
        sdp = Peer(codecs=["L16"])
        offer = {"callID": "odd", "sdp": sdp.offer(), "caller_id_number": "1", "callee_id_number": "x"}
        await sdp.close()
        await line.send(id=3, method="verto.invite", params=offer)

    async with rogues() as rogue:
        there = await rogue(script)
        async with desk.phone(url=there.url, media=media()) as phone:
            await desk.seen.wait(CallEvent)
            (call,) = phone.calls
            with pytest.raises(MediaError, match="only L16"):
                await within(call.answer())
            assert call.state is DialogState.RINGING


async def test_without_an_engine_the_error_says_what_is_missing(desk: Desk) -> None:
    phone = desk.phone()
    async with phone:
        _, call = await desk.talks(phone)
        with pytest.raises(MediaError, match=r"NullMedia carries no audio: .* media=AiortcMedia\(\)"):
            _ = call.audio
        await within(call.hangup())
        with pytest.raises(WrongState):
            _ = call.audio


async def test_closing_the_phone_closes_the_media(desk: Desk, server: Server) -> None:
    async with rogues() as rogue:
        there = await rogue(server.script)
        phone = desk.phone(url=there.url, media=AiortcMedia(stun=()))
        await phone.start()
        await desk.seen.wait(CallEvent)
        (call,) = phone.calls
        await within(call.answer())
        await hears(call.audio, SERVER)
        audio = call.audio
        await within(phone.aclose())
        assert [frame async for frame in audio.frames()] == []
        await server.peers[0].reaches("over")

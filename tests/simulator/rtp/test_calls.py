"""Calls with sound, over real RTP: what each party of a call hears, measured on both sides."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ziwo_async.simulator import ServerOptions, Simulator, SimulatorError, WaitedInVain, World
from ziwo_async.simulator.rtp import HOLD_MUSIC, RINGBACK

from ..api import Api
from ..client import SDP, Connect, RawClient
from ..conftest import FAST
from .bare import BareClient, Cures
from .conftest import Make
from .phone import AGENT, CUSTOMER, NUMBER, STRETCH, Phone, comes, silent, tones

# The serial number of FreeSWITCH's certificate is 0, which `cryptography` will refuse one day.
pytestmark = [pytest.mark.media, pytest.mark.filterwarnings("ignore:Parsed a serial number")]


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    # A connection that is closed during its handshake leaves a task of aiortc's behind, at the client.
    left = {task for task in asyncio.all_tasks() - before if "RTCPeerConnection" not in repr(task.get_coro())}
    assert left <= {asyncio.current_task()}


# ---- two parties -------------------------------------------------------------------------------------------------


async def test_an_agent_who_dials_and_the_customer_hear_each_other(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await call.media_comes_up()
    await comes(phone, CUSTOMER)
    await comes(call, AGENT)
    assert tones(await call.said_by_agent(STRETCH), AGENT, CUSTOMER) == {AGENT}
    assert tones(await call.heard_by_agent(STRETCH), AGENT, CUSTOMER) == {CUSTOMER}


async def test_an_agent_who_is_rung_and_the_customer_hear_each_other(world: World, phone_of: Make) -> None:
    phone = await phone_of(world.agent("0011"))
    call = await world.customer(NUMBER).speaks(700).dials(world.agent("0011"))
    assert tones(await call.heard_by_customer(STRETCH), RINGBACK, AGENT) == {RINGBACK}
    await phone.picks_up()
    await call.media_comes_up()
    await comes(phone, 700)
    await comes(call, AGENT)


async def test_early_media_is_ringback_until_the_customer_answers(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.6, early_media=True)
    phone = await phone_of(world.agent("0011"))
    await phone.dial(NUMBER)
    await phone.has_early_media()
    await phone.media.connected()
    assert tones(await phone.media.heard(0.2), RINGBACK, CUSTOMER) == {RINGBACK}
    await phone.is_answered()
    await comes(phone, CUSTOMER)


async def test_the_customer_plays_a_file(world: World, phone_of: Make, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        sine = (round(9_000 * math.sin(2 * math.pi * 1_300 * n / 16_000)) for n in range(3 * 16_000))
        file.writeframes(array("h", sine).tobytes())
    world.customer(NUMBER).will(answer_after=0.0, early_media=False).speaks(tmp_path / "voice.wav")
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    await comes(phone, 1_300)


async def test_two_agents_hear_each_other(world: World, phone_of: Make) -> None:
    one, other = await phone_of(world.agent("0011"), says=880), await phone_of(world.agent("5555"), says=1_200)
    await one.dial("5555")
    await other.picks_up()
    await one.is_answered()
    await asyncio.gather(comes(one, 1_200), comes(other, 880, of=(1_200,)))


@pytest.mark.parametrize("marker", [True, False], ids=["cleared", "set"])
async def test_the_echo_gives_back_what_is_said_whatever_the_marker_bit(
    world: World, phone_of: Make, marker: bool
) -> None:
    phone = await phone_of(world.agent("0011"), cures=Cures(marker=marker))
    await phone.calls("9196")
    await comes(phone, AGENT)


async def test_in_a_bridged_call_the_marker_bit_makes_the_agent_mute(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"), cures=Cures(marker=False))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await comes(phone, CUSTOMER)
    assert (await call.heard_by_customer(STRETCH)).frames == 0


async def test_hold_gives_music_to_the_customer_and_nothing_to_the_agent(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await comes(call, AGENT)
    await phone.ask("verto.modify", action="hold")
    await comes(call, HOLD_MUSIC)
    await silent(phone)
    await phone.ask("verto.modify", action="unhold")
    await comes(call, AGENT)
    await comes(phone, CUSTOMER)


async def test_after_a_transfer_the_customer_hears_the_next_agent(world: World, phone_of: Make) -> None:
    one, other = await phone_of(world.agent("0011"), says=880), await phone_of(world.agent("5555"), says=1_200)
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    await one.picks_up()
    await comes(call, 880)
    await one.ask("verto.modify", action="transfer", destination="5555")
    await other.picks_up()
    await comes(call, 1_200)
    await comes(other, CUSTOMER)
    await silent(one)


async def test_new_media_in_the_middle_of_a_call(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    first, phone.media = phone.media, phone.new_media()
    reply = await phone.ask("verto.modify", action="updateMedia", sdp=await phone.media.offer())
    await phone.media.accept(reply["result"]["sdp"])
    await comes(phone, CUSTOMER)
    await comes(call, AGENT)
    assert first.pc.connectionState == "closed"
    await call.is_renegotiated()
    await phone.takes_over((await phone.until("verto.attach"))["sdp"])
    await comes(phone, CUSTOMER)
    await comes(call, AGENT)


# ---- listening in ------------------------------------------------------------------------------------------------

SUPERVISOR = 1_100


async def test_a_supervisor_hears_both_and_is_heard_as_rest_says(
    world: World, phone_of: Make, sim: Simulator, api: Api
) -> None:
    boss, phone = await phone_of(world.agent("5555"), says=SUPERVISOR), await phone_of(world.agent("0011"))
    spy = await world.agent("5555").eavesdrops(world.agent("0011"))
    await boss.picks_up()
    await comes(boss, HOLD_MUSIC)
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    await phone.picks_up()
    await asyncio.gather(
        comes(boss, AGENT, CUSTOMER), comes(phone, CUSTOMER, of=(SUPERVISOR,)), comes(call, AGENT, of=(SUPERVISOR,))
    )
    for whisper, agent, customer in (
        ("agent", {CUSTOMER, SUPERVISOR}, {AGENT}),
        ("both", {CUSTOMER, SUPERVISOR}, {AGENT, SUPERVISOR}),
        ("none", {CUSTOMER}, {AGENT}),
    ):
        path = f"/live/calls/eavesdrop/{spy.id}"
        answer = await api("PUT", path, json={"whisper": whisper})
        assert answer.status == 200
        await asyncio.gather(
            comes(phone, *agent, of=(SUPERVISOR,)),
            comes(call, *customer, of=(SUPERVISOR,)),
            comes(boss, AGENT, CUSTOMER),
        )
    await call.hangs_up()
    await comes(boss, HOLD_MUSIC)
    assert spy.state == "active"


async def test_digits_of_the_supervisor_say_who_hears_him(world: World, phone_of: Make) -> None:
    boss, phone = await phone_of(world.agent("5555"), says=SUPERVISOR), await phone_of(world.agent("0011"))
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    await phone.picks_up()
    await call.reaches("active")
    spy = await world.agent("5555").eavesdrops(call)
    await boss.picks_up()
    await comes(boss, AGENT, CUSTOMER)
    for digit, whisper, agent, customer in (
        ("2", "agent", {CUSTOMER, SUPERVISOR}, {AGENT}),
        ("1@150", "customer", {CUSTOMER}, {AGENT, SUPERVISOR}),
        ("3", "both", {CUSTOMER, SUPERVISOR}, {AGENT, SUPERVISOR}),
        ("0", "none", {CUSTOMER}, {AGENT}),
    ):
        reply = await boss.verto.ask("verto.info", dialogParams={"callID": boss.call_id}, dtmf=digit)
        assert reply["result"]["message"] == "SENT"
        assert spy.whisper == whisper
        await asyncio.gather(comes(phone, *agent, of=(SUPERVISOR,)), comes(call, *customer, of=(SUPERVISOR,)))


async def test_digits_of_anybody_else_steer_nothing(world: World, phone_of: Make) -> None:
    phone = await phone_of(world.agent("0011"))
    await phone.calls("9196")
    reply = await phone.verto.ask("verto.info", dialogParams={"callID": phone.call_id}, dtmf="3")
    assert reply["result"]["message"] == "SENT"
    assert [call.whisper for call in world.calls] == ["none"]


async def test_during_hold_the_supervisor_goes_on_listening(world: World, phone_of: Make) -> None:
    boss, phone = await phone_of(world.agent("5555"), says=SUPERVISOR), await phone_of(world.agent("0011"))
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    await phone.picks_up()
    spy = await world.agent("5555").eavesdrops(world.agent("0011"))
    spy.whisper = "both"
    await boss.picks_up()
    await phone.ask("verto.modify", action="hold")
    await comes(boss, AGENT, CUSTOMER)
    await comes(call, HOLD_MUSIC, of=(SUPERVISOR,))


# ---- sockets come and go -----------------------------------------------------------------------------------------


async def back(phone: Phone, connect: Connect) -> str:
    """The phone logs in again with its session; gives the offer of the `verto.attach` that comes first."""
    phone.verto = await connect()
    ready = await phone.log_in()
    assert ready == {"reattached_sessions": [phone.call_id]}
    offer: str = phone.verto.attached[0]["sdp"]
    return offer


@pytest.mark.parametrize("dialled", [True, False], ids=["dialled", "rung"])
@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
async def test_after_a_cut_the_call_goes_on_with_another_peer(
    world: World, phone_of: Make, sim: Simulator, connect: Connect, dialled: bool, passive: bool
) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    if dialled:
        await phone.calls(NUMBER)
        call = await world.customer(NUMBER).is_called()
    else:
        call = await world.customer(NUMBER).dials(world.agent("0011"))
        await phone.picks_up()
    await call.media_comes_up()
    assert sim.rtp is not None
    (peer,) = sim.rtp.peers.values()
    await sim.faults.cut_phone_socket()
    assert call.state == "detached"
    await peer.reaches("closed")
    assert (await call.heard_by_customer(0.1)).frames == 0, "no RTP at all while the agent is away"
    await silent(phone)
    offer = await back(phone, connect)
    assert "m=audio" in offer
    assert re.findall(r"a=rtpmap:\d+ (\S+)", offer) == ["opus/48000/2"]
    await phone.takes_over(offer, cures=Cures(passive=passive, controlling=passive))
    await call.media_comes_up()
    await comes(phone, CUSTOMER)
    await comes(call, AGENT)


async def test_a_held_call_is_still_held_after_a_cut(
    world: World, phone_of: Make, sim: Simulator, connect: Connect
) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await call.media_comes_up()
    await phone.ask("verto.modify", action="hold")
    await sim.faults.cut_phone_socket()
    offer = await back(phone, connect)
    assert "a=sendrecv" in offer
    await phone.takes_over(offer)
    await phone.media.connected()
    await silent(phone)
    await comes(call, HOLD_MUSIC)
    await phone.ask("verto.modify", action="unhold")
    await comes(phone, CUSTOMER)


async def test_an_attach_that_is_answered_by_verto_answer_gets_no_media(
    world: World, phone_of: Make, sim: Simulator, connect: Connect
) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await call.media_comes_up()
    await sim.faults.cut_phone_socket()
    await phone.takes_over(await back(phone, connect), method="verto.answer")
    with pytest.raises(TimeoutError):
        await phone.media.connected(0.3)


async def test_a_call_whose_media_never_came_up_dies_with_its_socket(
    world: World, connect: Connect, sim: Simulator
) -> None:
    client = await connect()
    await client.login(world.agent("0011"))
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    invite = await client.expect("verto.invite")
    await client.ask("verto.answer", sdp=SDP, dialogParams={"callID": invite["callID"]})
    await call.reaches("active")
    with pytest.raises(WaitedInVain, match="no media"):
        await call.media_comes_up(0.05)
    assert (await call.heard_by_customer(0.1)).frames == 0
    await sim.faults.cut_phone_socket()
    assert (call.state, call.cause) == ("ended", "DESTINATION_OUT_OF_ORDER")
    again = await connect()
    assert await again.login(world.agent("0011")) == {"reattached_sessions": []}


async def test_plain_rtp_is_answered_and_has_no_media(world: World, connect: Connect) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    client = await connect()
    await client.login(world.agent("0011"))
    plain = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\n"
    await client.ask("verto.invite", sdp=plain, dialogParams={"callID": "plain", "destination_number": NUMBER})
    assert "RTP/AVP 0" in (await client.expect("verto.answer"))["sdp"]


@pytest.mark.parametrize("attach", [False, True], ids=["invite", "attach"])
async def test_a_client_with_ecdsa_suites_only_is_hung_up(
    world: World, phone_of: Make, sim: Simulator, connect: Connect, attach: bool
) -> None:
    phone = await phone_of(world.agent("0011"))
    call = await world.customer(NUMBER).dials(world.agent("0011"))
    await phone.picks_up(Cures() if attach else Cures(suites=False))
    if attach:
        await call.media_comes_up()
        await sim.faults.cut_phone_socket()
        await phone.takes_over(await back(phone, connect), cures=Cures(suites=False))
    bye = await phone.until("verto.bye")
    assert (bye["causeCode"], bye["cause"]) == (27, "DESTINATION_OUT_OF_ORDER")
    with pytest.raises(SimulatorError, match="has ended"):
        await call.media_comes_up()


async def test_a_client_that_closes_its_media_keeps_the_call(world: World, phone_of: Make) -> None:
    world.customer(NUMBER).will(answer_after=0.0, early_media=False)
    phone = await phone_of(world.agent("0011"))
    await phone.calls(NUMBER)
    call = await world.customer(NUMBER).is_called()
    await comes(call, AGENT)
    await phone.media.close()
    async with asyncio.timeout(20):
        while (await call.heard_by_customer(0.1)).frames:
            pass
    assert call.state == "active"


async def test_a_forked_call_has_media_for_the_one_who_answered(world: World, phone_of: Make) -> None:
    agent = world.agent("0011")
    one, other = await phone_of(agent, sessid="one"), await phone_of(agent, sessid="other", says=1_200)
    call = await world.customer(NUMBER).dials(agent)
    await one.picks_up()
    assert (await other.until("verto.bye"))["cause"] == "LOSE_RACE"
    await call.media_comes_up()
    await comes(one, CUSTOMER)
    await comes(call, AGENT, of=(1_200,))


# ---- the simulator -----------------------------------------------------------------------------------------------


async def test_nothing_is_left_when_it_closes_in_the_middle_of_calls(world: World) -> None:
    async with BareClient() as talking, BareClient() as ringing:
        async with Simulator(world, options=FAST, media=True) as sim:
            client = await RawClient.connect(sim.verto_url)
            await client.login(world.agent("0011"))
            call = await world.customer(NUMBER).dials(world.agent("0011"))
            invite = await client.expect("verto.invite")
            sdp = await talking.answer(invite["sdp"])
            await client.ask("verto.answer", sdp=sdp, dialogParams={"callID": invite["callID"]})
            await call.media_comes_up()
            await world.customer("+2").dials(world.agent("0011"))
            while (await client.get()).get("method") != "verto.invite":
                pass
            world.customer("+3").will(answer_after=None, early_media=True)
            await client.ask(
                "verto.invite",
                sdp=await ringing.offer(),
                dialogParams={"callID": "early", "destination_number": "+3"},
            )
            await ringing.accept((await client.expect("verto.media"))["sdp"])
            assert sim.rtp is not None
            assert len(sim.rtp.peers) == 3
        assert not sim.rtp.peers
        await client.ended()


async def test_a_server_that_is_killed_takes_the_media_along(world: World, phone_of: Make, sim: Simulator) -> None:
    phone = await phone_of(world.agent("0011"))
    await phone.calls("9196")
    assert sim.rtp is not None
    assert sim.rtp.peers
    await sim.faults.server_restart()
    assert not sim.rtp.peers
    await silent(phone)


async def test_without_media_sound_is_refused_and_nothing_else(world: World) -> None:
    async with Simulator(world, options=ServerOptions()) as sim:
        call = await world.customer(NUMBER).speaks(500).dials(world.agent("0011"))
        for ask in (call.heard_by_customer, call.heard_by_agent, call.said_by_agent, call.media_comes_up):
            with pytest.raises(SimulatorError, match=r"media=True|no agent was rung"):
                await ask(0.1)
        assert sim.rtp is None


def test_without_the_extra_the_simulator_says_so_and_works_without_media() -> None:
    code = (
        "import sys; sys.modules['aiortc'] = None\n"
        "from ziwo_async.simulator import Simulator\n"
        "Simulator()\n"
        "Simulator(media=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert "pip install 'ziwo_async[media]'" in done.stderr
    assert '"<string>", line 4' in done.stderr, "it is the second one that fails"

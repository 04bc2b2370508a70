"""Failures of other clients while they log in, log in again, or close meanwhile. Each test names the tracker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ziwo_async import (
    BadCredentials,
    ClientClosed,
    ConnectionLost,
    Credentials,
    MemoryStore,
    Phone,
    SessionClosed,
    SessionLost,
    SessionRestored,
    TokenExpired,
)
from ziwo_async.phone.account import Account
from ziwo_async.simulator import SimAgent

from ..phone.kit import CUSTOMER, Desk, Line, Rogue, Rogues, account_of, assert_nothing_left, until, within
from .rig import LOGIN, Rig, in_virtual_time


def logins(desk: Desk, agent: SimAgent) -> list[dict[str, Any]]:
    """The params of each login under an agent's name, refused ones too."""
    frames = [json.loads(text) for text in desk.sim.journal.frames("in")]
    found = [frame["params"] for frame in frames if frame["method"] == "login"]
    return [params for params in found if params["login"].startswith(agent.position)]


# -- secrets that change while the connection is away -----------------------------------------------------------------


async def test_twilio_voice_33_a_password_changed_while_away_is_fetched_before_the_next_try(desk: Desk) -> None:
    """twilio-voice #33, #85, #231, #93, socketio #588, openhuman #2892: an old secret was sent again and again."""
    client = desk.client()
    await client.phone.start()
    # ZIWO's password of the position, not the user's: it comes with the profile.
    desk.agent.cc_password = "another one"
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    sent = [params["passwd"] for params in logins(desk, desk.agent)]
    assert len(sent) == 3
    assert sent[0] == sent[1] != sent[2] == desk.agent.verto_password


async def test_twilio_voice_33_a_token_changed_while_away_is_asked_for_again(desk: Desk) -> None:
    """The same for the REST token: the provider is asked at each login, so it may give another one."""
    asked = 0

    async def provider() -> Credentials:
        nonlocal asked
        asked += 1
        return Credentials.from_password(desk.agent.username, desk.agent.password)

    client = desk.client(credentials=provider)
    await client.phone.start()
    assert asked == 1
    desk.agent.cc_password = "another one"
    desk.sim.faults.token_expired()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert asked == 2


async def test_javaphoenix_82_a_token_that_stays_expired_ends_the_phone_with_an_error(desk: Desk) -> None:
    """JavaPhoenix #82: with a token that was over for good the client tried for ever, and told nobody."""
    login = await desk.client().request(
        "POST", "/auth/login", form={"username": desk.agent.username, "password": desk.agent.password}
    )
    client = desk.client(token=login.content["access_token"])  # type: ignore[index,call-overload]
    await client.phone.start()
    desk.agent.cc_password = "another one"
    desk.sim.faults.token_expired()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    with pytest.raises(TokenExpired):
        await within(client.phone.wait_closed())
    assert desk.seen.of(SessionClosed)[0].error == "TokenExpired"


@in_virtual_time()
async def test_openhuman_2892_three_refusals_end_the_phone_within_5_seconds(rig: Rig) -> None:
    """openhuman #2892: 237 attempts with the same expired secret."""
    right = account_of(rig.desk.agent, f"ws://{rig.proxy.address}")
    fresh: list[bool] = []

    async def provider(wanted: bool) -> Account:
        fresh.append(wanted)
        return right if len(fresh) == 1 else Account(login=right.login, password_hash="0" * 32, url=right.url)

    phone = rig.desk.phone_by(provider, **rig.defaults())
    await phone.start()
    rig.proxy.reset()
    with pytest.raises(BadCredentials):
        await phone.wait_closed()
    assert fresh == [False, False, True, True]
    assert rig.seen.at(SessionClosed) - rig.seen.at(SessionLost) <= 0.5 + 1 + 2 + 3 * LOGIN == 5


# -- commands too early -----------------------------------------------------------------------------------------------


async def test_twilio_voice_110_no_command_is_sent_before_the_login_was_accepted(desk: Desk, rogue: Rogues) -> None:
    """twilio-voice #110: what was sent before the server was ready was answered with AccessTokenInvalid."""
    may_log_in, accepted = asyncio.Event(), asyncio.Event()

    async def script(server: Rogue, line: Line) -> None:
        if len(server.lines) == 1:
            await line.log_in()
            return
        request = await line.next()
        await may_log_in.wait()
        await line.result(request, message="logged in")
        await accepted.wait()
        await line.send(id=1, method="verto.clientReady", params={"reattached_sessions": []})

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    for moment in (lambda: phone._core.connection is None, lambda: len(server.lines) == 2 and server.lines[1].frames):
        if not server.lines[0].socket.close_code:
            server.lines[0].cut()
        await until(moment)
        with pytest.raises(ConnectionLost, match="reconnects by itself"):
            await phone.dial(CUSTOMER)
        with pytest.raises(ConnectionLost, match="reconnects by itself"):
            await phone.request("verto.subscribe", {"eventChannel": "presence"})
    assert [frame["method"] for frame in server.lines[1].frames] == ["login"]
    may_log_in.set()
    accepted.set()
    await desk.seen.wait(SessionRestored)
    await within(phone.dial(CUSTOMER))
    assert [frame["method"] for frame in server.lines[1].frames][:2] == ["login", "verto.invite"]


# -- whose session ----------------------------------------------------------------------------------------------------


async def test_telnyx_657_a_session_id_is_never_used_by_another_agent(desk: Desk) -> None:
    """telnyx-webrtc PR 657, 658: a stored session id was sent for another user, or long after its time."""
    store = MemoryStore()
    first = desk.phone(ledger=store)
    await first.start()
    there, call = await desk.talks(first)
    await within(first.abort())
    second = desk.phone(desk.other, ledger=store)
    await second.start()
    mine = {params["sessid"] for params in logins(desk, desk.agent)}
    others = {params["sessid"] for params in logins(desk, desk.other)}
    assert len(mine) == len(others) == 1
    assert mine.isdisjoint(others)
    assert second.calls == ()
    assert there.state == "detached"
    # The one it belongs to takes it up.
    heir = desk.phone(ledger=store)
    await heir.start()
    await until(lambda: heir.call(call.id) is not None and heir.call(call.id).state == "active")  # type: ignore[union-attr]


async def test_telnyx_658_a_phone_whose_account_becomes_another_agent_takes_a_new_session_id(desk: Desk) -> None:
    """telnyx-webrtc PR 658: the state of one user bled into the session of the next."""
    accounts = [account_of(agent, desk.sim.verto_url) for agent in (desk.agent, desk.other)]

    async def provider(fresh: bool) -> Account:
        return accounts[1 if desk.seen.of(SessionLost) else 0]

    phone = desk.phone_by(provider)
    await phone.start()
    _, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    assert phone.login == desk.other.position
    (mine,) = logins(desk, desk.agent)
    (other,) = logins(desk, desk.other)
    assert mine["sessid"] != other["sessid"]
    assert call.is_over
    assert desk.seen.words(call.id)[-2:] == ["hangup", "destroy"]


# -- closing meanwhile ------------------------------------------------------------------------------------------------


class Turns:
    """Runs something in the so-and-so-many-th turn of the loop from now on."""

    def __init__(self, rig: Rig) -> None:
        self._selector = rig.loop._selector
        self._plain = self._selector.select
        self._left = -1
        self._then: Callable[[], object] = lambda: None
        setattr(self._selector, "select", self._select)  # noqa: B010

    def _select(self, timeout: float | None) -> list[object]:
        self._left -= 1
        if self._left == 0:
            asyncio.get_event_loop().call_soon(self._then)
            return self._plain(0)
        return self._plain(timeout)

    def after(self, turns: int, then: Callable[[], object]) -> None:
        self._left, self._then = turns, then

    def cancel(self) -> bool:
        """Whether that turn had not come yet."""
        early, self._left = self._left > 0, -1
        return early


async def closed_at(rig: Rig, turns: Turns, phone: Phone, at: int, work: Awaitable[object]) -> bool:
    """Close a phone in a turn of the loop while work is under way; returns whether it was not done before."""
    closing: list[asyncio.Task[None]] = []
    doing = asyncio.ensure_future(work)
    turns.after(at, lambda: closing.append(asyncio.ensure_future(phone.aclose())))
    await asyncio.wait([doing])
    early = turns.cancel()
    if early:
        await phone.aclose()
    else:
        await until(lambda: closing)
        await asyncio.wait(closing)
    assert_nothing_left(phone)
    await until(lambda: rig.proxy.open == 0 and not rig.desk.sim.verto.sessions(), f"a socket is left at turn {at}")
    if not doing.cancelled() and (error := doing.exception()) is not None:
        assert isinstance(error, ClientClosed | ConnectionLost), (at, error)
    return not early


@in_virtual_time()
async def test_slack_node_1654_closing_in_any_turn_of_a_start_leaves_no_socket(rig: Rig) -> None:
    """slack node #1654 and socket-mode #2656, #2752: a stampede of sockets that nobody owned any more."""
    turns, at = Turns(rig), 1
    while True:
        phone = rig.phone()
        if not await closed_at(rig, turns, phone, at, phone.start()):
            break
        at += 1
    # Opening, upgrade, login, clientReady: not just one wait.
    assert at > 20


@in_virtual_time()
async def test_slack_node_1654_closing_in_any_turn_of_a_reconnect_leaves_no_socket(rig: Rig) -> None:
    """`disconnect()` while a reconnect was pending crashed, or left a socket that came up later."""
    turns, at = Turns(rig), 1
    while True:
        rig.desk.seen = rig.seen = type(rig.seen)(rig.loop)
        phone = await rig.started()
        back = asyncio.ensure_future(rig.seen.wait(SessionRestored, seconds=20))
        closed = asyncio.ensure_future(phone.wait_closed())
        rig.proxy.reset()
        either = asyncio.wait([back, closed], return_when=asyncio.FIRST_COMPLETED)
        still = await closed_at(rig, turns, phone, at, either)
        back.cancel()
        await asyncio.wait([back, closed])
        if not still:
            break
        made = rig.proxy.accepted
        await asyncio.sleep(40)
        assert rig.proxy.accepted == made, f"it came back after it was closed at turn {at}"
        at += 1
    assert at > 20


async def test_slack_node_1654_a_server_that_refuses_for_a_while_sees_one_login(desk: Desk) -> None:
    """too_many_websockets: several reconnects were under way at once."""
    phone = desk.phone()
    await phone.start()
    desk.sim.faults.refuse_connections()
    for _ in range(5):
        await desk.sim.faults.cut_phone_socket(desk.agent)
        await asyncio.sleep(0.01)
    desk.sim.faults.refuse_connections(False)
    await desk.seen.wait(SessionRestored)
    assert len(desk.sim.verto.sessions()) == 1
    assert len(logins(desk, desk.agent)) == 2

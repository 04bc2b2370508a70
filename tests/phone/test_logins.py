"""Logins that go wrong: one typed, readable error each, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from typing import Any

import pytest
import trustme

from ziwo_async import (
    AuthError,
    BadCredentials,
    CannotConnect,
    ClientClosed,
    ConfigError,
    ConnectionLost,
    DuplicateSession,
    Forbidden,
    InvalidInstanceName,
    RequestTimeout,
    SessionReady,
    SessionTakenOver,
    Timeouts,
    VertoError,
    ZiwoClient,
    ZiwoError,
)
from ziwo_async.phone.account import Account

from .kit import Desk, Line, Rogue, Rogues, account_of, ready_then_rest, within


def dead_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def refused(phone: object, kind: type[ZiwoError], text: str | None = None) -> ZiwoError:
    with pytest.raises(kind, match=text) as caught:
        await within(phone.start())  # type: ignore[attr-defined]
    assert type(caught.value) is kind
    with pytest.raises(ClientClosed, match="starts only once"):
        await phone.start()  # type: ignore[attr-defined]
    return caught.value


def logins(desk: Desk) -> list[dict[str, Any]]:
    frames = [json.loads(text) for text in desk.sim.journal.frames("in")]
    return [frame for frame in frames if frame["method"] == "login"]


# -- REST, through the client -------------------------------------------------------------------------------------


async def test_a_wrong_password_is_bad_credentials(desk: Desk) -> None:
    client = desk.client(password="wrong")
    async with client:
        await refused(client.phone, BadCredentials, "the server refuses user and password")
    assert not desk.agent.connected
    assert desk.seen.events == []


@pytest.mark.parametrize("name", ["evil.com/#", "evil.com", "a b", "", "acme.evil.com", "acme@evil", "-acme"])
def test_a_name_that_is_no_instance_is_refused_before_any_io(name: str) -> None:
    with pytest.raises(InvalidInstanceName, match="contact-centre name"):
        ZiwoClient(name, username="u", password="p")


async def test_a_dead_rest_port_cannot_be_connected(desk: Desk) -> None:
    client = desk.client(api_url=f"http://127.0.0.1:{dead_port()}")
    error = await refused(client.phone, CannotConnect, "127.0.0.1")
    assert error.retryable


async def test_a_server_certificate_nobody_vouches_for_is_refused_on_rest(desk: Desk) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=tls)
    try:
        client = desk.client(api_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await refused(client.phone, CannotConnect, "certificate")
    finally:
        server.close()
        await within(server.wait_closed())


async def test_a_user_without_a_phone_is_a_configuration_error(desk: Desk) -> None:
    client = desk.client()
    profile = {"id": 1, "username": "admin", "type": "admin", "firstName": "A"}
    desk.sim.faults.next_http(200, body={"result": True, "content": profile, "info": {}}, path="/profile")
    await refused(client.phone, ConfigError, "has no phone: the profile has no ccLogin")


async def test_an_autologin_that_fails_at_the_start_fails_the_start(desk: Desk) -> None:
    client = desk.client()
    desk.sim.faults.next_http(
        403, body={"result": False, "error": {"message": "no"}}, path="/agents/autologin", times=3
    )
    await refused(client.phone, Forbidden)
    assert not desk.agent.ready


async def test_an_account_provider_that_raises_anything_closes_the_phone_with_a_readable_error(desk: Desk) -> None:
    async def broken(fresh: bool) -> Account:
        raise RuntimeError("no account today")

    await refused(desk.phone_by(broken), ClientClosed, "internal task failed .*supervisor.*RuntimeError")


# -- the Verto socket ---------------------------------------------------------------------------------------------


async def test_a_dead_verto_port_cannot_be_connected(desk: Desk) -> None:
    phone = desk.phone(url=f"ws://127.0.0.1:{dead_port()}")
    error = await refused(phone, CannotConnect, "cannot reach the phone server ws://127.0.0.1.*firewall")
    assert error.retryable


async def test_a_host_without_an_address_cannot_be_connected(desk: Desk) -> None:
    await refused(desk.phone(url="ws://nowhere.invalid:1"), CannotConnect, "nowhere.invalid")


async def test_a_plain_http_server_on_the_verto_port_is_no_phone_server(desk: Desk) -> None:
    phone = desk.phone(url=desk.sim.api_url.replace("http", "ws"))
    await refused(phone, CannotConnect, "is no Verto phone server .*HTTP 40")


async def test_a_server_that_speaks_no_http_at_all_is_no_phone_server(desk: Desk) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        phone = desk.phone(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await refused(phone, CannotConnect, "is no Verto phone server|cannot reach")
    finally:
        server.close()
        await within(server.wait_closed())


async def test_a_server_that_accepts_and_says_nothing_is_given_up(desk: Desk) -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda r, w: held.append(w), "127.0.0.1", 0)
    try:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        phone = desk.phone(url=url, timeouts=Timeouts(connect=0.05, close=0.2))
        await refused(phone, CannotConnect, "did not answer within 0.05 s")
    finally:
        for writer in held:
            writer.close()
        server.close()
        await within(server.wait_closed())


async def test_a_server_certificate_nobody_vouches_for_is_refused_on_verto(desk: Desk, rogue: Rogues) -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    server = await rogue(ready_then_rest, ssl=tls)
    await refused(desk.phone(url=server.url), CannotConnect, "no secure connection.*certificate")
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    phone = desk.phone(url=server.url, tls=trusting)
    await within(phone.start())
    assert phone.ready
    await within(phone.aclose())


async def test_a_certificate_of_another_host_is_refused_on_verto(desk: Desk, rogue: Rogues) -> None:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("other.example").configure_cert(tls)
    server = await rogue(ready_then_rest, ssl=tls)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    await refused(desk.phone(url=server.url, tls=trusting), CannotConnect, "certificate is not valid for")


async def test_a_plain_server_behind_a_wss_address_is_a_tls_failure(desk: Desk, rogue: Rogues) -> None:
    server = await rogue(ready_then_rest)
    await refused(desk.phone(url=server.url.replace("ws:", "wss:")), CannotConnect, "no secure connection|cannot reach")


async def test_a_wrong_verto_password_is_bad_credentials(desk: Desk) -> None:
    async def provider(fresh: bool) -> Account:
        return Account(login="agent-5555", password_hash="0" * 32, url=desk.sim.verto_url)

    await refused(
        desk.phone_by(provider), BadCredentials, r"phone login was refused: Authentication Failure \(-32001\)"
    )
    assert len(desk.sim.journal.frames("in")) == 1


@pytest.mark.parametrize(
    ("code", "message", "kind", "text"),
    [
        (-32000, "Authentication Required", BadCredentials, "Authentication Required .-32000"),
        (-32001, "Login Incorrect", BadCredentials, "Login Incorrect .-32001"),
        (-32002, "SESSION ERROR", VertoError, "login was refused by the server: SESSION ERROR .-32002"),
        (-32003, "Duplicate Session", DuplicateSession, "already has a phone session"),
        (-32004, "IP Rejected", Forbidden, "network address .-32004"),
        (None, "", VertoError, "no reason given .no code"),
    ],
)
async def test_each_login_error_code_is_its_own_error(
    desk: Desk, code: int | None, message: str, kind: type[ZiwoError], text: str
) -> None:
    desk.sim.faults.fail_next("login", code, message)
    phone = desk.phone()
    error = await refused(phone, kind, text)
    assert isinstance(error, AuthError | VertoError)
    # Never twice on a socket that refused: the server would answer "duplicate" for ever.
    assert len(logins(desk)) == 1
    assert desk.seen.events == []


async def test_a_duplicate_session_at_the_first_connection_is_an_error(desk: Desk) -> None:
    object.__setattr__(desk.sim.options, "disable_multiple_sessions", True)
    try:
        first = desk.phone()
        await within(first.start())
        error = await refused(desk.phone(), DuplicateSession, "another program or browser")
        assert error.retryable
        assert first.ready
        await within(first.aclose())
        await within(desk.phone().start())
    finally:
        object.__setattr__(desk.sim.options, "disable_multiple_sessions", False)


async def test_a_server_that_closes_during_the_login_is_connection_lost(desk: Desk) -> None:
    desk.sim.faults.close_during_login()
    error = await refused(desk.phone(), ConnectionLost, "closed the connection during the login of agent-5555")
    assert isinstance(error, ConnectionLost)
    assert error.close_code == 1000


async def test_a_server_that_vanishes_during_the_login_is_connection_lost(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.next()
        line.cut()

    server = await rogue(script)
    await refused(desk.phone(url=server.url), ConnectionLost, "broke without a word")


async def test_a_server_that_is_silent_during_the_login_is_given_up(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        line.replies_to["login"] = lambda request: None

    server = await rogue(script)
    phone = desk.phone(url=server.url, timeouts=Timeouts(login=0.05, verto_request=0.05, close=0.2))
    await refused(phone, RequestTimeout, "did not answer login within 0.05 s")


async def test_a_server_that_never_says_client_ready_is_given_up(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.result(await line.next(), message="logged in")

    server = await rogue(script)
    phone = desk.phone(url=server.url, timeouts=Timeouts(login=0.05, close=0.2))
    await refused(phone, RequestTimeout, "sent no verto.clientReady in 0.05 s")


async def test_a_server_that_closes_between_login_and_client_ready_is_connection_lost(
    desk: Desk, rogue: Rogues
) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.result(await line.next(), message="logged in")
        await line.socket.close(1011, "going down")

    server = await rogue(script)
    await refused(desk.phone(url=server.url), ConnectionLost, r"before the phone was ready.*1011 .going down")


async def test_a_session_taken_over_during_the_login_is_said_so(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.next()
        await line.send(id=1, method="verto.punt", params={})
        await line.socket.close()

    server = await rogue(script)
    await refused(desk.phone(url=server.url), SessionTakenOver, "another client logged in")


async def test_a_session_taken_over_between_login_and_client_ready_is_said_so(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.result(await line.next(), message="logged in")
        await line.send(id=1, method="verto.punt", params={})
        await line.socket.close()

    server = await rogue(script)
    await refused(desk.phone(url=server.url), SessionTakenOver, "another client logged in")


async def test_client_ready_may_come_before_the_reply_to_the_login(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        request = await line.next()
        await line.send(id=1, method="verto.clientReady", params={"reattached_sessions": []})
        await line.result(request, message="logged in")

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await within(phone.start())
    assert phone.ready
    assert desk.seen.session() == ["SessionReady"]
    await within(phone.aclose())


async def test_a_client_ready_without_its_list_will_do(desk: Desk, rogue: Rogues) -> None:
    async def script(rogue: Rogue, line: Line) -> None:
        await line.result(await line.next(), message="logged in")
        await line.send(id=1, method="verto.clientReady")

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await within(phone.start())
    assert isinstance(desk.seen.events[0], SessionReady)
    await within(phone.aclose())


async def test_the_login_carries_the_position_and_the_derived_password(desk: Desk) -> None:
    client = desk.client()
    await within(client.phone.start())
    (login,) = logins(desk)
    assert login["params"]["login"] == "agent-5555"
    assert login["params"]["passwd"] == account_of(desk.agent, "").password_hash
    assert login["params"]["sessid"]


async def test_a_session_id_given_is_taken_up(desk: Desk) -> None:
    client = desk.client(session_id="5a1c0e1e-0000-4000-8000-000000000001")
    await within(client.phone.start())
    assert logins(desk)[0]["params"]["sessid"] == "5a1c0e1e-0000-4000-8000-000000000001"

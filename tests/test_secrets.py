"""A whole session with canary secrets, at DEBUG, on every error path that is practical: none of them is printed."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import secrets
import traceback
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from ziwo_async import (
    Event,
    Liveness,
    Ringing,
    Router,
    SessionLost,
    SessionRestored,
    Timeouts,
    UnknownFrame,
    ZiwoClient,
)
from ziwo_async.phone.account import Account
from ziwo_async.simulator import Simulator, World

from .phone.kit import CUSTOMER, QUICK_SERVER, Desk, Line, Rogue, nothing_left, until, within


class Canaries:
    """Random secrets, and where they must not turn up."""

    def __init__(self) -> None:
        self.password = f"pw-{secrets.token_hex(12)}"
        self.cc_password = f"cc-{secrets.token_hex(12)}"
        self.sessid = f"sess-{secrets.token_hex(12)}"
        self.token = f"tok-{secrets.token_hex(12)}"
        self.wrong_password = f"bad-{secrets.token_hex(12)}"
        self.hash = hashlib.md5(f"5555{self.cc_password}".encode(), usedforsecurity=False).hexdigest()
        self.handed_out: set[str] = set()
        self.errors: list[BaseException] = []
        self.shown: list[str] = []

    @property
    def all(self) -> list[str]:
        own = [self.password, self.cc_password, self.sessid, self.token, self.wrong_password, self.hash]
        return own + sorted(self.handed_out)

    def show(self, *things: object) -> None:
        self.shown.extend(text for thing in things for text in (repr(thing), str(thing)))

    def hits(self, texts: Iterable[str]) -> list[str]:
        return [text[:300] for text in texts for secret in self.all if secret in text]

    async def failing(self, operation: Any) -> BaseException:
        try:
            await within(operation)
        except Exception as error:
            self.errors.append(error)
            return error
        raise AssertionError(f"{operation} was to fail")


@pytest.fixture
async def made() -> AsyncIterator[tuple[Desk, Canaries]]:
    canaries = Canaries()
    world = World(agents=("0011",))
    world.add_agent("5555", password=canaries.password, cc_password=canaries.cc_password)
    async with nothing_left(), Simulator(world, options=QUICK_SERVER) as sim:
        desk = Desk(sim)
        yield desk, canaries
        await desk.close()


def everything_logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    formatter = logging.Formatter("%(name)s %(message)s")
    texts = []
    for phase in ("setup", "call", "teardown"):
        for record in caplog.get_records(phase):  # type: ignore[arg-type]
            # The simulator's side of the sockets is the test's own: only what the package and its client say counts.
            if not record.name.startswith("websockets.server"):
                texts.append(formatter.format(record))
    return texts


async def whole_session(desk: Desk, canaries: Canaries) -> None:
    """Log in, call, fail in many ways, get lost, come back, close; note every object and error on the way."""
    router = Router()

    @router.on(Ringing)
    async def broken(call: object, event: Ringing) -> None:
        raise LookupError(f"handler of {event.call_id}")

    client = desk.client(
        session_id=canaries.sessid, router=router, strict_flows=False, liveness=Liveness(silence=0.02, reply=1.0)
    )
    canaries.show(client, client.phone, client._settings, client._transport, client.session, client.agent)
    async with client.events(Event) as stream:
        await within(client.phone.start())
        canaries.handed_out |= set(desk.sim.rest._tokens)
        profile = await client.session.profile()
        canaries.show(profile, profile.model_dump_json(), profile.model_dump(), client._account, client.phone)
        there, call = await desk.talks(client.phone)
        canaries.show(there, call, call.data, client.phone._core.session, client.phone._core)
        await within(call.hold())
        await within(call.dtmf("1"))
        await canaries.failing(call.answer())
        await canaries.failing(client.phone.dial(""))
        await canaries.failing(client.phone.request("verto.nonsense"))
        await canaries.failing(client.phone.request("verto.send", {"x": float("nan"), "passwd": canaries.hash}))
        await canaries.failing(client.phone.dial(CUSTOMER, variables={"x": "\ud800"}))
        desk.sim.faults.fail_next("verto.invite", -32002, "CALL ERROR", sessid=canaries.sessid)
        await canaries.failing(client.phone.dial(CUSTOMER))
        await canaries.failing(call.wait_for("ringing ", 0.01))
        await canaries.failing(client.request("GET", "/nowhere"))
        for status, body, times in ((500, None, 2), (200, "<html>no", 1)):
            desk.sim.faults.next_http(status, body=body, path="/profile", times=times)
            await canaries.failing(client.session.profile())
        desk.sim.faults.expire_tokens()
        await client.session.profile()
        canaries.handed_out |= set(desk.sim.rest._tokens)
        # The server shows our own secrets in places where no secret belongs.
        garbage = {"jsonrpc": "2.0", "id": 99999, "result": {"sessid": canaries.sessid}}
        await desk.sim.faults.inject(desk.agent, json.dumps(garbage))
        await desk.inject(
            method="verto.nonsense", params={"sessid": canaries.sessid, "deep": {"passwd": canaries.hash}}
        )
        await desk.sim.faults.inject(desk.agent, f'{{"sessid":"{canaries.sessid}","passwd":"{canaries.hash}"')
        await desk.seen.wait(UnknownFrame, count=3)
        await desk.sim.faults.cut_phone_socket(desk.agent)
        await desk.seen.wait(SessionRestored)
        desk.sim.faults.drop_next("verto.modify", executed=False)
        pending = asyncio.create_task(call.hold())
        await until(lambda: len(desk.frames("verto.modify")) >= 2)
        await desk.sim.faults.close_phone_socket(desk.agent)
        await canaries.failing(pending)
        await desk.seen.wait(SessionLost, count=2)
        await desk.seen.wait(SessionRestored, count=2)
        await within(client.aclose())
        await canaries.failing(client.phone.dial(CUSTOMER))
        events = [event async for event in stream]
    for event in events:
        canaries.show(event, event.model_dump_json(by_alias=True), event.model_dump(mode="json"))


async def failing_logins(desk: Desk, canaries: Canaries) -> None:
    """Every login that goes wrong."""
    for options in (
        {"password": canaries.wrong_password},
        {"api_url": "http://127.0.0.1:9"},
        {"verto_url": "ws://127.0.0.1:9"},
        {"token": canaries.token},
        {"verto_url": desk.sim.api_url.replace("http", "ws")},
    ):
        client = desk.client(**options)
        canaries.show(client)
        await canaries.failing(client.phone.start())
        await within(client.aclose())
        canaries.show(client)
    for code in (-32000, -32001, -32002, -32003, -32004, None):
        desk.sim.faults.fail_next("login", code, "refused")
        # With a session id that was in use before, a duplicate (-32003) may be our own old socket: tried again.
        client = desk.client(session_id=None if code == -32003 else canaries.sessid)
        await canaries.failing(client.phone.start())
        await within(client.aclose())
    desk.sim.faults.close_during_login()
    client = desk.client(session_id=canaries.sessid)
    await canaries.failing(client.phone.start())
    await within(client.aclose())

    async def silent(rogue: Rogue, line: Line) -> None:
        line.replies_to["login"] = lambda request: None

    rogue = Rogue(silent)
    await rogue.start()
    account = Account(login="agent-5555", password_hash=canaries.hash, url=rogue.url)
    canaries.show(account)

    async def provider(fresh: bool) -> Account:
        return account

    limits = Timeouts(login=0.05, verto_request=0.05, close=0.2)
    phone = desk.phone_by(provider, timeouts=limits, session_id=canaries.sessid)
    await canaries.failing(phone.start())
    canaries.show(phone)
    await rogue.stop()
    for wrong in (
        {"api_url": f"https://u:{canaries.password}@127.0.0.1"},
        {"verto_url": f"wss://127.0.0.1/?token={canaries.token}", "contact_center": "acme"},
    ):
        try:
            ZiwoClient(username="u", password=canaries.password, **wrong)
        except Exception as error:
            canaries.errors.append(error)
        else:
            raise AssertionError(wrong)


async def test_no_secret_is_printed_by_anything(
    made: tuple[Desk, Canaries], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    desk, canaries = made
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if not name.startswith("websockets.server"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("ziwo_async.wire").setLevel(logging.DEBUG)
    await whole_session(desk, canaries)
    await failing_logins(desk, canaries)
    logged = everything_logged(caplog)
    # The canaries did go over the wire, and the frames were logged: else this would prove nothing.
    assert any("ziwo_async.wire" in text and "login" in text for text in logged)
    assert any(canaries.hash in text for text in desk.sim.journal.frames("in"))
    assert any(canaries.sessid in text for text in desk.sim.journal.frames("in"))
    assert canaries.handed_out
    assert len(canaries.errors) > 20
    for error in canaries.errors:
        canaries.show(error, error.args, vars(error))
    chains = ["".join(traceback.format_exception(error)) for error in canaries.errors]
    out, err = capfd.readouterr()
    gc.collect()
    assert canaries.hits(logged) == []
    assert canaries.hits(canaries.shown) == []
    assert canaries.hits(chains) == []
    assert canaries.hits([out, err]) == []


def test_frames_are_redacted_even_when_they_are_broken() -> None:
    from ziwo_async.phone.wire import redact

    for text in (
        '{"params":{"passwd":"CANARY","sessid" : "CANARY"}}',
        '{"params":{"passwd":"CANARY\\"CANARY","x":1}}',
        '{"params":{"PASSWD":"CANARY',
        '{"access_token":"CANARY","ccPassword":"CANARY"}',
        '{"sdp":"v=0\\r\\na=ice-pwd:CANARY\\r\\na=ice-ufrag:CANARY\\r\\n"}',
    ):
        assert "CANARY" not in redact(text), text
    assert redact('{"method":"login","id":1}') == '{"method":"login","id":1}'

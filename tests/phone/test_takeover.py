"""A phone takes over what another process left: by a ledger in memory, and by one in an SQLite file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from ziwo_async import (
    Call,
    ConfigError,
    Destroy,
    DialogState,
    DuplicateSession,
    Hangup,
    LedgerError,
    MemoryStore,
    Phone,
    ReconnectPolicy,
    SessionLost,
    SessionReady,
    SessionRestored,
    SessionTakenOver,
    SqliteStore,
    Timeouts,
)
from ziwo_async.phone.account import Account
from ziwo_async.verto.ledger import Ledger

from .kit import CUSTOMER, QUICK_SERVER, Desk, Line, Rogue, Rogues, Seen, account_of, contact_centre, until, within

SECRET = SecretStr("the position's password")


async def killed(desk: Desk, phone: Phone) -> None:
    """The process is gone in the middle of what it did: no goodbye, nothing written any more."""
    keeper = phone._core.keeper
    assert keeper is not None
    await until(lambda: not keeper._changed.is_set())
    if keeper._writing is not None:
        await keeper._writing
    phone._core.keeper = None
    await within(phone.abort())
    await until(lambda: not desk.sim.verto.sessions(), "the simulator still sees the phone")


def successor(desk: Desk) -> None:
    """Events of the phone that comes next are noted apart."""
    desk.seen = Seen()


# -- the same calls in another process ---------------------------------------------------------------------------


async def test_an_answered_call_survives_the_process(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    there, call = await desk.talks(phone)
    await within(call.hold())
    await killed(desk, phone)
    assert there.state != "ended"

    successor(desk)
    heir = desk.phone(ledger=store)
    await heir.start()
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost, restored.unknown) == ((call.id,), (), ())
    assert restored.gap_seconds >= 0
    await until(lambda: desk.seen.words(call.id) == ["recovering", "held"])
    taken = heir.call(call.id)
    assert taken is not None
    # The attach frame says less, and some of it wrongly: all this comes from the ledger.
    assert (taken.direction, taken.customer_number) == ("inbound", CUSTOMER)
    assert [step.state for step in taken.state_flow] == [
        "ringing", "answering", "active", "held", "recovering", "held"
    ]  # fmt: skip
    assert desk.seen.session() == ["SessionReady", "SessionRestored"]
    await within(taken.hangup())
    assert there.state == "ended"


async def test_a_call_we_dialled_keeps_direction_number_and_primary_call_in_the_next_process(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    call = await within(phone.dial(CUSTOMER))
    await call.wait_for("active", 5)
    await killed(desk, phone)
    successor(desk)
    heir = desk.phone(ledger=store)
    await heir.start()
    await until(lambda: desk.seen.words(call.id) == ["recovering", "active"])
    taken = heir.call(call.id)
    assert taken is not None
    assert (taken.direction, taken.customer_number, taken.primary_call_id) == ("outbound", CUSTOMER, call.id)


async def test_what_the_last_process_lost_is_told_once_by_the_next(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    _, ringing = await desk.rings(phone)
    there, answered = await desk.talks(phone, desk.world.customer("+97151111111"))
    await killed(desk, phone)
    await there.hangs_up()

    successor(desk)
    heir = desk.phone(ledger=store)
    told: list[tuple[str, str, str]] = []

    @heir.router.on(Hangup)
    async def hangup(call: Call, event: Hangup) -> None:
        told.append((call.id, call.customer_number, str(call.state)))

    await heir.start()
    restored = await desk.seen.wait(SessionRestored)
    assert (restored.kept, restored.lost) == ((), (answered.id,))
    # Handlers have the handles of these calls, too, though they are over.
    await until(lambda: len(told) == 2)
    assert sorted(told) == sorted([(ringing.id, CUSTOMER, "destroy"), (answered.id, "+97151111111", "destroy")])
    assert [event.cause for event in desk.seen.of(Hangup, ringing.id)] == ["DESTINATION_OUT_OF_ORDER"]
    assert [event.by for event in desk.seen.of(Hangup, answered.id)] == ["lost"]
    assert len(desk.seen.of(Destroy)) == 2
    await killed(desk, heir)
    successor(desk)
    third = desk.phone(ledger=store)
    await third.start()
    await desk.seen.wait(SessionReady)
    assert desk.seen.of(Hangup) == []
    assert desk.seen.session() == ["SessionReady"]


async def test_a_restarted_process_is_not_locked_out_by_its_own_old_connection(desk: Desk) -> None:
    async with contact_centre(QUICK_SERVER.__class__(disable_multiple_sessions=True, ready_delay=0.002)) as strict:
        store = MemoryStore()
        phone = strict.phone(ledger=store)
        await phone.start()
        await strict.sim.faults.half_open(strict.agent)
        phone._core.keeper = None
        await within(phone.abort())

        stranger = strict.phone()
        with pytest.raises(DuplicateSession):
            await stranger.start()
        heir = strict.phone(ledger=store)
        await within(heir.start())
        assert heir.ready


async def test_the_session_id_is_stored_before_the_first_login(rogue: Rogues) -> None:
    store = MemoryStore()
    stored: list[str] = []

    async def script(server: Rogue, line: Line) -> None:
        request = await line.next()
        stored.extend(store._ledgers.values())
        assert request["params"]["sessid"] in stored[0]
        line.cut()

    server = await rogue(script)

    async def provider(fresh: bool) -> Account:
        return Account(login="agent-1", password_hash="hash", url=server.url)

    phone = Phone(provider, ledger=store)
    with pytest.raises(Exception, match="during the login"):
        await within(phone.start())
    assert len(stored) == 1


async def test_a_failed_start_leaves_the_ledger_as_it_was(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    there, call = await desk.talks(phone)
    await killed(desk, phone)
    desk.sim.faults.fail_next("login", -32001, "Authentication Failure")
    unlucky = desk.phone(ledger=store)
    with pytest.raises(Exception, match="refused"):
        await unlucky.start()
    successor(desk)
    heir = desk.phone(ledger=store)
    await heir.start()
    await until(lambda: desk.seen.words(call.id) == ["recovering", "active"])
    assert there.state != "ended"


async def test_a_bye_that_a_dead_process_could_not_say_is_said_by_the_next(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    there, call = await desk.talks(phone)
    desk.sim.faults.refuse_connections()
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await until(lambda: not phone.ready)
    await within(call.hangup())
    await killed(desk, phone)
    assert there.state != "ended"
    desk.sim.faults.refuse_connections(False)
    heir = desk.phone(ledger=store)
    await heir.start()
    await until(lambda: there.state == "ended")
    assert heir.calls == ()


async def test_after_another_client_took_the_session_the_next_process_does_not_take_it_back(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    await desk.talks(phone)
    before = phone._core.session.sessid
    await desk.inject(method="verto.punt", params={})
    await desk.sim.faults.close_phone_socket(desk.agent)
    with pytest.raises(SessionTakenOver):
        await within(phone.wait_closed())
    left = Ledger.from_json(next(iter(store._ledgers.values())))
    assert left.sessid.get_secret_value() != before
    assert left.calls == ()


async def test_a_ledger_of_another_agent_is_not_used(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    other = desk.phone(desk.other, ledger=store)
    await other.start()
    assert other._core.session.sessid != phone._core.session.sessid
    assert len(store._ledgers) == 2


class Broken(MemoryStore):
    """A disk that is full."""

    saves = 0

    async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
        self.saves += 1
        raise LedgerError("the disk is full")

    async def load(self, name: str, secret: SecretStr) -> str | None:
        raise LedgerError("the disk is strange")


async def test_a_store_that_fails_is_told_of_once_and_hurts_no_call(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    store = Broken()
    phone = desk.phone(ledger=store)
    await phone.start()
    there, call = await desk.talks(phone)
    await until(lambda: store.saves > 1)
    await within(call.hangup())
    assert there.state == "ended"
    told = [record.getMessage() for record in caplog.records if record.name == "ziwo_async.ledger"]
    assert told == [
        "the calls of an earlier process cannot be taken over: the disk is strange",
        "the ledger cannot be written; a restarted program will not know its calls: the disk is full",
    ]


def assert_sealed(folder: Path, *secrets: str) -> None:
    files = list(folder.iterdir())
    assert files
    for file in files:
        content = file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for secret in secrets:
            assert secret.encode() not in content


# -- the SQLite file ---------------------------------------------------------------------------------------------


async def test_a_call_survives_the_process_by_an_sqlite_file(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    store = SqliteStore(path)
    phone = desk.phone(ledger=store)
    await phone.start()
    _, call = await desk.talks(phone)
    sessid = phone._core.session.sessid
    await killed(desk, phone)
    store.close()
    assert_sealed(tmp_path, sessid, desk.agent.verto_password, CUSTOMER, call.id)

    successor(desk)
    again = SqliteStore(path)
    heir = desk.phone(ledger=again)
    await heir.start()
    assert heir._core.session.sessid == sessid
    await until(lambda: desk.seen.words(call.id) == ["recovering", "active"])
    await within(heir.aclose())
    again.close()


async def test_what_is_saved_is_loaded_and_the_last_one_counts(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.db")
    assert await store.load("a", SECRET) is None
    await store.save("a", "one", SECRET)
    await store.save("a", "two", SECRET)
    await store.save("b", "other", SECRET)
    assert await store.load("a", SECRET) == "two"
    store.close()
    again = SqliteStore(tmp_path / "l.db")
    assert await again.load("a", SECRET) == "two"
    assert await again.load("b", SECRET) == "other"
    assert "l.db" in repr(again)
    again.close()


async def test_another_password_does_not_open_a_ledger_but_a_key_of_ones_own_does(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.db")
    await store.save("a", "text", SECRET)
    with pytest.raises(LedgerError, match="another key"):
        await store.load("a", SecretStr("new password"))
    store.close()
    keyed = SqliteStore(tmp_path / "k.db", key="of my own")
    await keyed.save("a", "text", SECRET)
    assert await keyed.load("a", SecretStr("new password")) == "text"
    keyed.close()


async def test_a_ledger_cannot_be_moved_to_another_name_or_changed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.db")
    await store.save("a", "text", SECRET)
    with sqlite3.connect(tmp_path / "l.db") as db:
        db.execute("INSERT INTO ledgers SELECT 'b', sealed FROM ledgers WHERE name = 'a'")
        db.execute("INSERT INTO ledgers SELECT 'c', substr(sealed, 1, 20) FROM ledgers WHERE name = 'a'")
    db.close()
    for name in ("b", "c"):
        with pytest.raises(LedgerError, match="damaged"):
            await store.load(name, SECRET)
    store.close()
    with pytest.raises(LedgerError, match="cannot be written"):
        await store.save("a", "text", SECRET)
    with pytest.raises(LedgerError, match="cannot be read"):
        await store.load("a", SECRET)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    path.touch()
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        SqliteStore(path)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(0o600)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(ConfigError, match="no plain file"):
        SqliteStore(tmp_path / "link")
    text = tmp_path / "text"
    text.write_text("this is no database, but long enough to look like one" * 20)
    text.chmod(0o600)
    with pytest.raises(ConfigError, match="cannot be used"):
        SqliteStore(text)
    with pytest.raises(ConfigError, match="cannot be used"):
        SqliteStore(tmp_path / "no such folder" / "l.db")


# -- the ledger itself -------------------------------------------------------------------------------------------


async def test_a_ledger_shows_its_session_id_to_nobody(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    await desk.talks(phone)
    ledger = phone._core.session.ledger(1.5)
    secret = phone._core.session.sessid
    assert secret not in repr(ledger)
    assert secret not in ledger.model_dump_json()
    assert secret in ledger.to_json()
    assert Ledger.from_json(ledger.to_json()) == ledger


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version":1,"ledger":{"sessid":"secret"}}', '{"version":1}'])
def test_what_is_no_ledger_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.from_json(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_ledger_of_a_later_version_is_refused() -> None:
    later = json.dumps({"version": 2, "ledger": {"login": "a", "sessid": "s", "saved_at": 1}})
    with pytest.raises(LedgerError, match="version 2"):
        Ledger.from_json(later)


async def test_a_save_that_was_cut_short_does_not_overtake_the_next(desk: Desk) -> None:
    order: list[str] = []
    gate = asyncio.Event()

    class Slow(MemoryStore):
        async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
            order.append("begins")
            await gate.wait()
            order.append("ends")

    phone = desk.phone(ledger=Slow())
    keeper = phone._core.keeper
    assert keeper is not None
    first = asyncio.ensure_future(keeper.write())
    await until(lambda: order == ["begins"])
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.ensure_future(keeper.write())
    await asyncio.sleep(0)
    gate.set()
    await within(second)
    assert order == ["begins", "ends", "begins", "ends"]


async def test_states_of_the_ledger_are_those_of_the_machine(desk: Desk) -> None:
    phone = desk.phone()
    await phone.start()
    _, call = await desk.talks(phone)
    (entry,) = phone._core.session.ledger(0.0).calls
    assert (entry.state, entry.data, entry.flow) == (DialogState.ACTIVE, call.data, call.state_flow)
    assert account_of(desk.agent, "ws://x").password_hash not in repr(phone._core.session.ledger(0.0))


async def test_a_store_that_raises_anything_else_ends_no_phone_and_shows_no_session_id(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(MemoryStore):
        async def load(self, name: str, secret: SecretStr) -> str | None:
            raise OSError("the server of the store is away")

        async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
            raise ValueError(ledger)

    phone = desk.phone(ledger=Odd())
    await within(phone.start())
    there, call = await desk.talks(phone)
    await within(call.hangup())
    assert there.state == "ended"
    await within(phone.aclose())
    assert phone._core.failure is None
    assert phone._core.session.sessid not in caplog.text


async def test_a_process_that_was_taken_over_leaves_the_ledger_to_its_successor(desk: Desk) -> None:
    # Two programs with one ledger, as in a rolling deploy: the older one is thrown out, and must not wipe the ledger.
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    await phone.start()
    heir = desk.phone(ledger=store)
    await within(heir.start())
    with pytest.raises(SessionTakenOver):
        await within(phone.wait_closed())
    await within(phone.aclose())
    left = Ledger.from_json(next(iter(store._ledgers.values())))
    assert left.sessid.get_secret_value() == heir._core.session.sessid


async def test_a_ledger_that_was_left_to_the_next_process_is_not_written_any_more(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store)
    keeper = phone._core.keeper
    assert keeper is not None
    await keeper.write()
    before = dict(store._ledgers)
    phone._core.end_calls()
    phone._core.session.sessid = "another"
    await keeper.write()
    assert store._ledgers == before


async def test_a_call_that_was_up_when_a_phone_closed_without_a_connection_is_ended_by_the_next(desk: Desk) -> None:
    store = MemoryStore()
    phone = desk.phone(ledger=store, reconnect=ReconnectPolicy(base=60, cap=60))
    await phone.start()
    there, call = await desk.talks(phone)
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionLost)
    await within(phone.aclose())
    assert [event.by for event in desk.seen.of(Hangup, call.id)] == ["local"]
    assert there.state != "ended"
    heir = desk.phone(ledger=store)
    await within(heir.start())
    await until(lambda: there.state == "ended")
    assert heir.calls == ()


class Hanging(MemoryStore):
    """A network disk that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = True

    async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        await super().save(name, ledger, secret)

    async def load(self, name: str, secret: SecretStr) -> str | None:
        if self.hangs:
            await asyncio.Event().wait()
        return await super().load(name, secret)


async def test_a_store_that_hangs_delays_the_start_and_the_end_but_does_not_stop_them(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    store = Hanging()
    phone = desk.phone(ledger=store, timeouts=Timeouts(connect=2, request=2, login=2, verto_request=2, close=0.1))
    await within(phone.start())
    there, call = await desk.talks(phone)
    await within(call.hangup())
    assert there.state == "ended"
    await within(phone.aclose())
    told = {record.getMessage() for record in caplog.records if record.name == "ziwo_async.ledger"}
    late = "the store did not answer within 0.1 s"
    assert told == {
        f"the calls of an earlier process cannot be taken over: {late}",
        f"the ledger cannot be written; a restarted program will not know its calls: {late}",
    }


async def test_after_a_change_of_the_password_the_ledger_is_sealed_with_the_new_one(desk: Desk) -> None:
    saved: list[tuple[str, str]] = []

    class Noting(MemoryStore):
        async def save(self, name: str, ledger: str, secret: SecretStr) -> None:
            saved.append((name, secret.get_secret_value()))
            await super().save(name, ledger, secret)

    async def provider(fresh: bool) -> Account:
        return account_of(desk.agent, desk.sim.verto_url)

    phone = desk.phone_by(provider, ledger=Noting())
    await phone.start()
    old = desk.agent.verto_password
    assert {secret for _, secret in saved} == {old}
    desk.agent.cc_password = "changed"
    await desk.sim.faults.cut_phone_socket(desk.agent)
    await desk.seen.wait(SessionRestored)
    await desk.talks(phone)
    await until(lambda: saved[-1][1] == desk.agent.verto_password != old)

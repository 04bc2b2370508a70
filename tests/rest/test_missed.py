"""The feed of missed calls: every one of them, once, through long calls, restarts, crashes and awkward servers."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.config import RetryPolicy, Timeouts
from ziwo_async.errors import (
    BadArgument,
    BadCredentials,
    ClientClosed,
    DecodeError,
    Forbidden,
    PlaceError,
    TokenExpired,
)
from ziwo_async.rest import history, missed
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.missed import MissedCalls
from ziwo_async.rest.places import MemoryPlaces, Place, SqlitePlaces
from ziwo_async.rest.transport import Transport

from .archive import HISTORY, NOON, Archive, Row, call_id, row
from .conftest import Ziwo, failed

MINUTE = timedelta(minutes=1)
OVERLAP = timedelta(minutes=300)
QUICK = RetryPolicy(attempts=1, max_retry_after=0.01)


class Enough(Exception):
    """Ends a feed that never ends: nothing more will come."""


class Restart(Exception):
    """The program dies while the feed waits."""


class Watch:
    """Time for a feed: it stands still but for the pauses, and for a minute with each request."""

    def __init__(self, archive: Archive, *, looks: int = 4) -> None:
        self.archive = archive
        self.slept: list[float] = []
        self.restart_at: set[int] = set()
        self._looks = looks
        self.quiet = 0

    def now(self) -> float:
        return (NOON + self.archive.requests * MINUTE).timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)
        if len(self.slept) in self.restart_at:
            raise Restart
        if seconds == 30.0:  # a look was complete
            self.quiet = self.quiet + 1 if self.archive.all_there else 0
        if self.quiet >= self._looks:
            raise Enough


class Desk:
    """A program that reads the feed, and can die."""

    def __init__(self, archive: Archive, transport: Transport, **options: object) -> None:
        self.archive = archive
        self.watch = Watch(archive)
        self.store = MemoryPlaces()
        self.got: list[int] = []
        self.crashes: Counter[int] = Counter()
        self._transport = transport
        self._options = options

    def feed(self, **options: object) -> MissedCalls:
        given_: dict[str, object] = {
            "store": self.store,
            "user": "me",
            "overlap": OVERLAP,
            "clock": self.watch.now,
            "sleep": self.watch.sleep,
            "rng": random.Random(1),
        }
        return MissedCalls(self._transport, **(given_ | self._options | options))  # type: ignore[arg-type]

    async def read(self, *, crash_at: frozenset[int] = frozenset(), **options: object) -> list[int]:
        """Read until nothing more comes. Dies at the n-th call given (before it is handled), and starts again."""
        before = len(self.got)
        self.watch.quiet = 0
        while True:
            feed = self.feed(**options)
            try:
                async for cdr in feed:
                    assert isinstance(cdr.id, int)
                    self.got.append(cdr.id)
                    if len(self.got) in crash_at:
                        self.crashes[cdr.id] += 1
                        break
            except Restart:
                pass
            except Enough:
                return self.got[before:]
            await feed.aclose()

    @property
    def place(self) -> Place:
        (text,) = self.store._texts.values()
        return Place.from_json(text)


@asynccontextmanager
async def desk_of(archive: Archive, **options: object):
    server = Ziwo()
    await server.start()
    server.on("GET", HISTORY, archive.answer)
    transport = Transport(server.url, Credentials(token=SecretStr("some-token")), retry=QUICK)
    try:
        yield Desk(archive, transport, **options)
    finally:
        await transport.aclose()
        await server.stop()


@pytest.fixture
def archive():
    return Archive()


@pytest.fixture
async def desk(archive):
    async with desk_of(archive) as made:
        yield made


def ended(number: int, tick: int, length: float = 1, **fields: object) -> Row:
    """A call that ended with the request `tick` (a minute each), after `length` minutes."""
    return row(number, NOON + tick * MINUTE - length * MINUTE, seconds=length * 60, **fields)  # type: ignore[arg-type]


# --- the ordinary case ----------------------------------------------------------------------------------------------


async def test_missed_calls_as_they_come(desk, archive):
    archive.rows = [ended(1, -5), ended(2, -1, result="answered")]
    archive.appear(2, ended(3, 2), ended(4, 2, result="answered"), ended(5, 2, direction="outbound"))
    archive.appear(4, ended(6, 4, voicemail=True, result="answered"))
    assert await desk.read() == [3, 6]
    assert set(desk.watch.slept) == {30.0}


async def test_a_long_call_appears_behind_others(desk, archive):
    archive.appear(2, ended(1, 2, 1), ended(2, 2, 10))
    archive.appear(5, ended(3, 5, 300))  # as long as the overlap
    archive.appear(6, ended(4, 6, 299))
    assert await desk.read() == [2, 1, 3, 4]


async def test_what_one_look_overlooked_the_next_one_finds(desk, archive):
    archive.appear(2, ended(1, 2, 0))
    archive.appear(3, ended(2, 1, 300))  # it was there with the second request, but not where that looked
    assert await desk.read() == [1, 2]


async def test_calls_of_one_look_come_in_order_of_their_start(desk, archive):
    archive.appear(2, *(ended(n, 2, length) for n, length in enumerate((5, 1, 9, 3), 1)))
    assert await desk.read() == [3, 1, 4, 2]


async def test_a_record_that_changes_later_is_not_given_again(desk, archive):
    call = ended(1, 2)
    archive.appear(2, call)
    archive.appear(5, ended(2, 5))

    def change():
        if archive.requests == 4:
            call.update(result="cancel", recordingFile="x.mp3", id=77)

    archive.before = change
    assert await desk.read() == [1, 2]


async def test_a_call_that_turns_out_to_be_missed_is_given_then(desk, archive):
    call = ended(1, 2, result="answered")
    archive.appear(2, call)
    archive.appear(6, ended(2, 6))
    archive.before = lambda: call.update(result="no-answer") if archive.requests == 4 else None
    assert await desk.read() == [1, 2]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, [4]),
        (timedelta(minutes=10), [3, 4]),
        (NOON - timedelta(days=1), [2, 3, 4]),
        (timedelta(days=100), [1, 2, 3, 4]),
    ],
)
async def test_where_a_feed_begins(desk, archive, since, expected):
    archive.rows = [ended(1, -60 * 24 * 30), ended(2, -60), ended(3, -5)]
    archive.appear(3, ended(4, 3))
    assert await desk.read(since=since) == expected


async def test_a_call_that_was_under_way_when_the_feed_began(desk, archive):
    archive.appear(2, ended(1, 2, 200))
    assert await desk.read() == [1]


# --- restarts -------------------------------------------------------------------------------------------------------


async def test_a_restarted_program_goes_on_where_it_was(desk, archive):
    archive.appear(2, ended(1, 2))
    assert await desk.read() == [1]
    archive.rows += [ended(2, archive.requests + 1), ended(3, archive.requests + 60 * 24 * 2)]  # two days later
    assert await desk.read() == [2, 3]
    assert await desk.read(since=NOON - timedelta(days=9)) == []  # the place is known: `since` is for the first time
    assert await desk.read(since=timedelta()) == []
    assert await desk.read(name="another", since=NOON - timedelta(days=9)) == [1, 2, 3]


async def test_a_program_that_dies_before_the_first_call_loses_nothing(desk, archive):
    desk.watch.restart_at = {1, 2}
    archive.appear(4, ended(1, 0), ended(2, 3))
    assert await desk.read() == [1, 2]


async def test_only_the_call_at_hand_comes_again_after_a_crash(desk, archive):
    archive.appear(1, *(ended(n, 1, 10 - n) for n in range(5)))
    assert await desk.read(crash_at=frozenset({1, 4})) == [0, 0, 1, 2, 2, 3, 4]


async def test_a_call_is_stored_when_the_loop_comes_back(desk, archive):
    archive.appear(1, ended(1, 1, 9), ended(2, 1, 5))
    feed = desk.feed()
    assert (await anext(feed)).id == 1
    assert desk.place.given == {}
    assert (await anext(feed)).id == 2
    assert set(desk.place.given) == {call_id(1)}
    with pytest.raises(Enough):
        await anext(feed)
    assert set(desk.place.given) == {call_id(1), call_id(2)}


async def test_a_loop_that_was_left_gets_its_last_call_again(desk, archive):
    archive.appear(1, ended(1, 1, 9), ended(2, 1, 5))
    feed = desk.feed()
    async for cdr in feed:
        assert cdr.id == 1
        break
    async for cdr in feed:
        assert cdr.id == 1
        break
    assert (await anext(feed)).id == 2  # no new loop: this is the coming back
    await feed.aclose()
    await feed.aclose()


async def test_waiting_can_be_cancelled(desk, archive):
    slept = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if archive.rows:
            return
        slept.set()
        await asyncio.sleep(3600)

    feed = desk.feed(sleep=sleep)
    for _ in range(2):
        waiting = asyncio.create_task(anext(feed))
        await slept.wait()
        slept.clear()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert archive.requests == 1  # a wait that is taken up again costs no request
    archive.rows = [ended(1, 1)]
    assert (await anext(feed)).id == 1
    await feed.aclose()


async def test_two_contact_centres_users_or_names_never_share_a_place(archive):
    archive.rows = [ended(1, 0)]
    options = {"since": NOON}
    async with desk_of(archive, **options) as one, desk_of(archive, **options) as two:
        two.store = one.store
        for desk in (one, two):
            assert await desk.read() == [1]
            assert await desk.read(user="you") == [1]
            assert await desk.read(name="other") == [1]
            assert await desk.read(name='me", "missed') == [1]
            assert await desk.read() == []
        assert len(one.store._texts) == 8


async def test_the_users_name_comes_from_the_profile(kit, ziwo, archive):
    ziwo.on("GET", HISTORY, archive.answer)
    archive.rows = [ended(1, 0)]
    desk = Desk(archive, kit.transport(ziwo.url))
    assert await desk.read(user=None) == [1]
    assert ziwo.count("GET", "/profile") == 1
    (name,) = desk.store._texts
    assert name == f'["{ziwo.url}", "{kit.USER}", "missed"]'


async def test_a_larger_overlap_after_a_restart_gives_nothing_twice(desk, archive):
    archive.rows = [ended(n, -10 * n) for n in range(20)]
    assert len(await desk.read(since=timedelta(days=1), overlap=20 * MINUTE)) == 20
    assert len(desk.place.given) < 20
    assert await desk.read(overlap=timedelta(days=3)) == []


async def test_the_place_is_bounded_by_the_overlap(desk, archive):
    for tick in range(1, 200):
        archive.appear(tick, ended(tick, tick))
    archive.appear(900, ended(900, 900))
    assert len(await desk.read()) == 200
    place = desk.place
    assert place.horizon == place.newest - OVERLAP
    assert set(place.given) == {call_id(900)}


async def test_the_file_by_default(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    archive.rows = [ended(1, 0), ended(2, 0)]
    async with desk_of(archive, store=None) as desk:
        assert await desk.read(crash_at=frozenset({2})) == [1, 2, 2]
    (text,) = [await SqlitePlaces().load(name) for name in await names_in(tmp_path / "ziwo_async/places.sqlite")]
    assert text is not None
    assert set(Place.from_json(text).given) == {call_id(1), call_id(2)}
    assert "971" not in text


async def names_in(path) -> list[str]:
    import sqlite3

    db = sqlite3.connect(path)
    try:
        return [name for (name,) in db.execute("SELECT name FROM places")]
    finally:
        db.close()


# --- what a look costs ----------------------------------------------------------------------------------------------


async def test_a_look_stops_where_the_window_begins(desk, archive):
    archive.rows = [ended(n, -n * 10) for n in range(1, 2_000)]  # a fortnight
    await desk.read(page_size=10)
    assert archive.requests <= 4 * 5  # 300 minutes are 30 calls, and one page beyond, four times
    assert {q["fromDate"] for q in archive.queries} == {"2026-03-09"}
    assert {q["order"] for q in archive.queries} == {"~startedAt"}
    assert all("toDate" not in q for q in archive.queries)


async def test_a_server_that_ignores_the_order_is_read_to_the_end(desk, archive):
    archive.keeps_order = False
    archive.rows = [ended(n, -n * 10) for n in range(1, 50)]
    archive.appear(9, ended(100, 0))
    assert await desk.read(page_size=10) == [100]


async def test_a_few_calls_prove_no_order(desk, archive):
    archive.keeps_order = False
    archive.rows = [ended(n, -400 - n) for n in range(1, 12)]
    archive.appear(4, ended(100, 4))
    archive.appear(20, ended(101, 20))
    assert await desk.read(page_size=1) == [100, 101]


async def test_a_long_absence_is_made_up_for_in_windows(desk, archive, monkeypatch):
    monkeypatch.setattr(missed, "WINDOW", 100)
    monkeypatch.setattr(history, "WINDOW", 100)
    archive.rows = [ended(n, n - 60 * 24 * 5) for n in range(0, 60 * 24 * 5, 20)]
    found = await desk.read(since=timedelta(days=4), crash_at=frozenset({50, 51, 200}))
    expected = list(range(60 * 24, 60 * 24 * 5, 20))
    assert sorted(set(found)) == expected
    assert len(found) == len(expected) + 3
    days = {(q.get("fromDate"), q.get("toDate")) for q in archive.queries if "toDate" in q}
    assert len(days) > 3
    assert max(int(q["skip"]) for q in archive.queries) <= 200


# --- the future -----------------------------------------------------------------------------------------------------

YEAR = timedelta(days=365)


async def test_a_call_of_the_future_does_not_end_the_feed(desk, archive, caplog):
    archive.rows = [row(99, NOON + YEAR)]
    archive.appear(3, ended(1, 3), ended(2, 2, 250))
    assert await desk.read() == [99, 2, 1]
    archive.appear(archive.requests + 2, ended(3, archive.requests + 2))
    assert await desk.read() == [3]  # nor after a restart
    assert desk.place.newest < NOON + timedelta(days=1)
    assert f"call {call_id(99)} starts in the future" in caplog.text
    assert caplog.text.count("in the future") == 2  # once for each feed, not with each look


async def test_a_call_of_the_future_among_too_many(desk, archive, monkeypatch):
    monkeypatch.setattr(missed, "WINDOW", 5)
    monkeypatch.setattr(history, "WINDOW", 5)
    archive.rows = [row(99, NOON + YEAR), *(ended(n, -n) for n in range(1, 20))]
    archive.appear(30, ended(100, 29))
    assert set(await desk.read(since=timedelta(hours=1))) == {*range(1, 20), 99, 100}
    assert desk.place.horizon < NOON + timedelta(days=1)


async def test_a_stored_place_in_the_future_is_healed(desk, archive, caplog):
    await desk.read(since=NOON - timedelta(hours=1))
    (name,) = desk.store._texts
    ruined = Place(floor=NOON - timedelta(hours=1), newest=NOON + YEAR, horizon=NOON + YEAR - OVERLAP)
    await desk.store.save(name, ruined.to_json())
    archive.rows = [ended(1, -40), row(99, NOON + YEAR)]
    archive.appear(archive.requests + 2, ended(2, archive.requests + 2))
    assert await desk.read() == [1, 99, 2]
    assert caplog.text.count("the stored place was in the future; going on 5:00:00 back") == 1
    assert desk.place.horizon < NOON


async def test_a_duration_that_no_calendar_has_room_for(desk, archive):
    archive.rows = [{**ended(1, 0), "endedAt": None, "duration": 10**12}]
    archive.appear(2, ended(2, 2))
    assert await desk.read(since=NOON - MINUTE) == [1, 2]


async def test_too_many_calls_and_one_without_a_start(desk, archive, monkeypatch):
    monkeypatch.setattr(missed, "WINDOW", 5)
    archive.keeps_order = False  # the small server cannot sort what has no start
    archive.days_by = "endedAt"
    archive.rows = [{**ended(99, -1), "startedAt": None}, *(ended(n, -n) for n in range(1, 20))]
    assert set(await desk.read(since=timedelta(hours=1))) == set(range(1, 20))


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
async def test_what_the_server_does_wrong_is_tried_again(desk, archive, caplog, status):
    archive.rows = [ended(1, 1)]
    archive.before = lambda: failed(status, "oops") if archive.requests <= 12 else None
    assert await desk.read() == [1]
    pauses = desk.watch.slept[:12]
    assert all(0 <= pause <= min(300, 2 * 2**n) for n, pause in enumerate(pauses, 1))
    assert max(pauses) > 30  # it grows
    assert len(set(pauses)) == 12  # and is jittered
    assert "trying again" in caplog.text
    assert desk.watch.slept[12] == 30.0


class Shortest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return a


async def test_a_wait_that_the_server_asks_for(desk, archive):
    archive.rows = [ended(1, 1)]
    archive.before = lambda: failed(429, "slow", **{"Retry-After": "0.05"}) if archive.requests == 1 else None
    assert await desk.read(rng=Shortest()) == [1]
    assert desk.watch.slept[0] == pytest.approx(0.05, rel=0.2)


async def test_a_server_that_is_away(archive):
    server = Ziwo()
    await server.start()
    address = server.url
    await server.stop()
    transport = Transport(
        address, Credentials(token=SecretStr("some-token")), retry=QUICK, timeouts=Timeouts(connect=1.0)
    )
    desk = Desk(archive, transport)
    desk.watch.restart_at = {5}
    with pytest.raises(Restart):
        async for _ in desk.feed():
            pass
    assert len(desk.watch.slept) == 5
    await transport.aclose()
    with pytest.raises(ClientClosed):
        await anext(desk.feed())


async def test_closing_the_client_ends_a_feed_that_pauses(archive):
    async with desk_of(archive) as desk:
        pausing = asyncio.Event()

        async def sleep(seconds: float) -> None:
            pausing.set()
            await asyncio.Event().wait()

        waiting = asyncio.create_task(anext(desk.feed(sleep=sleep)))
        await pausing.wait()
        await desk._transport.aclose()
        with pytest.raises(ClientClosed):
            await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, TokenExpired), (403, Forbidden)],
)
async def test_a_user_that_is_refused(desk, archive, status, error):
    archive.rows = [ended(1, 1)]
    archive.before = lambda: failed(status, "no") if archive.requests == 2 else None
    feed = desk.feed()
    assert (await anext(feed)).id == 1
    with pytest.raises(error):
        await anext(feed)
    archive.before = lambda: None
    if status == 403:  # the feed goes on when the permission is given
        archive.rows.append(ended(2, 3))
        assert (await anext(feed)).id == 2


async def test_wrong_credentials(kit, ziwo, archive):
    desk = Desk(archive, kit.transport(ziwo.url, kit.password("CANARY-wrong")))
    with pytest.raises(BadCredentials):
        await anext(desk.feed())


async def test_an_answer_that_can_never_be_read(desk, archive, kit):
    archive.before = lambda: kit.ok("text")
    with pytest.raises(DecodeError):
        await anext(desk.feed())
    assert archive.requests == 5
    archive.requests = 0
    archive.rows = [ended(1, 1)]
    archive.before = lambda: kit.ok("text") if archive.requests <= 4 else None
    assert await desk.read() == [1]


async def test_a_failure_between_two_calls_repeats_none(desk, archive, monkeypatch):
    monkeypatch.setattr(missed, "WINDOW", 5)
    monkeypatch.setattr(history, "WINDOW", 5)
    archive.rows = [ended(n, n * 60 * 24 - 60 * 24 * 20) for n in range(20)]
    rng = random.Random(5)
    archive.before = lambda: failed(502, "gone") if rng.random() < 0.1 else None
    assert await desk.read(since=timedelta(days=30), page_size=3) == list(range(20))


async def test_a_store_that_cannot_be_read(desk, archive):
    archive.rows = [ended(1, 1)]
    await desk.read()
    (name,) = desk.store._texts
    await desk.store.save(name, '{"version": 9}')
    with pytest.raises(PlaceError, match="'missed' cannot be read"):
        await anext(desk.feed())


async def test_a_store_that_does_not_answer_is_asked_again(desk, archive, monkeypatch, caplog):
    monkeypatch.setattr(missed, "_STORE_SECONDS", 0.01)

    class Stuck(MemoryPlaces):
        loads = 0

        async def load(self, name: str) -> str | None:
            self.loads += 1
            if self.loads < 3:
                await asyncio.Event().wait()
            return await super().load(name)

    archive.rows = [ended(1, 0)]
    desk.store = Stuck()
    assert await desk.read(since=NOON) == [1]
    assert caplog.text.count("no answer within 0.01 s; trying again") == 2


async def test_a_store_that_is_locked_for_a_while(desk, archive, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("ziwo_async._sqlite._BUSY_SECONDS", 0.01)
    backup = sqlite3.connect(tmp_path / "p", isolation_level=None)
    (tmp_path / "p").chmod(0o600)

    async def sleep(seconds: float) -> None:
        if backup.in_transaction and len(desk.watch.slept) == 2:
            backup.execute("ROLLBACK")
        await desk.watch.sleep(seconds)

    backup.execute("BEGIN EXCLUSIVE")
    archive.appear(1, ended(1, 1, 9), ended(2, 1, 5))
    feed = desk.feed(store=SqlitePlaces(tmp_path / "p"), sleep=sleep)
    assert (await anext(feed)).id == 1  # the file could not even be opened for three tries
    assert len(desk.watch.slept) == 3
    desk.watch.slept.clear()
    backup.execute("BEGIN EXCLUSIVE")  # the first call cannot be stored, so the second one waits
    assert (await anext(feed)).id == 2
    assert len(desk.watch.slept) == 3
    await feed.aclose()
    backup.close()
    assert "locked; trying again" in caplog.text


async def test_a_feed_begins_when_it_was_first_asked(desk, archive):
    class Away(MemoryPlaces):
        loads = 0

        async def load(self, name: str) -> str | None:
            self.loads += 1
            if self.loads < 3:
                archive.requests += 1  # a minute passes
                error = PlaceError("away")
                error.retryable = True
                raise error
            return await super().load(name)

    archive.rows = [ended(1, 1, 0), ended(2, -1, 0)]  # one of them missed while the store was away
    desk.store = Away()
    assert await desk.read() == [1]


async def test_a_store_that_fails_for_a_moment_loses_nothing(desk, archive):
    class Full(MemoryPlaces):
        full = False

        async def save(self, name: str, text: str) -> None:
            if self.full:
                raise PlaceError("full")
            await super().save(name, text)

    archive.rows = [ended(1, 1, 5), ended(2, 1, 2)]
    store = desk.store = Full()
    feed = desk.feed()
    assert (await anext(feed)).id == 1
    store.full = True
    with pytest.raises(PlaceError):
        await anext(feed)
    store.full = False
    assert (await anext(feed)).id == 2
    assert set(desk.place.given) == {call_id(1)}
    with pytest.raises(Enough):
        await anext(feed)
    assert set(desk.place.given) == {call_id(1), call_id(2)}


@pytest.mark.parametrize("page_size", [2, 100])
@pytest.mark.parametrize("bad", [None, {"callID": "x"}, {**ended(1, 2), "direction": 5}, "text"])
async def test_a_record_that_cannot_be_read_ends_nothing(desk, archive, caplog, bad, page_size):
    archive.spoilt = {1: bad}
    archive.appear(2, ended(1, 2), ended(2, 2, 5))
    archive.appear(4, ended(3, 4), ended(4, 3))
    assert await desk.read(page_size=page_size) == [2, 4, 3]
    assert set(desk.watch.slept) == {30.0}
    assert caplog.text.count("left out") == 1  # not with each look


@pytest.mark.parametrize(
    "options",
    [
        {"since": datetime(2026, 3, 1)},  # noqa: DTZ001 - that is the point
        {"since": -MINUTE},
        {"every": 0},
        {"every": float("nan")},
        {"overlap": timedelta()},
        {"page_size": 0},
        {"name": ""},
    ],
)
async def test_bad_arguments(desk, options):
    with pytest.raises(BadArgument):
        desk.feed(**options)


@pytest.mark.parametrize("since", [timedelta(days=999_999), datetime.min.replace(tzinfo=UTC)])
async def test_a_beginning_before_all_time(desk, since):
    with pytest.raises(BadArgument, match="too far"):
        await anext(desk.feed(since=since))


async def test_the_repr_tells_no_secret(desk):
    assert repr(desk.feed()).startswith("<MissedCalls 'missed' of http://127.0.0.1:")


# --- any order, any crash -------------------------------------------------------------------------------------------


@dataclass
class Script:
    """What happens: when which calls end, what the server does, and when the program dies."""

    calls: list[tuple[int, int, bool]]  # the request at which it appears, its minutes, whether it is missed
    page_size: int
    total_as: str | None
    keeps_order: bool = True
    keeps_dates: bool = True
    repeats: set[int] = field(default_factory=set)
    failures: set[int] = field(default_factory=set)
    crash_at: set[int] = field(default_factory=set)
    restart_at: set[int] = field(default_factory=set)
    since: timedelta = timedelta()

    def archive(self) -> Archive:
        made = Archive()
        for number, (tick, length, is_missed) in enumerate(self.calls, 1):
            call = ended(number, tick, length, result="no-answer" if is_missed else "answered")
            if tick > 0:
                made.appear(tick, call)
            else:
                made.rows.append(call)
        made.total_as = self.total_as
        made.keeps_order, made.keeps_dates, made.repeats = self.keeps_order, self.keeps_dates, self.repeats
        made.before = lambda: failed(503, "later") if made.requests in self.failures else None
        return made

    async def play(self) -> None:
        archive = self.archive()
        async with desk_of(archive, page_size=self.page_size, since=self.since) as desk:
            desk.watch.restart_at = self.restart_at
            got = Counter(await desk.read(crash_at=frozenset(self.crash_at)))
            begin = -self.since / MINUTE
            meant = {n for n, (tick, _, is_missed) in enumerate(self.calls, 1) if is_missed and tick >= begin}
            assert set(got) == meant
            assert got == Counter(dict.fromkeys(meant, 1)) + desk.crashes
            assert all(start >= desk.place.horizon for start in desk.place.given.values())


MISSED = st.sampled_from([True, True, False])
SMALL = st.sets(st.integers(1, 40), max_size=5)


@settings(max_examples=120)
@given(
    calls=st.lists(st.tuples(st.integers(-40, 60), st.integers(0, 300), MISSED), max_size=25),
    page_size=st.integers(1, 7),
    total_as=st.sampled_from(["total", "totalRecords", None]),
    failures=SMALL,
    crash_at=SMALL,
    restart_at=SMALL,
)
def test_every_missed_call_once_whatever_happens(**script):
    asyncio.run(Script(**script).play())


@settings(max_examples=120)
@given(
    calls=st.lists(st.tuples(st.integers(-40, 60), st.integers(0, 100), MISSED), max_size=25),
    page_size=st.integers(1, 7),
    total_as=st.sampled_from(["total", "totalRecords", None]),
    keeps_order=st.booleans(),
    keeps_dates=st.booleans(),
    repeats=st.sets(st.integers(2, 60), max_size=3),
    crash_at=SMALL,
    restart_at=SMALL,
)
def test_every_missed_call_once_from_a_server_that_reorders_and_repeats(**script):
    asyncio.run(Script(**script).play())


DAY = 60 * 24


@settings(max_examples=60)
@given(
    calls=st.lists(
        st.tuples(st.integers(-9 * DAY, 0) | st.integers(-60, 60), st.integers(0, 300), MISSED), max_size=30
    ),
    page_size=st.integers(1, 7),
    window=st.integers(1, 8),
    keeps_order=st.booleans(),
    keeps_dates=st.booleans(),
    failures=SMALL,
    crash_at=SMALL,
    restart_at=SMALL,
)
def test_every_missed_call_once_after_a_long_absence(window, **script):
    usual = missed.WINDOW
    history.WINDOW = missed.WINDOW = window
    try:
        asyncio.run(Script(total_as="total", since=timedelta(days=8), **script).play())
    finally:
        history.WINDOW = missed.WINDOW = usual

"""Reading the call history: every call once, in order of its start, with bounded memory, from awkward servers too."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.config import RetryPolicy
from ziwo_async.errors import BadArgument, DecodeError
from ziwo_async.rest import history
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.calls import CallsResource
from ziwo_async.rest.period import Days, Period
from ziwo_async.rest.transport import Transport

from .archive import HISTORY, NOON, Archive, Row, call_id, row
from .conftest import Ziwo

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def archive(ziwo):
    made = Archive()
    ziwo.on("GET", HISTORY, made.answer)
    return made


@pytest.fixture
def calls(kit, ziwo, archive):
    return CallsResource(kit.transport(ziwo.url))


def many(count: int, days: int, *, seed: int = 1) -> list[Row]:
    rng = random.Random(seed)
    return [row(n, FIRST + timedelta(seconds=rng.randrange(days * 86_400))) for n in range(1, count + 1)]


def in_order(rows: list[Row], *, newest_first: bool = False) -> list[str]:
    return [r["callID"] for r in sorted(rows, key=lambda r: (r["startedAt"], r["callID"]), reverse=newest_first)]


def deepest(archive: Archive) -> int:
    """How far any window was read: how many calls were in memory."""
    return max(
        int(q.get("skip", q.get("fetchStart", 0))) + int(q.get("limit", q.get("fetchStop", 0))) for q in archive.queries
    )


# --- ten thousand calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("paging", ["limit", "fetch"])
@pytest.mark.parametrize("total_as", ["total", "totalRecords", None])
async def test_ten_thousand_calls(calls, archive, paging, total_as, newest_first):
    archive.rows = many(10_000, 60)
    archive.total_as = total_as
    expected = in_order(archive.rows, newest_first=newest_first)
    listing = calls.history(date(2026, 1, 1), date(2026, 3, 1), paging=paging, page_size=200, newest_first=newest_first)
    assert [cdr.call_id async for cdr in listing] == expected
    assert deepest(archive) <= history.WINDOW + 2 * 200
    assert len(archive.queries) < 250  # 50 pages, and what it costs to find the parts


async def test_the_first_call_comes_before_the_last_window_is_read(calls, archive):
    archive.rows = many(10_000, 60)
    assert (await calls.history(page_size=200).first()).call_id == in_order(archive.rows)[0]
    assert len(archive.queries) < 40


async def test_without_any_dates(calls, archive):
    archive.rows = [*many(5_000, 60), row(9_000, datetime(2003, 5, 5, tzinfo=UTC))]
    archive.rows.append(row(9_001, datetime.now(UTC) + timedelta(days=3)))  # a server whose clock is ahead
    assert [cdr.call_id async for cdr in calls.history(page_size=200)] == in_order(archive.rows)
    assert deepest(archive) <= history.WINDOW + 200
    assert "fromDate" not in archive.queries[0]
    assert "toDate" not in archive.queries[0]


async def test_one_busy_day_cannot_be_read_in_parts(calls, archive):
    archive.rows = [row(n, NOON + timedelta(seconds=n)) for n in range(2_500)]
    found = [cdr.call_id async for cdr in calls.history(date(2026, 3, 10), date(2026, 3, 10), page_size=500)]
    assert found == in_order(archive.rows)
    assert len(archive.queries) == 5


@pytest.mark.parametrize("keeps_order", [True, False])
@pytest.mark.parametrize("total_as", ["total", None])
async def test_a_server_that_ignores_dates(calls, archive, keeps_order, total_as):
    archive.rows = many(5_000, 60)
    archive.keeps_dates, archive.keeps_order, archive.total_as = False, keeps_order, total_as
    begin, end = FIRST + timedelta(days=10), FIRST + timedelta(days=40, hours=7)
    found = [cdr.call_id async for cdr in calls.history(begin, end, page_size=500)]
    meant = [r for r in archive.rows if begin <= datetime.fromisoformat(r["startedAt"]) < end]
    assert found == in_order(meant)
    if total_as:
        assert len(archive.queries) < 40  # read once, not once for each part


async def test_a_small_history_costs_one_request(calls, archive):
    archive.rows = many(10, 60)
    assert len(await calls.history().all()) == 10
    assert len(archive.queries) == 1


async def test_an_empty_history(calls, archive):
    assert await calls.history().all() == []
    assert await calls.history().first() is None


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_filters_as_the_official_clients_write_them(calls, archive, ziwo):
    listing = calls.history(
        date(2026, 3, 1),
        date(2026, 3, 9),
        agents=[1, 2],
        numbers=[3, "4"],
        queues=[5, 6],
        contact_number="+971 50",
        recordings=True,
        datasets=["tags", "notes"],
    )
    assert archive.queries == []  # nothing is sent before the first step
    await listing.all()
    assert ziwo.raw_paths[-1] == (
        "/callHistory/?agents=1%2C2&numbers=3%2C4&queues%5B%5D=5&queues%5B%5D=6&contactNumber=%2B971+50&recordings=true"
        "&dataset=tags&dataset=notes&fromDate=2026-03-01&toDate=2026-03-09&order=startedAt&limit=50&skip=0"
    )


async def test_the_other_order_and_style(calls, archive):
    await calls.history(newest_first=True, paging="fetch", page_size=7).all()
    assert archive.queries == [{"order": "~startedAt", "fetchStart": "0", "fetchStop": "7"}]


async def test_each_iteration_starts_anew(calls, archive):
    archive.rows = many(3, 2)
    listing = calls.history()
    assert await listing.all() == await listing.all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"from_date": datetime(2026, 3, 1)},  # noqa: DTZ001 - that is the point
        {"to_date": datetime(2026, 3, 1)},  # noqa: DTZ001
        {"from_date": date(2026, 3, 2), "to_date": date(2026, 3, 1)},
        {"from_date": NOON, "to_date": NOON},
        {"from_date": datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))},
        {"agents": "12"},
        {"queues": "12"},
        {"numbers": ["1,2"]},
        {"agents": [""]},
        {"datasets": "tags"},
        {"page_size": 0},
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(calls, ziwo, arguments):
    with pytest.raises(BadArgument):
        calls.history(**arguments)
    assert ziwo.seen == []


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-12, 0, 4, 14])
async def test_moments_are_exact_whatever_the_servers_time_zone_is(calls, archive, hours):
    archive.zone = timedelta(hours=hours)
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(-3_000, 3_000, 7)]
    begin = datetime(2026, 3, 10, 3, 30, tzinfo=timezone(timedelta(hours=4)))
    end = NOON + timedelta(hours=11)
    found = [cdr.call_id async for cdr in calls.history(begin, end)]
    assert found == in_order([r for r in archive.rows if begin <= datetime.fromisoformat(r["startedAt"]) < end])
    assert archive.queries[0]["fromDate"] == "2026-03-08"
    assert archive.queries[0]["toDate"] == "2026-03-11"


async def test_days_are_the_servers(calls, archive):
    archive.zone = timedelta(hours=4)
    late = row(1, datetime(2026, 3, 9, 21, tzinfo=UTC))  # the 10th in Dubai
    archive.rows = [late, row(2, datetime(2026, 3, 10, 21, tzinfo=UTC))]
    found = await calls.history(date(2026, 3, 10), date(2026, 3, 10)).all()
    assert [cdr.call_id for cdr in found] == [late["callID"]]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_server_that_takes_the_end_of_a_call_for_its_day(calls, archive, monkeypatch, newest_first):
    monkeypatch.setattr(history, "WINDOW", 10)
    archive.days_by = "endedAt"
    archive.rows = [row(n, FIRST + timedelta(hours=n), seconds=3600 * (n % 5 * 3)) for n in range(24 * 6)]
    found = [cdr.id async for cdr in calls.history(newest_first=newest_first)]
    assert found == sorted(range(24 * 6), reverse=newest_first)
    assert len({q.get("toDate") for q in archive.queries}) > 4


async def test_calls_far_from_the_days_are_thrown_away(calls, archive):
    archive.keeps_dates = False
    archive.rows = [row(n, NOON + timedelta(days=n)) for n in range(-5, 6)]
    found = await calls.history(date(2026, 3, 9), date(2026, 3, 11)).all()
    assert [cdr.id for cdr in found] == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("day", [date.min, date.max])
async def test_absurd_days_do_no_harm(calls, archive, day):
    await calls.history(day, day).all()
    assert archive.queries[0]["fromDate"] == day.isoformat()


async def test_calls_without_a_start(calls, archive, ziwo, kit):
    rows = [
        row(1, NOON),
        {**row(2, NOON), "startedAt": None, "endedAt": "2026-03-10T13:00:00Z"},
        {"id": 3, "callID": "c"},
    ]
    ziwo.answers("GET", HISTORY, lambda: kit.ok(rows))
    assert [cdr.id for cdr in await calls.history().all()] == [3, 1, 2]
    assert [cdr.id for cdr in await calls.history(NOON, NOON + timedelta(hours=2)).all()] == [1, 2]


# --- repetition and movement ----------------------------------------------------------------------------------------


async def test_a_call_that_is_listed_twice_comes_once(calls, archive):
    archive.rows = [row(1, NOON), row(1, NOON), {**row(2, NOON), "callID": call_id(1)}, row(3, NOON)]
    assert [cdr.call_id for cdr in await calls.history().all()] == [call_id(1), call_id(3)]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_calls_that_end_while_we_read(calls, archive, newest_first):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(20)]
    archive.appear(2, row(100, NOON + timedelta(hours=1)), row(101, NOON + timedelta(minutes=2, seconds=1)))
    found = [cdr.id for cdr in await calls.history(page_size=4, newest_first=newest_first).all()]
    assert set(found) >= set(range(20))
    assert max(Counter(found).values()) == 1


async def test_a_call_that_moves_to_a_page_that_was_read_is_found(calls, archive):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(20)]

    def delete_the_first():  # and what stood first on the third page moves to the second
        if archive.requests == 3:
            archive.rows.pop(0)

    archive.before = delete_the_first
    found = [cdr.id for cdr in await calls.history(page_size=5).all()]
    assert set(found) >= set(range(1, 20))


async def test_a_server_that_repeats_the_first_page_for_ever(calls, archive):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(100)]
    archive.always_first = True
    assert len(await calls.history(page_size=10).all()) == 10
    assert len(archive.queries) < 20


async def test_a_server_that_gives_less_than_it_is_asked_for(calls, archive):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(130)]
    archive.most = 50
    for total_as in ("total", None):
        archive.total_as = total_as
        assert len(await calls.history(page_size=100).all()) == 130


async def test_a_server_that_gives_few_and_no_total(calls, archive):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(180)]
    archive.most, archive.total_as = 20, None
    assert len(await calls.history().all()) == 180


async def test_a_total_that_is_only_the_length_of_the_page(calls, archive):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(180)]
    archive.total_of_page = True
    assert len(await calls.history().all()) == 180
    assert len(archive.queries) == 4


# --- records that cannot be read ------------------------------------------------------------------------------------

BAD = [None, {"callID": "x"}, {**row(9, NOON), "direction": 5}, "text"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("page_size", [1, 3, 50])
async def test_a_bad_record_is_left_out(calls, archive, caplog, bad, page_size):
    archive.rows = [row(n, NOON + timedelta(minutes=n)) for n in range(10)]
    archive.spoilt = {4: bad, 5: bad}
    assert [cdr.id for cdr in await calls.history(page_size=page_size).all()] == [0, 1, 2, 3, 6, 7, 8, 9]
    assert caplog.text.count("such records are left out") == 1
    assert "+971" not in caplog.text


async def test_bad_records_in_an_object_keyed_by_id(calls, ziwo, kit):
    rows = {"1": row(1, NOON), "2": {"callID": "x", "direction": 5}, "3": row(3, NOON)}
    ziwo.answers("GET", HISTORY, lambda: kit.ok(rows, total=3))
    assert [cdr.id for cdr in await calls.history().all()] == [1, 3]


async def test_many_records_all_of_them_bad_are_another_answer(calls, ziwo, kit):
    ziwo.answers("GET", HISTORY, lambda: kit.ok([{"nothing": n} for n in range(6)], total=6))
    with pytest.raises(DecodeError, match="record 0: id"):
        await calls.history().all()


@settings(max_examples=60)
@given(
    calls=st.lists(st.tuples(st.integers(0, 12 * 24), st.integers(0, 9)), max_size=40),  # hour, and hours of length
    twice=st.booleans(),
    page_size=st.integers(1, 9),
    window=st.integers(1, 12),
    zone=st.integers(-12, 14),
    total_as=st.sampled_from(["total", "totalRecords", None]),
    keeps_order=st.booleans(),
    keeps_dates=st.booleans(),
    days_by=st.sampled_from(["startedAt", "endedAt"]),
    newest_first=st.booleans(),
    paging=st.sampled_from(["limit", "fetch"]),
    begin=st.none() | st.integers(0, 6 * 24),
    end=st.none() | st.integers(6 * 24 + 1, 12 * 24),
)
def test_any_history_is_read_whole_once_and_in_order(**case):
    asyncio.run(any_history(**case))


async def any_history(
    *,
    calls,
    twice,
    page_size,
    window,
    zone,
    total_as,
    keeps_order,
    keeps_dates,
    days_by,
    newest_first,
    paging,
    begin,
    end,
):
    rows = [row(n, FIRST + timedelta(hours=hour), seconds=3600 * length) for n, (hour, length) in enumerate(calls, 1)]
    archive = Archive(rows * (2 if twice else 1))
    archive.total_as, archive.keeps_order, archive.keeps_dates = total_as, keeps_order, keeps_dates
    archive.days_by, archive.zone = days_by, timedelta(hours=zone)
    server = Ziwo()
    await server.start()
    server.on("GET", HISTORY, archive.answer)
    transport = Transport(server.url, Credentials(token=SecretStr("t")), retry=RetryPolicy(attempts=1))
    usual = history.WINDOW
    history.WINDOW = window
    try:
        since = None if begin is None else FIRST + timedelta(hours=begin)
        until = None if end is None else FIRST + timedelta(hours=end)
        listing = CallsResource(transport).history(
            since, until, newest_first=newest_first, paging=paging, page_size=page_size
        )
        found = [cdr.call_id async for cdr in listing]
    finally:
        history.WINDOW = usual
        await transport.aclose()
        await server.stop()
    hours = [(hour, call_id(n)) for n, (hour, _) in enumerate(calls, 1)]
    meant = [(h, c) for h, c in hours if (begin is None or h >= begin) and (end is None or h < end)]
    assert found == [c for _, c in sorted(meant, reverse=newest_first)]


# --- days and periods -----------------------------------------------------------------------------------------------


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 400))
def test_halves_are_the_whole(first, length):
    days = Days(first, first + timedelta(days=length))
    halves = days.halves(date(2026, 1, 1))
    if length == 0:
        assert halves is None
        return
    assert halves is not None
    earlier, later = halves
    assert (earlier.first, later.last) == (days.first, days.last)
    assert earlier.last is not None
    assert earlier.last + timedelta(days=1) == later.first
    assert abs((later.last - later.first) - (earlier.last - earlier.first)) <= timedelta(days=1)  # type: ignore[operator]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(-12, 14))  # noqa: DTZ001
def test_a_call_is_near_its_day_in_every_time_zone(moment, zone):
    there = moment.replace(tzinfo=timezone(timedelta(hours=zone)))
    assert Days(there.date(), there.date()).near(there.astimezone(UTC))
    assert Period.of(there.date(), there.date()).holds(there.astimezone(UTC))


def test_open_days_are_halved_too():
    today = date(2026, 3, 10)
    earlier, later = Days().halves(today) or (Days(), Days())
    assert earlier.first is None
    assert later.last is None
    assert later.first is not None
    assert earlier.last == later.first - timedelta(days=1)
    assert Days(None, date(2005, 1, 1)).halves(today) is None
    assert Days(date(2027, 1, 1), None).halves(today) is None

"""Own calls, and single calls of the history."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from ziwo_async import Ringing
from ziwo_async.errors import BadArgument, DecodeError, Forbidden, NotFound
from ziwo_async.rest import calls as calls_module
from ziwo_async.rest.calls import CallsResource
from ziwo_async.rest.missed import MissedCalls
from ziwo_async.rest.models.cdr import CallResult
from ziwo_async.rest.places import MemoryPlaces

from .archive import HISTORY, NOON, Archive, call_id, row
from .scene import RECORDED, scene_in

OWN = "/agents/channels/calls/"


@pytest.fixture
def calls(kit, ziwo):
    return CallsResource(kit.transport(ziwo.url))


# --- own calls ------------------------------------------------------------------------------------------------------


async def test_own_calls_come_in_pages(calls, ziwo):
    archive = Archive([row(n, NOON - timedelta(hours=n)) for n in range(120)])
    ziwo.on("GET", OWN, archive.answer)
    assert [cdr.id for cdr in await calls.own().all()] == [row["id"] for row in sorted(archive.rows, key=_start)]
    assert [(q["limit"], q["skip"]) for q in archive.queries] == [("50", "0"), ("50", "50"), ("50", "100")]


def _start(row):
    return row["startedAt"]


async def test_filters_of_own_calls(calls, ziwo):
    ziwo.on("GET", OWN, Archive().answer)
    listing = calls.own(
        date(2026, 3, 1),
        date(2026, 3, 9),
        directions=["inbound", "internal"],
        abandoned=False,
        contact_number="0501234567",
        datasets=["tags", "customer"],
        page_size=20,
    )
    await listing.all()
    assert ziwo.raw_paths[-1] == (
        "/agents/channels/calls/?directions%5B%5D=inbound&directions%5B%5D=internal&abandoned=false"
        "&fromDate=2026-03-01&toDate=2026-03-09&contactNumber=0501234567&dataset=tags&dataset=customer&limit=20&skip=0"
    )
    await calls.own().all()
    assert ziwo.raw_paths[-1] == "/agents/channels/calls/?limit=50&skip=0"


async def test_own_calls_between_two_moments(calls, ziwo):
    archive = Archive([row(n, NOON + timedelta(minutes=n)) for n in range(10)])
    ziwo.on("GET", OWN, archive.answer)
    found = await calls.own(NOON + timedelta(minutes=3), NOON + timedelta(minutes=6)).all()
    assert [cdr.id for cdr in found] == [3, 4, 5]
    assert (archive.queries[0]["fromDate"], archive.queries[0]["toDate"]) == ("2026-03-09", "2026-03-11")


@pytest.mark.parametrize(
    "arguments",
    [
        {"from_date": datetime(2026, 3, 1)},  # noqa: DTZ001 - that is the point
        {"directions": "inbound"},
        {"datasets": "tags"},
        {"page_size": 0},
    ],
)
async def test_bad_arguments(calls, ziwo, arguments):
    with pytest.raises(BadArgument):
        calls.own(**arguments)
    assert ziwo.seen == []


# --- one call -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [46, "46", "46:5196"])
async def test_one_call_by_the_number_of_its_record(calls, ziwo, kit, number):
    ziwo.answers("GET", f"/callHistory/{number}", lambda: kit.ok(row(46, NOON)))
    assert (await calls.get(number)).call_id == call_id(46)


async def test_a_record_that_is_not_there(calls, ziwo, kit):
    ziwo.answers("GET", "/callHistory/47", lambda: kit.failed(404, "no such call"))
    with pytest.raises(NotFound, match="no such call"):
        await calls.get(47)
    ziwo.answers("GET", "/callHistory/48", lambda: kit.ok([]))
    with pytest.raises(DecodeError):
        await calls.get(48)


async def test_the_history_is_for_admins(calls, ziwo, kit):
    ziwo.answers("GET", "/callHistory/46", lambda: kit.failed(403, "admins only"))
    with pytest.raises(Forbidden, match="admins only"):
        await calls.get(46)


@pytest.mark.parametrize("wrong", [call_id(1), call_id(1).upper()])
async def test_a_call_id_is_no_number(calls, ziwo, wrong):
    with pytest.raises(BadArgument, match="by_call_id"):
        await calls.get(wrong)
    assert ziwo.seen == []


async def test_one_call_by_its_call_id(calls, ziwo, kit):
    archive = Archive([row(1, NOON), row(2, NOON), row(3, NOON)])
    ziwo.on("GET", HISTORY, archive.answer)
    found = await calls.by_call_id(call_id(2))
    assert found is not None
    assert found.id == 2
    assert ziwo.raw_paths[-1] == f"/callHistory/?callID={call_id(2)}&order=~startedAt&limit=50&skip=0"
    assert await calls.by_call_id(call_id(4)) is None
    assert len(archive.queries) == 2


@pytest.mark.parametrize("total_as", ["total", None])
async def test_a_call_id_on_a_server_that_ignores_the_filter(calls, ziwo, total_as):
    archive = Archive(row(n, NOON + timedelta(minutes=n)) for n in range(180))
    archive.knows_call_ids, archive.total_as = False, total_as
    ziwo.on("GET", HISTORY, archive.answer)
    found = await calls.by_call_id(call_id(3).upper())
    assert found is not None
    assert found.id == 3
    assert len(archive.queries) == 4
    assert await calls.by_call_id(call_id(500)) is None  # the whole history was looked through


async def test_a_call_id_beyond_what_is_looked_through(calls, ziwo, monkeypatch):
    monkeypatch.setattr(calls_module, "WINDOW", 100)
    archive = Archive(row(n, NOON + timedelta(minutes=n)) for n in range(180))
    archive.knows_call_ids = False
    ziwo.on("GET", HISTORY, archive.answer)
    assert (await calls.by_call_id(call_id(80))) is not None
    with pytest.raises(DecodeError, match=r"ignores the filter callID.* 100 that it gives first"):
        await calls.by_call_id(call_id(3))
    archive.always_first = True
    with pytest.raises(DecodeError, match=r"ignores the filter callID.* 50 that it gives first"):
        await calls.by_call_id(call_id(3))


async def test_a_bad_record_hides_no_other_call(calls, ziwo, caplog):
    archive = Archive(row(n, NOON - timedelta(minutes=n)) for n in range(60))
    archive.spoilt = {7: None, 8: {"callID": "x"}, 59: {**row(59, NOON), "direction": 5}}
    archive.knows_call_ids = False
    ziwo.on("GET", HISTORY, archive.answer)
    ziwo.on("GET", OWN, archive.answer)
    expected = {n for n in range(60) if n not in archive.spoilt}
    assert {cdr.id for cdr in await calls.own().all()} == expected
    assert caplog.text.count("left out") == 1
    found = await calls.by_call_id(call_id(9))
    assert found is not None
    assert found.id == 9


@pytest.mark.parametrize("wrong", ["", "46", "46:5196"])
async def test_a_number_is_no_call_id(calls, ziwo, wrong):
    with pytest.raises(BadArgument, match=r"calls\.get"):
        await calls.by_call_id(wrong)
    assert ziwo.seen == []


@pytest.mark.parametrize(
    "hostile", ["../profile", "a/b", "x?y=1", "a#b", "é", "1\n", "", "-1", "\N{FULLWIDTH DIGIT ONE}"]
)
async def test_what_is_no_id_is_never_a_part_of_a_path(calls, ziwo, hostile):
    with pytest.raises(BadArgument):
        await calls.get(hostile)
    assert ziwo.seen == []
    if hostile:
        await calls.by_call_id(hostile)
        assert ziwo.seen[-1] == ("GET", HISTORY)


# --- the feed, by its front door ------------------------------------------------------------------------------------


async def test_the_feed_remembers_in_the_home_folder(calls, ziwo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    now = datetime.now(UTC)
    ziwo.on("GET", HISTORY, Archive([row(1, now - timedelta(minutes=5)), row(2, now - timedelta(minutes=4))]).answer)
    feed = calls.missed(since=timedelta(hours=1))
    assert isinstance(feed, MissedCalls)
    assert not list(tmp_path.iterdir())  # nothing happens before the first step
    assert [(await anext(feed)).id, (await anext(feed)).id] == [1, 2]
    again = calls.missed(since=timedelta(hours=1))
    assert (await anext(again)).id == 2  # it was not handled: the loop did not come back
    other = calls.missed(since=timedelta(hours=1), name="other")
    assert (await anext(other)).id == 1
    for each in (feed, again, other):
        await each.aclose()
    assert (tmp_path / "ziwo_async" / "places.sqlite").stat().st_mode & 0o777 == 0o600


async def test_the_feed_of_the_resources_user(kit, ziwo):
    ziwo.on("GET", HISTORY, Archive([row(1, datetime.now(UTC))]).answer)
    feed = CallsResource(kit.transport(ziwo.url), user="bot").missed(store=_Nowhere(), since=timedelta(hours=1))
    assert (await anext(feed)).id == 1
    assert ("GET", "/profile") not in ziwo.seen
    await feed.aclose()


class _Nowhere:
    async def load(self, name: str) -> str | None:
        assert '"bot", "missed"' in name
        return None

    async def save(self, name: str, text: str) -> None:
        assert "+971" not in text


# --- in a simulated contact centre ----------------------------------------------------------------------------------


async def test_a_real_call_that_nobody_answers(tmp_path):
    async with scene_in(tmp_path) as scene:
        feed = scene.ziwo.calls.missed(store=MemoryPlaces(), since=timedelta(hours=1), every=0.01)
        waiting = asyncio.create_task(anext(feed))
        async with scene.ziwo.expect(Ringing, timeout=5):
            call = await scene.world.customer("+97150000001").dials(scene.world.agent("0011"))
        await call.cancels()
        missed = await asyncio.wait_for(waiting, 10)
        assert (missed.customer_number, missed.result) == ("+97150000001", CallResult.CANCEL)
        assert missed.start is not None
        assert missed.end is not None
        assert missed.start <= missed.end
        assert missed.unreadable == {}
        assert missed.call_id is not None
        assert await scene.ziwo.calls.by_call_id(missed.call_id) == missed
        assert await scene.ziwo.calls.get(missed.id) == missed
        assert missed in await scene.ziwo.calls.own(directions=["inbound"], abandoned=True).all()
        assert await scene.ziwo.calls.own(directions=["outbound"]).all() == []
        await feed.aclose()


@pytest.mark.parametrize("paging", ["limit", "fetch"])
@pytest.mark.parametrize("totals", ["total", "totalRecords", None])
async def test_the_history_of_a_contact_centre(tmp_path, paging, totals):
    async with scene_in(tmp_path) as scene:
        world, history = scene.world, scene.ziwo.calls.history
        scene.simulator.rest.quirks.totals = totals
        sales = world.queue("sales")
        for n in range(150):
            world.history.add(
                customer=f"+9715000{n % 10:05}",
                agent=world.agent("5555"),
                queue=sales if n % 3 == 0 else None,
                started_at=NOON + timedelta(hours=n),
                ring=4,
                talk=20 if n % 2 else 0,
                tags=["vip"],
            )
        begin, end = NOON + timedelta(hours=10), NOON + timedelta(hours=100)
        found = await history(begin, end, paging=paging, datasets=["tags", "agent"]).all()
        assert [cdr.start for cdr in found] == [NOON + timedelta(hours=n) for n in range(10, 100)]
        assert all(cdr.tags and cdr.agent and cdr.agent.cc_login == "5555" for cdr in found)
        assert [cdr.missed for cdr in found[:4]] == [True, False, True, False]
        backwards = await history(begin, end, paging=paging, newest_first=True).all()
        assert [cdr.id for cdr in backwards] == [cdr.id for cdr in reversed(found)]
        assert not any(cdr.tags or cdr.agent for cdr in backwards)
        both = await history(agents=[world.agent("5555").id], queues=[sales.id], paging=paging).all()
        assert len(both) == 50
        assert len(await history(contact_number="00971500000003", paging=paging).all()) == 15
        assert await history(agents=[world.agent("0011").id], queues=[sales.id], paging=paging).all() == []


async def test_the_history_is_for_those_who_may(tmp_path):
    async with scene_in(tmp_path) as scene:
        scene.world.agent("0011").rights.clear()
        for attempt in (
            scene.ziwo.calls.history().all(),
            scene.ziwo.calls.get(46),
            scene.ziwo.calls.by_call_id(RECORDED),
            anext(scene.ziwo.calls.missed(store=MemoryPlaces())),
        ):
            with pytest.raises(Forbidden):
                await attempt
        assert len(await scene.ziwo.calls.own().all()) == 1

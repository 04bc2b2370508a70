"""Lists in pages, against servers of every temper."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.errors import BadArgument, DecodeError, ServerError
from ziwo_async.rest.models.base import Model
from ziwo_async.rest.paging import Listing, pages


class Row(Model):
    id: int


class Lists:
    """A list on the server, and how it is cut into pages."""

    def __init__(self, ziwo, count: int, *, most: int = 1000, total: str | None = "totalRecords") -> None:
        self.rows = [{"id": number} for number in range(count)]
        self.most = most
        self.total = total
        self.asked: list[dict[str, str]] = []
        self.between: Callable[[], None] = lambda: None
        self.ignores_skip = False
        self.total_of_page = False
        ziwo.on("GET", "/list/", self.page)

    async def page(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        skip = int(query.get("skip", query.get("fetchStart", "0")))
        size = min(int(query.get("limit", query.get("fetchStop", "50"))), self.most)
        start = 0 if self.ignores_skip else skip
        found = self.rows[start : start + size]
        info = {} if self.total is None else {self.total: len(found if self.total_of_page else self.rows)}
        self.between()
        return web.json_response({"result": True, "content": found, "info": info})


def ids(kit, ziwo, **options) -> Listing[int]:
    transport = kit.transport(ziwo.url)

    async def start():
        async for page in pages(transport, Row, "/list/", key=lambda row: row.id, **options):
            for row in page:
                yield row.id

    return Listing(start)


@pytest.mark.parametrize("total", ["totalRecords", "total", None])
@pytest.mark.parametrize("style", ["limit", "fetch"])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 130])
async def test_every_record_comes_once_in_order(kit, ziwo, total, style, count):
    Lists(ziwo, count, total=total)
    assert await ids(kit, ziwo, style=style).all() == list(range(count))


async def test_the_two_styles_ask_in_their_own_words(kit, ziwo):
    there = Lists(ziwo, 60)
    await ids(kit, ziwo, size=40, params={"search": "a&b", "order": "~did", "x": None}).all()
    await ids(kit, ziwo, size=40, style="fetch").all()
    assert there.asked == [
        {"limit": "40", "skip": "0", "search": "a&b", "order": "~did"},
        {"limit": "40", "skip": "40", "search": "a&b", "order": "~did"},
        {"fetchStart": "0", "fetchStop": "40"},
        {"fetchStart": "40", "fetchStop": "40"},
    ]


@pytest.mark.parametrize("total", ["total", None])
async def test_a_server_that_gives_less_than_asked_for_hides_nothing(kit, ziwo, total):
    there = Lists(ziwo, 120, most=50, total=total)
    assert await ids(kit, ziwo, size=500).all() == list(range(120))
    assert [query["skip"] for query in there.asked][:3] == ["0", "50", "100"]


async def test_a_server_that_gives_few_and_no_total_hides_nothing(kit, ziwo):
    there = Lists(ziwo, 180, most=20, total=None)
    assert await ids(kit, ziwo).all() == list(range(180))
    assert len(there.asked) == 10  # nine pages, and an empty one


@pytest.mark.parametrize(("count", "requests"), [(180, 4), (150, 4), (50, 2), (49, 1), (0, 1)])
async def test_a_total_that_is_only_the_length_of_the_page_hides_nothing(kit, ziwo, count, requests):
    there = Lists(ziwo, count)
    there.total_of_page = True
    assert await ids(kit, ziwo).all() == list(range(count))
    assert len(there.asked) == requests


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (49, 1), (51, 2), (100, 2)])
async def test_a_true_total_costs_no_further_request(kit, ziwo, count, requests):
    there = Lists(ziwo, count)
    await ids(kit, ziwo).all()
    assert len(there.asked) == requests


async def test_a_total_past_the_end_does_not_go_on_for_ever(kit, ziwo):
    there = Lists(ziwo, 30, total="total")
    there.rows = there.rows + there.rows  # 60 in all, the last 30 are the first again
    assert await ids(kit, ziwo, size=30).all() == list(range(30))
    assert len(there.asked) == 2


@pytest.mark.parametrize("total", ["total", None])
async def test_a_server_that_ignores_the_offset_does_not_go_on_for_ever(kit, ziwo, total):
    there = Lists(ziwo, 500, total=total)
    there.ignores_skip = True
    assert await ids(kit, ziwo).all() == list(range(50))
    assert len(there.asked) == 2


async def test_records_that_move_to_the_next_page_come_once(kit, ziwo):
    there = Lists(ziwo, 120)
    newest = iter(range(-1, -100, -1))

    def a_call_ends() -> None:
        there.rows.insert(0, {"id": next(newest)})

    there.between = a_call_ends
    found = await ids(kit, ziwo).all()
    assert len(found) == len(set(found))
    assert set(range(120)) <= set(found)


async def test_one_record_that_is_answered_without_a_list(kit, ziwo):
    ziwo.answers("GET", "/list/", lambda: kit.ok({"id": 1, "name": "CT"}))
    assert await ids(kit, ziwo).all() == [1]


async def test_first_and_some_ask_for_no_more_than_they_need(kit, ziwo):
    there = Lists(ziwo, 500)
    listing = ids(kit, ziwo)
    assert await listing.first() == 0
    assert await listing.all(at_most=3) == [0, 1, 2]
    assert await listing.all(at_most=0) == []
    assert len(there.asked) == 2
    Lists(ziwo, 0)
    assert await listing.first() is None


async def test_each_iteration_starts_anew(kit, ziwo):
    Lists(ziwo, 60)
    listing = ids(kit, ziwo)
    assert await listing.all() == await listing.all()


async def test_an_error_in_the_middle_is_raised_where_it_happens(kit, ziwo):
    there = Lists(ziwo, 120)

    def broken() -> None:
        if len(there.asked) > 1:
            raise web.HTTPInternalServerError

    there.between = broken
    seen = []

    async def read() -> None:
        async for number in ids(kit, ziwo):
            seen.append(number)

    with pytest.raises(ServerError):
        await read()
    assert seen == list(range(50))


async def test_a_list_that_is_none(kit, ziwo):
    ziwo.answers("GET", "/list/", lambda: kit.ok("text"))
    with pytest.raises(DecodeError, match="not a list"):
        await ids(kit, ziwo).all()


async def test_a_page_has_at_least_one_record(kit, ziwo):
    with pytest.raises(BadArgument):
        await ids(kit, ziwo, size=0).all()


class Paper:
    """A transport without a network, for many shapes of lists in little time."""

    def __init__(self, count: int, most: int, total: str) -> None:
        self.count, self.most, self.total, self.requests = count, most, total, 0

    async def request(self, method, path, *, params):
        from ziwo_async.rest.envelope import Reply

        self.requests += 1
        rows = [{"id": n} for n in range(self.count)][params["skip"] :][: min(params["limit"], self.most)]
        total = {"none": {}, "page": {"total": len(rows)}, "all": {"total": self.count}}[self.total]
        return Reply(content=rows, info=total, status=200)


@given(
    count=st.integers(0, 400),
    size=st.integers(1, 120),
    most=st.integers(1, 100),
    total=st.sampled_from(["none", "page", "all"]),
)
async def test_nothing_is_lost_whatever_the_sizes(count, size, most, total):
    if total == "page":
        most = max(most, size)  # a short page whose total is its length cannot be told from a short list
    paper = Paper(count, most, total)
    found = [row.id async for page in pages(paper, Row, "/x", key=lambda r: r.id, size=size) for row in page]
    assert found == list(range(count))
    assert paper.requests <= count // min(size, most) + 2

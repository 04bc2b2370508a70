"""Whatever a request brings, the API answers it: with a refusal where it is wrong, and never with 500."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from ziwo_async.simulator import Simulator, World
from ziwo_async.simulator.api.ask import Route
from ziwo_async.simulator.api.server import _ROUTES

from .api import Api

DIGITS = "9" * 5000
NAMED = b'--x\r\nContent-Disposition: form-data; name="photo"'
END = b"\r\n\r\n1\r\n--x--\r\n"
BODIES: dict[str, tuple[str, bytes]] = {
    "half an object": ("application/json", b"{"),
    "a list": ("application/json", b"[1]"),
    "a text": ("application/json", b'"x"'),
    "no UTF-8": ("application/json", b"\xff\xfe"),
    "deep": ("application/json", b"[" * 100_000),
    "deep and whole": ("application/json", b"[" * 100_000 + b"]" * 100_000),
    "a long number": ("application/json", DIGITS.encode()),
    "a long number inside": ("application/json", b'{"number": %b, "priority": %b}' % (DIGITS.encode(), b"9" * 30)),
    "no number": ("application/json", b'{"firstName": NaN, "name": Infinity}'),
    "an endless number": ("application/json", b'{"firstName": 1e999}'),
    "half a character": ("application/json", b'{"username": "\\ud800", "api_key": "\\ud800", "name": "\\ud800"}'),
    "JSON in an unknown encoding": ("application/json; charset=nope", b"{}"),
    "a form in an unknown encoding": ("application/x-www-form-urlencoded; charset=nope", b"username=x"),
    "a form that is no UTF-8": ("application/x-www-form-urlencoded", b"username=%ff&name=\xff"),
    "parts without a boundary": ("multipart/form-data", b"--x\r\n"),
    "a broken header of a part": ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
    "a part that is cut": (
        "multipart/form-data; boundary=x",
        NAMED + b"\r\n\r\n1",
    ),
    "a part without a name": ("multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\n1\r\n--x--\r\n"),
    "a part in an unknown transfer": (
        "multipart/form-data; boundary=x",
        NAMED + b"\r\nContent-Transfer-Encoding: x" + END,
    ),
    "a compressed part that is none": (
        "multipart/form-data; boundary=x",
        NAMED + b"\r\nContent-Encoding: gzip" + END,
    ),
    "a part in an unknown encoding": (
        "multipart/form-data; boundary=x",
        NAMED + b"\r\nContent-Type: text/plain; charset=nope" + END,
    ),
    "a file": (
        "multipart/form-data; boundary=x",
        NAMED + b'; filename="a"' + END,
    ),
    "bytes": (
        "multipart/form-data; boundary=x",
        NAMED + b"\r\nContent-Type: image/png" + END,
    ),
    "parts in parts": (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n1\r\n--y--\r\n--x--\r\n",
    ),
}
# A list or a text has no fields; of a form, parts are not compressed, so the header says nothing.
READABLE = {"a list", "a text", "a compressed part that is none"}
VALUES = (
    "",
    "x",
    "-1",
    "0",
    "1",
    DIGITS,
    "9" * 30,
    "9" * 18,
    "1e9",
    "\u00b2",
    "\u0663",
    "\x00",
    "../..",
    "a" * 3000,
    "2026-13-01",
    "9999-12-31",
    "0001-01-01",
    "23:59:59",
    "24:00",
    "true",
    "[]",
    "{}",
    "%",
    "\u00e9",
    "~id",
    "~nope",
    "stats",
    "date",
)
QUERY = """
    limit skip fetchStart fetchStop fromDate toDate fromTime toTime order search q phone directions[] agents
    queues[] numbers callTrackers[] callID contactNumber recordings abandoned dataset deleted enabled breakdown
    rollingDate deviceToken api_key access_token
""".split()  # noqa: SIM905
FIELDS = """
    username password currentPassword firstName photo number comment positionName whisper queue priority name
    startRequestURL startRequestTimeout endRequestTimeout didCalled email addressLine1
""".split()  # noqa: SIM905
IN_PATH = ("1", "5555", "46", "-1", "x", "9" * 5000, "9" * 18, "\u00b2", "a b", "\x00", "CT", "..", "\u00e9")
ODD: tuple[Any, ...] = (None, 1, -1, [], {}, [[]], {"a": "b"}, "x", "", True, 10**30, 1e308, "\u0000")
ROUTES = [route for route in _ROUTES if route.path != "/auth/logout"]


@pytest.fixture
def world() -> World:
    world = World()
    agent = world.agent("0011")
    queue = world.queue("sales", agents=[agent])
    world.add_number("061234567", link=queue)
    world.add_tracker("CT")
    world.history.add(id=46, customer="+97150000000", agent=agent, ring=1, talk=3)
    world.add_customer_record(first_name="Ann", phone="+97150000000")
    return world


def path_of(route: Route, part: str = "1") -> str:
    return re.sub(r"\{\w+\}", lambda _: quote(part, safe=""), route.path)


async def status(api: Api, route: Route, path: str, **more: Any) -> int:
    headers = {"api_key": api.sim.world.cti_key, **more.pop("headers", {})}
    found, _, _ = await api.raw(route.method, path, headers=headers, **more)
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_body_gets_an_answer(api: Api, route: Route) -> None:
    for name, (kind, body) in BODIES.items():
        found = await status(api, route, path_of(route), data=body, headers={"Content-Type": kind})
        assert found < 500, name


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_cannot_be_read_is_refused(api: Api, name: str) -> None:
    kind, body = BODIES[name]
    found = await api("PUT", "/agents", data=body, headers={"Content-Type": kind})
    assert found.status == (200 if name in READABLE else 400), found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_value_gets_an_answer_wherever_it_stands(api: Api, route: Route) -> None:
    for value in VALUES:
        for name in QUERY:
            assert await status(api, route, path_of(route), params={name: value}) < 500, name
    for part in IN_PATH if "{" in route.path else ():
        assert await status(api, route, path_of(route, part)) < 500, part


@pytest.mark.parametrize("seed", range(5))
async def test_odd_requests_together(api: Api, seed: int) -> None:
    """Any mixture of them, by seed."""
    for route, more in mixtures(random.Random(seed)):
        path = more.pop("path")
        assert await status(api, route, path, **more) < 500, (route.path, more)


def mixtures(rng: random.Random) -> Iterator[tuple[Route, dict[str, Any]]]:
    for route in rng.choices(ROUTES, k=300):
        more: dict[str, Any] = {"path": path_of(route, rng.choice(IN_PATH))}
        more["params"] = {rng.choice(QUERY): rng.choice(VALUES)[:900] for _ in range(3)}  # a line has its limit
        body = {rng.choice(FIELDS): rng.choice((*ODD, *VALUES)) for _ in range(4)}
        if rng.random() < 0.5:
            more["json"] = body
        else:
            more["data"] = {
                name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()
            }
        yield route, more


@pytest.mark.parametrize("text", [DIGITS, "9" * 30, "\u00b2", "-1", "1e9", "x"])
async def test_no_number_is_400_in_a_query_and_404_in_a_path(api: Api, text: str) -> None:
    refused = await api.get("/callHistory/", limit=text)
    assert (refused.status, refused.error) == (400, "limit must be a number")
    assert (await api.get(f"/callHistory/{quote(text)}")).status == 404


async def test_the_last_day_that_there_is(api: Api) -> None:
    assert await api.ids("/callHistory/", fromDate="0001-01-01", toDate="9999-12-31") == [46]
    assert await api.ids("/callHistory/", fromDate="9999-12-31", toDate="9999-12-31", toTime="23:59") == []


@pytest.mark.parametrize(
    "text", [f"bytes={DIGITS}-", f"bytes=-{DIGITS}", f"bytes=0-{DIGITS}", "bytes=\u0661-", "bytes=-"]
)
async def test_a_range_that_is_not_understood_is_ignored(api: Api, world: World, text: str) -> None:
    path = f"/storage/{world.add_file(b'sound')}"
    found, headers, body = await api.raw("GET", path, headers={"Range": text})
    assert (found, "Content-Range" in headers, body) == (200, False, b"sound")


async def test_a_key_of_other_characters_is_refused(sim: Simulator, anonymous: Api) -> None:
    path = "/integrations/cti/agents/0011/call"
    for key in ("\u00e9", "\udcff"):
        found, _, _ = await anonymous.raw(
            "GET", path, headers={"api_key": key.encode(errors="surrogateescape").decode("latin-1")}
        )
        assert found == 401

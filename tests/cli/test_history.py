"""`ziwo history`."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ziwo_async import BadArgument
from ziwo_async.cli.period import moment, period
from ziwo_async.testing import ServedWorld, serve

from .centre import Ziwo
from .kit import ZIWO, finished, program

# With a fraction: a whole second is written in fewer digits.
NOW = datetime.now(UTC).replace(microsecond=250_000)


def furnish(world: ServedWorld) -> None:
    agent, queue = world.agent("5555"), world.queue("Sales", agents=[world.agent("5555")])
    add = world.history.add
    add(
        customer="+971500000001",
        agent=agent,
        queue=queue,
        ring=4,
        talk=65,
        started_at=NOW - timedelta(hours=1),
        customer_name="[red]\x1b[31mtab\there",
    )
    add(customer="+971500000002", ring=9, started_at=NOW - timedelta(hours=3), customer_name='=HYPERLINK("x", 1)')
    add(
        customer="+971500000003",
        agent=world.agent("0011"),
        direction="outbound",
        talk=3700,
        started_at=NOW - timedelta(hours=5),
    )
    add(customer="+971500000004", voicemail=True, started_at=NOW - timedelta(days=3), customer_name="-1+1")


def customers(table: str) -> list[str]:
    return [line[42:58].strip()[-1] for line in table.splitlines()[1:]]


def test_a_table_of_the_last_day_newest_first(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    header, *rows = ziwo.ok("history").splitlines()
    assert header.split() == [
        "start", "direction", "result", "customer", "agent", "queue", "talk", "sound", "callID",
    ]  # fmt: skip
    first, second, third = (row.split() for row in rows)
    assert first[2:9] == ["inbound", "answered", "+971500000001", "5555", "Sales", "1:05", "recording"]
    assert second[2:5] == ["inbound", "no-answer", "+971500000002"]
    assert third[2:7] == ["outbound", "answered", "+971500000003", "0011", "1:01:40"]
    when = (NOW - timedelta(hours=1)).astimezone()
    assert first[:2] == [f"{when:%Y-%m-%d}", f"{when:%H:%M:%S}"]
    assert rows[0].index("recording") == header.index("sound")


def test_json_is_what_the_server_says_with_secrets_hidden(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    first, _, third = ziwo.json("history")
    assert "resultText" not in first
    assert (first["direction"], first["talkTime"], first["callerIDNumber"]) == ("inbound", 65, "+971500000001")
    assert first["extendedInfo"]["agents"]["ccPassword"] == "**********"
    assert third["result"] == "answered"
    assert first["startedAt"].endswith("Z")
    assert all(ord(letter) < 128 for letter in ziwo.ok("history", "--json"))


def test_csv_is_rfc_4180_and_has_no_formula(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    raw = ziwo("history", "--last", "1w", "--csv").stdout_bytes.decode()
    lines = raw.split("\r\n")
    assert len(lines) == 6
    assert lines[-1] == ""
    assert "\n" not in raw.replace("\r\n", "")
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert [row["customerNumber"] for row in rows] == [f"+97150000000{n}" for n in (1, 2, 3, 4)]
    assert [row["callerIDName"] for row in rows] == [
        "[red]\N{REPLACEMENT CHARACTER}[31mtab\N{REPLACEMENT CHARACTER}here",
        '\'=HYPERLINK("x", 1)',
        "+97140000000",
        "'-1+1",
    ]
    assert (rows[0]["talkTime"], rows[0]["missed"], rows[3]["missed"]) == ("65", "false", "true")
    assert rows[0]["start"] == (NOW - timedelta(hours=1)).isoformat(timespec="milliseconds").replace("+00:00", "000Z")


def test_what_is_asked_for(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    assert customers(ziwo.ok("history", "--last", "2h")) == ["1"]
    assert customers(ziwo.ok("history", "--last", "1w")) == ["1", "2", "3", "4"]
    assert customers(ziwo.ok("history", "--last", "1w", "--limit", "2")) == ["1", "2"]
    assert customers(ziwo.ok("history", "--last", "1w", "--missed")) == ["2", "4"]
    assert customers(ziwo.ok("history", "--agent", "5555")) == ["1"]
    assert customers(ziwo.ok("history", "--agent", "5555", "--agent", "0011")) == ["1", "3"]
    assert customers(ziwo.ok("history", "--queue", "Sales")) == ["1"]
    assert customers(ziwo.ok("history", "--number", "+971500000002")) == ["2"]
    assert customers(ziwo.ok("history", "--own")) == ["1"]
    until = (NOW - timedelta(hours=2)).isoformat()
    assert customers(ziwo.ok("history", "--from", f"{NOW - timedelta(days=9):%Y-%m-%d}", "--to", until)) == [
        "2",
        "3",
        "4",
    ]


def test_only_own_calls_need_no_right(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    ziwo.centre.do(lambda world: world.agent("5555").rights.discard("admin"))
    assert "is not allowed for this user" in ziwo.refuses(3, "history")
    assert len(ziwo.json("history", "--own")) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--number", ""), "--number is empty"),
        (("--number", " ", "--own"), "--number is empty"),
        (("--json", "--csv"), "choose one of --json and --csv"),
        (("--own", "--agent", "5555"), "--agent and --queue do not go with it"),
        (("--last", "soon"), "is no length of time"),
        (("--last", "2h", "--to", "2026-01-01"), "--last goes until now"),
        (("--from", "yesterday"), "is no date"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "the period ends before it begins"),
        (("--agent", "9999"), "there is no agent '9999'"),
        (("--queue", "Nowhere"), "there is no queue 'Nowhere'"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2(ziwo: Ziwo, arguments: tuple[str, ...], says: str) -> None:
    assert says in ziwo.refuses(2, "history", *arguments)


async def test_rows_are_shown_while_the_next_ones_are_on_their_way() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def calls(request: web.Request) -> web.Response:
        skip = int(request.query["skip"])
        if skip:
            asked.set()
            await go_on.wait()
        rows = [{"id": n, "callID": f"call-{n}", "startedAt": NOW.isoformat()} for n in range(skip, min(skip + 50, 60))]
        return web.json_response({"result": True, "content": rows, "info": {"total": 60}})

    app = web.Application()
    app.router.add_get("/agents/channels/calls/", calls)
    async with TestServer(app) as server:
        env = {"ZIWO_API_URL": f"http://127.0.0.1:{server.port}", "ZIWO_TOKEN": "t"}
        for form in ((), ("--json",), ("--csv",)):
            asked.clear()
            go_on.clear()
            async with program(*ZIWO, "history", "--own", *form, env=env) as running:
                async with asyncio.timeout(20):
                    await asked.wait()
                await running.says("call-", times=50)
                assert len(running.out) in (50, 51)
                go_on.set()
                assert await running.ends() == 0
                assert len(running.out) in (60, 61)


async def test_an_interrupt_in_the_middle_is_no_success() -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        del request
        asked.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    app = web.Application()
    app.router.add_get("/agents/channels/calls/", never)
    async with TestServer(app) as server:
        env = {"ZIWO_API_URL": f"http://127.0.0.1:{server.port}", "ZIWO_TOKEN": "t"}
        async with program(*ZIWO, "history", "--own", env=env) as running:
            async with asyncio.timeout(20):
                await asked.wait()
            assert await running.stops() == 1
            assert running.err == []


async def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    async with serve() as world:
        agent = world.agent("5555")
        for minutes in range(1200):
            world.history.add(customer="+971500000001", talk=1, started_at=NOW - timedelta(minutes=minutes))
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        for form in ("", "--json", "--csv"):
            code, shell = await finished("sh", "-c", f'"$@" {form} | head -n 2', "sh", *ZIWO, "history", env=env)
            assert (code, len(shell.out), shell.err) == (0, 2, [])


# --- when -----------------------------------------------------------------------------------------------------------


def test_periods() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert period(None, None, None, now=now) == (datetime(2026, 3, 9, 12, tzinfo=UTC), None)
    assert period(None, None, "90m", now=now) == (datetime(2026, 3, 10, 10, 30, tzinfo=UTC), None)
    assert period(None, None, "2W", now=now) == (datetime(2026, 2, 24, 12, tzinfo=UTC), None)
    assert period("2026-03-01", None, None) == (date(2026, 3, 1), None)
    assert period(None, "2026-03-01", None) == (None, date(2026, 3, 1))


def test_moments() -> None:
    assert moment(None, "--from") is None
    assert moment("2026-03-01", "--from") == date(2026, 3, 1)
    assert moment("2026-03-01T08:30+04:00", "--from") == datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    assert moment("2026-03-01 08:30", "--from") == datetime(2026, 3, 1, 8, 30).astimezone()
    for text in ("", "1", "2026-02-30", "0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "now"):
        with pytest.raises(BadArgument, match="is no date"):
            moment(text, "--from")
    for last in ("0h", "h", "1y", "-1h", "1 h", "999999d"):
        with pytest.raises(BadArgument, match="is no length of time"):
            period(None, None, last)


def test_too_long_ago_is_no_crash() -> None:
    with pytest.raises(BadArgument, match="before the beginning of time"):
        period(None, None, "99999w", now=datetime(2, 1, 1, tzinfo=UTC))

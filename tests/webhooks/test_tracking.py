"""Numbers of campaigns: each call counts once, for the source that its number had when it landed."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ziwo_async.errors import BadArgument, ConfigError
from ziwo_async.models.base import read
from ziwo_async.webhooks import (
    CampaignNumbers,
    EndCall,
    MaskingTable,
    SourceCounts,
    SqliteOnce,
    StartCall,
    TrackerService,
    call,
    is_rehearsal,
)
from ziwo_async.webhooks.rehearsal import rehearsal

RADIO, BILLBOARD, OTHER = "+97142345671", "+97142345672", "+97142345679"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def numbers(tmp_path: Path, clock: Clock) -> AsyncIterator[CampaignNumbers]:
    made = CampaignNumbers(tmp_path / "campaigns.sqlite", region="AE", clock=clock)
    await made.assign(RADIO, "radio")
    await made.assign(BILLBOARD, "billboard")
    yield made
    made.close()


def start(did: str = RADIO, call_id: str | None = None) -> StartCall:
    return StartCall.of({"didCalled": did} | ({} if call_id is None else {"callID": call_id}))


def end(
    did: str | None = RADIO, call_id: str = "a", at: datetime = NOON, talk: int | None = 16, **more: Any
) -> EndCall:
    """As on ZIWO's page: three times, and no `result`; 12 s of ringing."""
    answer = None if talk is None else at + timedelta(seconds=12)
    over = at + timedelta(seconds=12 + (talk or 0))
    fields: dict[str, Any] = {
        "id": "46:5196",
        "callID": call_id,
        "direction": "inbound",
        "didCalled": did,
        "disposition": "ANSWER" if talk is not None else "NO ANSWER",
        "startRawTime": int(at.timestamp()),
        "answeredRawTime": 0 if answer is None else int(answer.timestamp()),
        "endRawTime": int(over.timestamp()),
    }
    return EndCall.model_validate({**fields, **more})


async def counted(numbers: CampaignNumbers, source: str | None = "radio", **period: Any) -> SourceCounts:
    (found,) = [one for one in await numbers.counts(**period) if one.source == source]
    return found


# --- counts -----------------------------------------------------------------------------------------------------------


async def test_a_call_that_was_answered_and_one_that_was_not(numbers: CampaignNumbers) -> None:
    assert await numbers.started(start()) == "radio"
    assert await numbers.started(start()) == "radio"
    assert await numbers.ended(end(call_id="a")) == "radio"
    assert await numbers.ended(end(call_id="b", talk=None)) == "radio"
    assert await numbers.counts() == [
        SourceCounts(source="billboard"),
        SourceCounts(source="radio", started=2, ended=2, answered=1, missed=1, talk=timedelta(seconds=16)),
    ]


async def test_the_same_call_counts_once_however_often_it_is_told(numbers: CampaignNumbers) -> None:
    for _ in range(3):
        await numbers.started(start(call_id="a"))
        await numbers.ended(end(call_id="a"))
    await numbers.ended(end(call_id="a", did=BILLBOARD, talk=None))
    assert await counted(numbers) == SourceCounts(
        source="radio", started=1, ended=1, answered=1, talk=timedelta(seconds=16)
    )
    assert await counted(numbers, "billboard") == SourceCounts(source="billboard")


async def test_without_a_call_id_the_number_of_the_record_tells(numbers: CampaignNumbers) -> None:
    for _ in range(2):
        await numbers.ended(end(call_id=""))
    assert (await counted(numbers)).ended == 1


async def test_a_hundred_times_at_once_in_several_processes(tmp_path: Path) -> None:
    tables = [CampaignNumbers(tmp_path / "c") for _ in range(4)]
    await tables[0].assign(RADIO, "radio", since=NOON - DAY)
    await asyncio.gather(*(tables[n % 4].ended(end(call_id=str(n % 5))) for n in range(100)))
    found = await counted(tables[3])
    assert (found.ended, found.talk) == (5, timedelta(seconds=80))
    for table in tables:
        table.close()


@pytest.mark.parametrize(
    ("fields", "answered"),
    [
        ({"talk": 16}, True),
        ({"talk": None}, False),
        # The welcome of the tracker may answer the line: the word tells.
        ({"talk": 16, "disposition": "NO ANSWER"}, False),
        ({"talk": 16, "disposition": "NOANSWER"}, False),
        ({"talk": 16, "disposition": "Busy"}, False),
        ({"talk": None, "disposition": "ANSWERED"}, True),
        ({"talk": 16, "disposition": None}, True),
        ({"talk": 16, "disposition": "EXOTIC"}, True),
        ({"talk": None, "disposition": "EXOTIC"}, False),
        # A CDR of the platform's web hook has a result.
        ({"talk": None, "disposition": None, "result": "answered"}, True),
        ({"talk": 16, "result": "no-answer"}, False),
        ({"talk": 16, "result": "answered", "voicemail": True}, False),
        ({"talk": 16, "voicemail": True}, False),
    ],
)
async def test_answered_or_missed(numbers: CampaignNumbers, fields: dict[str, Any], answered: bool) -> None:
    await numbers.ended(end(**fields))
    found = await counted(numbers)
    assert (found.answered, found.missed) == ((1, 0) if answered else (0, 1))
    assert answered or found.talk == timedelta()


@pytest.mark.parametrize(
    ("fields", "talk"),
    [
        ({"talkTime": 5}, 5),
        ({"talkTime": 0}, 0),
        ({"endRawTime": int(NOON.timestamp())}, 0),  # over before it was answered
        ({"answeredRawTime": 0}, 0),
        ({"talkTime": 10**9}, 7 * 86_400),
        ({"talkTime": "x"}, 16),
    ],
)
async def test_the_length_of_the_talk(numbers: CampaignNumbers, fields: dict[str, Any], talk: int) -> None:

    given = end().model_dump(mode="json", by_alias=True, exclude_unset=True) | fields
    record = read(EndCall, given)
    assert not isinstance(record, str)
    await numbers.ended(record)
    assert (await counted(numbers)).talk == timedelta(seconds=talk)


async def test_only_calls_that_came_in(numbers: CampaignNumbers) -> None:
    assert await numbers.ended(end(direction="outbound")) is None
    assert await numbers.ended(end(direction="internal")) is None
    assert await numbers.ended(end(did=None)) is None
    assert await numbers.ended(end(direction=None, call_id="b")) == "radio"
    assert (await counted(numbers)).ended == 1


async def test_a_number_without_a_source_is_counted_as_such(numbers: CampaignNumbers) -> None:
    assert [one.source for one in await numbers.counts()] == ["billboard", "radio"]
    assert await numbers.started(start(OTHER)) is None
    assert await numbers.ended(end(OTHER)) is None
    assert (await numbers.counts())[-1] == SourceCounts(
        source=None, started=1, ended=1, answered=1, talk=timedelta(seconds=16)
    )


# --- when -------------------------------------------------------------------------------------------------------------


async def test_a_period_is_that_of_the_starts(numbers: CampaignNumbers, clock: Clock) -> None:
    for n in range(4):
        await numbers.ended(end(call_id=str(n), at=NOON + n * MINUTE))
    assert (await counted(numbers, since=NOON + MINUTE)).ended == 3
    assert (await counted(numbers, until=NOON + MINUTE)).ended == 1
    assert (await counted(numbers, since=NOON + MINUTE, until=NOON + 2 * MINUTE)).ended == 1
    for period in ({"since": datetime(2026, 3, 1)}, {"until": datetime(2026, 3, 1)}):  # noqa: DTZ001 - the mistake
        with pytest.raises(BadArgument, match="time zone"):
            await numbers.counts(**period)


async def test_a_number_that_goes_to_another_source_keeps_its_past(numbers: CampaignNumbers, clock: Clock) -> None:
    await numbers.started(start(call_id="known"))
    clock.now += DAY
    await numbers.assign(RADIO, "podcast")
    assert await numbers.source(RADIO) == "podcast"
    assert await numbers.started(start()) == "podcast"
    # Both are told after the change; one started before.
    assert await numbers.ended(end(call_id="old", at=clock.now - MINUTE)) == "radio"
    assert await numbers.ended(end(call_id="new", at=clock.now + MINUTE)) == "podcast"
    # When the start of a call was counted, its end goes where that went, whatever the clocks say.
    assert await numbers.ended(end(call_id="known", at=clock.now + MINUTE)) == "radio"
    assert (await counted(numbers)).ended == 2
    assert (await counted(numbers, "podcast")).ended == 1


async def test_a_clock_that_is_a_little_behind_costs_no_call(numbers: CampaignNumbers) -> None:
    assert await numbers.ended(end(call_id="a", at=NOON - MINUTE)) == "radio"
    assert await numbers.ended(end(call_id="b", at=NOON - DAY)) is None  # the number had no source then


async def test_a_number_is_given_back(numbers: CampaignNumbers, clock: Clock) -> None:
    clock.now += DAY
    await numbers.assign(RADIO, None)
    assert await numbers.source(RADIO) is None
    assert await numbers.numbers() == {BILLBOARD: "billboard"}
    assert await numbers.ended(end(at=clock.now)) is None
    clock.now += DAY
    await numbers.assign(RADIO, "radio again")
    assert await numbers.ended(end(call_id="b", at=clock.now)) == "radio again"


async def test_a_source_from_another_day_on(numbers: CampaignNumbers, clock: Clock) -> None:
    await numbers.assign(OTHER, "fair", since=NOON + DAY)
    assert await numbers.source(OTHER) is None
    clock.now += DAY
    assert await numbers.source(OTHER) == "fair"
    await numbers.assign(OTHER, "fair", since=NOON - DAY)  # it was earlier
    assert await numbers.ended(end(OTHER, at=NOON)) == "fair"


async def test_a_program_may_assign_at_every_start(numbers: CampaignNumbers, clock: Clock, tmp_path: Path) -> None:
    for _ in range(3):
        clock.now += MINUTE
        await numbers.assign(RADIO, "radio")
        await numbers.assign("04 234 5671", "radio")  # the same number
        await numbers.assign(OTHER, None)
    with closing(sqlite3.connect(tmp_path / "campaigns.sqlite")) as db:
        assert db.execute("SELECT COUNT(*) FROM campaign_numbers").fetchone() == (2,)


async def test_purge(numbers: CampaignNumbers) -> None:
    await numbers.started(start(call_id="a"))
    await numbers.ended(end(call_id="a"))
    await numbers.ended(end(call_id="b", at=NOON + DAY))
    assert await numbers.purge(NOON + MINUTE) == 1
    assert await counted(numbers) == SourceCounts(source="radio", ended=1, answered=1, talk=timedelta(seconds=16))
    with pytest.raises(BadArgument, match="time zone"):
        await numbers.purge(datetime(2026, 3, 1))  # noqa: DTZ001 - the mistake


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("did", ["042345671", "04 234 5671", "0097142345671", "97142345671"])
async def test_every_spelling_of_a_number(numbers: CampaignNumbers, did: str) -> None:
    assert await numbers.started(start(did)) == "radio"
    assert await numbers.ended(end(did)) == "radio"
    assert await numbers.source(did) == "radio"


async def test_a_number_that_could_be_one_of_several_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    numbers = CampaignNumbers(tmp_path / "c")
    await numbers.assign("+971501234567", "here")
    await numbers.assign("+966501234567", "there")
    assert await numbers.source("00966501234567") == "there"
    assert await numbers.source("971501234567") == "here"
    with caplog.at_level(logging.WARNING, "ziwo_async.webhooks"):
        assert await numbers.source("0501234567") is None
    assert "could be one of several" in caplog.text
    numbers.close()


@pytest.mark.parametrize("text", ["", " ", "a\nb", "x" * 201])
async def test_texts_that_are_refused(numbers: CampaignNumbers, text: str) -> None:
    with pytest.raises(BadArgument):
        await numbers.assign(text, "radio")
    with pytest.raises(BadArgument):
        await numbers.assign(OTHER, text)


async def test_the_file(numbers: CampaignNumbers, tmp_path: Path) -> None:
    assert repr(numbers) == f"<CampaignNumbers {tmp_path / 'campaigns.sqlite'}>"
    with pytest.raises(BadArgument, match="no region"):
        CampaignNumbers(tmp_path / "c", region="Emirates")
    (tmp_path / "open").touch(mode=0o644)
    with pytest.raises(ConfigError, match="campaign numbers"):
        await CampaignNumbers(tmp_path / "open").counts()


async def test_all_tables_may_be_in_one_file_and_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tracker.sqlite"
    for n in range(2):
        masks, numbers, once = MaskingTable(path), CampaignNumbers(path), SqliteOnce(path)
        await numbers.assign(RADIO, "radio", since=NOON - DAY)
        await numbers.ended(end(call_id="a"))
        await masks.pair("+971501111111", "+971502222222", dids=OTHER, expires=DAY)
        assert await once.claim("endCall:a", f"{n}") == ("yours" if n == 0 else "done")
        await once.finish("endCall:a", f"{n}")
        assert (await counted(numbers)).ended == 1
        for table in (masks, numbers, once):
            table.close()


# --- a rehearsal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threaded", [False, True])
async def test_what_is_only_tried_out_is_not_counted(numbers: CampaignNumbers, threaded: bool) -> None:
    tracker = TrackerService(insecure=True)
    rehearsed: list[bool] = []
    if threaded:

        @tracker.on_start
        def plain(start: StartCall) -> Any:
            rehearsed.append(is_rehearsal())
            return call("0505874603")

    else:

        @tracker.on_start
        async def route(start: StartCall) -> Any:
            rehearsed.append(is_rehearsal())
            assert await numbers.started(start) == "radio"
            await numbers.ended(end())
            return call("0505874603")

    with rehearsal():
        assert (await tracker.decide(start())).source == "handler"
    assert (await counted(numbers)) == SourceCounts(source="radio")
    assert (await tracker.decide(start())).source == "handler"
    assert rehearsed == [True, False]
    assert (await counted(numbers)).started == (0 if threaded else 1)
    await tracker.aclose()

"""The masking table: who reaches whom, until when, and never by a guess."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziwo_async import telephone
from ziwo_async.errors import BadArgument, ConfigError, MaskTaken
from ziwo_async.webhooks import Answer, MaskingTable, StartCall, TrackerService, call

DID, DID_2, DID_3 = "+97142345671", "+97142345672", "+97142345673"
CUSTOMER, DRIVER, OFFICE = "+971501111111", "+971502222222", "+97143333333"
OTHER = "+971504444444"
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, step: timedelta) -> None:
        self.now += step


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def table(tmp_path: Path, clock: Clock) -> AsyncIterator[MaskingTable]:
    made = MaskingTable(tmp_path / "masks.sqlite", region="AE", clock=clock)
    yield made
    made.close()


def start(did: str = DID, caller: str | None = None) -> StartCall:
    fields: dict[str, Any] = {"didCalled": did} | ({} if caller is None else {"callerIDNumber": caller})
    return StartCall.of(fields)


async def reaches(table: MaskingTable, caller: str | None, did: str = DID) -> str | None:
    found = await table.find(did, caller)
    return None if found is None else found.number


async def answered(table: MaskingTable, caller: str | None, did: str = DID) -> list[dict[str, Any]] | None:
    answer = await table.rules(start(did, caller))
    return None if answer is None else [rule.to_dict() for rule in answer.rules]


# --- a pair -----------------------------------------------------------------------------------------------------------


async def test_both_call_the_same_number_and_each_sees_nothing_but_it(table: MaskingTable) -> None:
    pair = await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    assert pair.did == DID
    there, back = await answered(table, CUSTOMER), await answered(table, DRIVER)
    assert there == [{"action": "call", "number": DRIVER, "callerID": DID, "timeout": 20}]
    assert back == [{"action": "call", "number": CUSTOMER, "callerID": DID, "timeout": 20}]


async def test_a_stranger_and_another_number_reach_nobody(table: MaskingTable) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    assert await table.rules(start(DID, OTHER)) is None
    assert await table.rules(start(DID_2, CUSTOMER)) is None
    assert await table.rules(start(DID, DID)) is None


@pytest.mark.parametrize("spelling", ["0501111111", "00971501111111", "971501111111", "+971 50 111 1111"])
async def test_every_spelling_of_a_caller_and_of_a_number_of_ours(table: MaskingTable, spelling: str) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    # What is shown is written as ZIWO wrote it.
    assert await answered(table, spelling, "042345671") == [
        {"action": "call", "number": DRIVER, "callerID": "042345671", "timeout": 20}
    ]


async def test_without_the_extra_the_last_digits_tell(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    telephone._has_rules.cache_clear()
    try:
        table = MaskingTable(tmp_path / "masks.sqlite", clock=clock)
        await table.pair(CUSTOMER, DRIVER, dids="042345671", expires=HOUR)
        assert await reaches(table, "0501111111", "042345671") == DRIVER
        assert await reaches(table, "0501111111", DID) is None  # 4 234 5671 and 04 234 5671: nine digits differ
        table.close()
    finally:
        telephone._has_rules.cache_clear()


async def test_a_second_pair_of_one_of_them_gets_another_number(table: MaskingTable) -> None:
    first = await table.pair(CUSTOMER, DRIVER, dids=[DID, DID_2], expires=HOUR)
    second = await table.pair(OTHER, DRIVER, dids=[DID, DID_2], expires=HOUR)
    assert (first.did, second.did) == (DID, DID_2)
    assert await reaches(table, DRIVER, DID) == CUSTOMER
    assert await reaches(table, DRIVER, DID_2) == OTHER
    with pytest.raises(MaskTaken) as caught:
        await table.pair("+971505555555", DRIVER, dids=[DID, DID_2], expires=HOUR)
    assert caught.value.dids == (DID, DID_2)
    assert not caught.value.retryable
    assert DRIVER not in str(caught.value)
    assert len(await table.all()) == 4  # nothing was written: not one direction either


async def test_others_share_the_number(table: MaskingTable) -> None:
    for n in range(5):
        pair = await table.pair(f"+97150111000{n}", f"+97150222000{n}", dids=[DID, DID_2], expires=HOUR)
        assert pair.did == DID
    assert await reaches(table, "+971501110003") == "+971502220003"


async def test_the_same_pair_again_stays_on_its_number_and_is_renewed(table: MaskingTable, clock: Clock) -> None:
    await table.pair(OTHER, DRIVER, dids=DID, expires=2 * HOUR)
    first = await table.pair(CUSTOMER, DRIVER, dids=[DID, DID_2], expires=HOUR)
    clock.forward(HOUR / 2)
    again = await table.pair("0502222222", "0501111111", dids=[DID_3, DID, DID_2], expires=HOUR)
    assert first.did == again.did == DID_2
    assert again.expires == clock.now + HOUR
    clock.forward(HOUR * 0.9)
    assert await reaches(table, DRIVER, DID_2) in {CUSTOMER, "0501111111"}
    assert len(await table.all(did=DID_2)) == 2


async def test_of_several_the_one_not_used_for_the_longest_time(table: MaskingTable, clock: Clock) -> None:
    """Who calls yesterday's number again reaches nobody new, as long as there is a choice."""
    dids = [DID, DID_2, DID_3]
    used = []
    for n in range(5):
        pair = await table.pair(f"+97150111000{n}", DRIVER, dids=dids, expires=HOUR)
        used.append(pair.did)
        clock.forward(HOUR + timedelta(seconds=1)) if n % 2 else await table.unpair(DRIVER, pair.one)
        clock.forward(timedelta(seconds=1))
    assert used == [DID, DID_2, DID_3, DID, DID_2]


async def test_the_end_of_a_pair(table: MaskingTable, clock: Clock) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    await table.add(DID_2, DRIVER, caller=OTHER)
    assert await table.unpair("0502222222", CUSTOMER) == 2
    assert await table.unpair(DRIVER, CUSTOMER) == 0
    assert await reaches(table, CUSTOMER) is None
    assert await reaches(table, OTHER, DID_2) == DRIVER
    clock.forward(-timedelta(minutes=30))  # somebody sets the clock back
    assert await reaches(table, CUSTOMER) is None
    assert await reaches(table, DRIVER) is None


# --- until when -------------------------------------------------------------------------------------------------------


async def test_a_row_counts_until_its_moment_and_not_in_it(table: MaskingTable, clock: Clock) -> None:
    mask = await table.add(DID, DRIVER, caller=CUSTOMER, expires=HOUR)
    assert mask.expires == clock.now + HOUR
    clock.forward(HOUR - timedelta(microseconds=1))
    assert await reaches(table, CUSTOMER) == DRIVER
    clock.forward(timedelta(microseconds=1))
    assert await reaches(table, CUSTOMER) is None
    assert await table.all() == []
    assert not await table.remove(DID, caller=CUSTOMER)


async def test_a_row_that_is_over_is_no_obstacle(table: MaskingTable, clock: Clock) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    clock.forward(HOUR)
    await table.pair(OTHER, DRIVER, dids=DID, expires=HOUR)
    assert await reaches(table, DRIVER) == OTHER
    assert await reaches(table, CUSTOMER) is None


async def test_a_moment_in_another_zone(table: MaskingTable, clock: Clock) -> None:
    dubai = timezone(timedelta(hours=4))
    mask = await table.add(DID, DRIVER, expires=datetime(2026, 3, 1, 17, tzinfo=dubai))
    assert mask.expires == clock.now + HOUR
    assert (await table.all()) == [mask]


@pytest.mark.parametrize(
    "expires",
    [
        timedelta(),
        -HOUR,
        datetime(2026, 3, 1, 12, tzinfo=UTC),
        datetime(2026, 4, 1, 12),  # noqa: DTZ001 - that is the mistake
        timedelta.max,
    ],
)
async def test_a_moment_that_is_none(table: MaskingTable, expires: Any) -> None:
    with pytest.raises(BadArgument, match="expires"):
        await table.add(DID, DRIVER, expires=expires)
    with pytest.raises(BadArgument, match="expires"):
        await table.pair(CUSTOMER, DRIVER, dids=DID, expires=expires)


async def test_numbers_are_forgotten(table: MaskingTable, clock: Clock, tmp_path: Path) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    await table.add(DID_2, OFFICE)
    clock.forward(HOUR + timedelta(days=1))
    await table.add(DID_3, OFFICE)  # which forgets what ended a day ago
    table.close()
    assert CUSTOMER.encode() not in (tmp_path / "masks.sqlite").read_bytes()
    assert [mask.did for mask in await table.all()] == [DID_2, DID_3]


async def test_purge(table: MaskingTable, clock: Clock) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    await table.pair(OTHER, DRIVER, dids=DID_2, expires=HOUR)
    await table.add(DID_3, OFFICE)
    await table.unpair(OTHER, DRIVER)
    assert await table.purge() == 2
    clock.forward(HOUR)
    assert await table.purge() == 2
    assert await table.purge() == 0
    assert [mask.did for mask in await table.all()] == [DID_3]


# --- who is not known -------------------------------------------------------------------------------------------------

HIDDEN = [None, "", " ", "anonymous", "Anonymous", "unknown", "restricted", "+", "0", "0000000000", "\u0660\u0660"]


@pytest.mark.parametrize("caller", HIDDEN)
async def test_a_hidden_caller_is_connected_with_nobody_in_particular(table: MaskingTable, caller: str | None) -> None:
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    assert await answered(table, caller) is None
    await table.add(DID, OFFICE)
    assert await answered(table, caller) == [{"action": "call", "number": OFFICE, "callerID": DID, "timeout": 20}]


async def test_a_row_for_everybody_stands_back_behind_those_of_one_caller(table: MaskingTable) -> None:
    await table.add(DID, OFFICE)
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    assert await reaches(table, CUSTOMER) == DRIVER
    assert await reaches(table, OTHER) == OFFICE


async def test_where_no_caller_is_told_each_side_has_a_number(table: MaskingTable) -> None:
    """The one-way masking that works with the documented request."""
    await table.add(DID, DRIVER, caller_id=DID_2, expires=HOUR)
    await table.add(DID_2, CUSTOMER, caller_id=DID, expires=HOUR)
    assert await answered(table, None, DID) == [{"action": "call", "number": DRIVER, "callerID": DID_2, "timeout": 20}]
    assert await answered(table, None, DID_2) == [
        {"action": "call", "number": CUSTOMER, "callerID": DID, "timeout": 20}
    ]


async def test_nobody_is_connected_with_themselves(table: MaskingTable) -> None:
    await table.add(DID, DRIVER)
    assert await table.rules(start(DID, "0502222222")) is None
    assert await reaches(table, DRIVER) == DRIVER


async def test_of_two_whom_a_caller_could_be_neither_is_taken(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    table = MaskingTable(tmp_path / "masks.sqlite", clock=clock)  # no region: which country 050... is of is not known
    emirates, saudi = "+971501111111", "+966501111111"
    await table.add(DID, DRIVER, caller=emirates)
    await table.add(DID, OTHER, caller=saudi)
    assert await reaches(table, emirates) == DRIVER
    assert await reaches(table, saudi) == OTHER
    with caplog.at_level(logging.WARNING, "ziwo_async.webhooks"):
        assert await reaches(table, "0501111111") is None
    assert "none of them was taken" in caplog.text
    assert "501111111" not in caplog.text
    await table.add(DID, OFFICE)
    assert await reaches(table, "0501111111") == OFFICE  # as from somebody who is not known

    assert await reaches(table, "971501111111") == DRIVER  # no country is named, but the digits are the same
    assert await table.remove(DID, caller="966501111111")
    assert await reaches(table, "0501111111") == DRIVER
    table.close()


async def test_agents_and_other_short_numbers(table: MaskingTable) -> None:
    await table.add(DID, "5555", caller="0011")
    assert await reaches(table, "0011") == "5555"
    assert await reaches(table, "11") is None


# --- rows -------------------------------------------------------------------------------------------------------------


async def test_a_row_with_everything(table: MaskingTable) -> None:
    mask = await table.add(DID, DRIVER, caller=CUSTOMER, expires=HOUR, caller_id=DID_2, timeout=7)
    assert await table.find(DID, CUSTOMER) == mask
    assert await answered(table, CUSTOMER) == [{"action": "call", "number": DRIVER, "callerID": DID_2, "timeout": 7}]


async def test_add_refuses_to_lead_somebody_elsewhere_unless_told(table: MaskingTable) -> None:
    await table.add(DID, DRIVER, caller=CUSTOMER)
    await table.add("042345671", "0502222222", caller="0501111111", timeout=9)  # the same again: renewed
    assert [mask.timeout for mask in await table.all()] == [9]
    with pytest.raises(MaskTaken, match="reaches somebody else"):
        await table.add(DID, OTHER, caller=CUSTOMER)
    assert await reaches(table, CUSTOMER) == "0502222222"
    await table.add(DID, OTHER, caller=CUSTOMER, replace=True)
    assert [mask.number for mask in await table.all()] == [OTHER]
    await table.add(DID, OFFICE)
    with pytest.raises(MaskTaken):
        await table.add(DID, DRIVER)


async def test_remove(table: MaskingTable) -> None:
    await table.add(DID, OFFICE)
    await table.add(DID, DRIVER, caller=CUSTOMER)
    assert not await table.remove(DID, caller=OTHER)
    assert await table.remove("04 234 5671", caller="0501111111")
    assert await reaches(table, CUSTOMER) == OFFICE
    assert await table.remove(DID)
    assert await reaches(table, CUSTOMER) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"did": DID, "number": ""},
        {"did": " ", "number": DRIVER},
        {"did": DID, "number": "0502222222\r\nX: y"},
        {"did": DID, "number": "5" * 65},
        {"did": DID, "number": DRIVER, "caller": "anonymous"},
        {"did": DID, "number": DRIVER, "caller": ""},
        {"did": DID, "number": DRIVER, "caller": "0000"},
        {"did": DID, "number": DRIVER, "caller": "0502222222"},  # themselves
        {"did": DID, "number": "042345671"},  # a circle
        {"did": DID, "number": DRIVER, "caller_id": "0502222222"},  # shows whom the driver is
        {"did": DID, "number": DRIVER, "caller": CUSTOMER, "caller_id": CUSTOMER},  # shows the customer
        {"did": DID, "number": DRIVER, "timeout": 0},
        {"did": DID, "number": DRIVER, "caller_id": ""},
    ],
)
async def test_rows_that_are_refused(table: MaskingTable, arguments: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        await table.add(**arguments)
    assert await table.all() == []


async def test_a_pair_is_never_for_ever(table: MaskingTable) -> None:
    with pytest.raises(BadArgument, match="needs a time"):
        await table.pair(CUSTOMER, DRIVER, dids=DID, expires=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "dids"),
    [(CUSTOMER, "0501111111", DID), (CUSTOMER, DRIVER, []), (CUSTOMER, "anonymous", DID), (CUSTOMER, DRIVER, CUSTOMER)],
)
async def test_pairs_that_are_refused(table: MaskingTable, one: str, other: str, dids: Any) -> None:
    with pytest.raises(BadArgument):
        await table.pair(one, other, dids=dids, expires=HOUR)
    assert await table.all() == []


def test_a_table_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="no region"):
        MaskingTable(tmp_path / "m", region="Emirates")
    for keep in (-HOUR, timedelta.max):
        with pytest.raises(BadArgument, match="keep"):
            MaskingTable(tmp_path / "m", keep=keep)


async def test_no_number_is_shown_by_the_table(table: MaskingTable, tmp_path: Path) -> None:
    await table.add(DID, DRIVER)
    assert repr(table) == f"<MaskingTable {tmp_path / 'masks.sqlite'}>"


async def test_the_file_is_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "m").touch(mode=0o644)
    with pytest.raises(ConfigError, match="masked numbers"):
        await MaskingTable(tmp_path / "m").add(DID, DRIVER)


async def test_a_table_that_cannot_be_read_loses_no_call(table: MaskingTable, tmp_path: Path) -> None:
    tracker = TrackerService(insecure=True, fallback=[call(OFFICE)])

    @tracker.on_start
    async def route(start: StartCall) -> Answer | None:
        return await table.rules(start)

    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    assert (await tracker.decide(start(DID, CUSTOMER))).answer.rules[0].number == DRIVER
    unknown = await tracker.decide(start(DID, OTHER))
    assert (unknown.source, unknown.answer.rules[0].number) == ("fallback", OFFICE)
    with closing(sqlite3.connect(tmp_path / "masks.sqlite")) as db:
        db.execute("DROP TABLE masks")
    broken = await tracker.decide(start(DID, CUSTOMER))
    assert (broken.source, broken.problem) == ("fallback", "the handler failed: StoreError")
    assert broken.answer.rules[0].number == OFFICE
    await tracker.aclose()


# --- restarts, and many at once ---------------------------------------------------------------------------------------


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    table = MaskingTable(tmp_path / "masks.sqlite", region="AE")
    await table.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)
    killed = f"""
import asyncio, os
from datetime import timedelta
from ziwo_async.webhooks.masking import MaskingTable

async def main():
    await MaskingTable({str(tmp_path / "masks.sqlite")!r}).pair("+9611", "+9612", dids={DID!r}, expires=timedelta(1))
    os._exit(9)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", killed)
    assert await asyncio.wait_for(process.wait(), 30) == 9
    table.close()
    again = MaskingTable(tmp_path / "masks.sqlite", region="AE")
    assert await reaches(again, CUSTOMER) == DRIVER
    assert await reaches(again, "+9612") == "+9611"
    again.close()


async def test_many_who_want_one_driver_at_once_get_a_number_each_or_none(tmp_path: Path) -> None:
    tables = [MaskingTable(tmp_path / "masks.sqlite") for _ in range(4)]  # as in four processes
    wanted = [f"+9715011100{n:02d}" for n in range(24)]
    results = await asyncio.gather(
        *(
            tables[n % 4].pair(customer, DRIVER, dids=[DID, DID_2, DID_3], expires=HOUR)
            for n, customer in enumerate(wanted)
        ),
        return_exceptions=True,
    )
    pairs = [result for result in results if not isinstance(result, BaseException)]
    assert sorted(pair.did for pair in pairs) == [DID, DID_2, DID_3]
    assert sum(isinstance(result, MaskTaken) for result in results) == 21
    for pair in pairs:
        assert await reaches(tables[0], DRIVER, pair.did) == pair.one
        assert await reaches(tables[1], pair.one, pair.did) == DRIVER
    for table in tables:
        table.close()


async def test_calls_are_answered_while_pairs_are_made(tmp_path: Path) -> None:
    one, other = MaskingTable(tmp_path / "masks.sqlite"), MaskingTable(tmp_path / "masks.sqlite")
    await one.pair(CUSTOMER, DRIVER, dids=DID, expires=HOUR)

    async def make() -> None:
        for n in range(20):
            await one.pair(f"+9715011100{n:02d}", f"+9715022200{n:02d}", dids=DID, expires=HOUR)

    making = asyncio.create_task(make())
    while not making.done():
        assert await reaches(other, CUSTOMER) == DRIVER
    await making
    one.close()
    other.close()


# --- properties -------------------------------------------------------------------------------------------------------

PEOPLE = [f"+97150{n}000000" for n in range(1, 5)]
DIDS = [DID, DID_2]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pair"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 3)),
        st.tuples(st.just("unpair"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.just(""), st.integers(1, 2)),
        st.tuples(st.just("purge"), st.just(""), st.just(""), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(steps=steps)
def test_a_pair_is_always_mutual(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str, int]]
) -> None:
    asyncio.run(live(MaskingTable(tmp_path_factory.mktemp("m") / "m", clock=(clock := Clock())), clock, steps))


async def live(table: MaskingTable, clock: Clock, steps: list[tuple[str, str, str, int]]) -> None:
    known: dict[frozenset[str], tuple[str, datetime]] = {}
    for kind, one, other, hours in steps:
        both = frozenset((one, other))
        if kind == "pair" and one != other:
            known = {pair: where for pair, where in known.items() if where[1] > clock.now}
            try:
                pair = await table.pair(one, other, dids=DIDS, expires=hours * HOUR)
                assert both not in known or known[both][0] == pair.did
                known[both] = pair.did, pair.expires
            except MaskTaken:
                taken = {did for pair, (did, _) in known.items() if pair & both}
                assert taken == set(DIDS)
        elif kind == "unpair":
            await table.unpair(one, other)
            known.pop(both, None)
        elif kind == "wait":
            clock.forward(hours * HOUR)
        elif kind == "purge":
            await table.purge()
    expected = {
        (did, a): b
        for pair, (did, end) in known.items()
        if end > clock.now
        for a, b in (tuple(pair), tuple(reversed(tuple(pair))))
    }
    found = {(mask.did, mask.caller): mask.number for mask in await table.all()}
    assert found == expected
    table.close()

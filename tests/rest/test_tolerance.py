"""Records that are not quite what they are known to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from ziwo_async.errors import DecodeError
from ziwo_async.rest.envelope import Reply
from ziwo_async.rest.models.base import Model, Open, Seconds, Utc, parse, parse_rows


class Thing(Model):
    firm: ClassVar[frozenset[str]] = frozenset({"ccLogin"})

    id: int
    made_at: Utc = None
    lasted: Seconds = None
    cc_login: str | None = None
    extended_info: Open = None


def one(content) -> Thing:
    return parse(Thing, Reply(content=content, info={}, status=200), method="GET", path="/thing")


def rows(content) -> list[Thing]:
    return parse_rows(Thing, Reply(content=content, info={}, status=200), method="GET", path="/things")


def test_a_field_that_cannot_be_read_costs_neither_the_record_nor_what_was_sent(caplog):
    thing = one({"id": 1, "madeAt": "yesterday", "lasted": {"s": 1}, "ccLogin": 7, "new": True})
    assert (thing.made_at, thing.lasted, thing.cc_login) == (None, None, "7")
    assert thing.unreadable == {"madeAt": "yesterday", "lasted": {"s": 1}}
    assert thing.model_extra is not None
    assert thing.model_extra["new"] is True
    assert "could not read lasted, madeAt" in caplog.text
    assert "yesterday" not in caplog.text


def test_a_record_that_reads_well_has_nothing_unreadable():
    assert one({"id": 1}).unreadable == {}


@pytest.mark.parametrize("content", [{"id": "x"}, {"id": None}, {"madeAt": "x"}, {"id": 1, "ccLogin": {"CANARY": 1}}])
def test_what_makes_it_a_record_must_be_right(content):
    with pytest.raises(DecodeError) as caught:
        one(content)
    assert caught.value.path == "/thing"
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-01-02T03:04:05.678Z", datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T07:04:05+04:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (1_767_323_045, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_moments_are_utc(sent, read):
    made = one({"id": 1, "madeAt": sent}).made_at
    assert made == read
    assert made is None or made.tzinfo is UTC


@pytest.mark.parametrize(("sent", "read"), [(90, 90), (1.5, 1.5), ("12", 12), ("", None), (0, 0)])
def test_lengths_are_seconds(sent, read):
    assert one({"id": 1, "lasted": sent}).lasted == (None if read is None else timedelta(seconds=read))


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ([{"id": 1}, {"id": 2}], [1, 2]),
        ({"1": {"id": 1}, "2": {"id": 2}}, [1, 2]),
        ({"id": 5, "ccLogin": "x"}, [5]),
        ([], []),
        (None, []),
        ({}, []),
    ],
)
def test_a_list_in_every_shape_that_servers_send(content, ids):
    assert [thing.id for thing in rows(content)] == ids


@pytest.mark.parametrize(
    ("content", "words"),
    [("text", "not a list"), (5, "not a list"), ([{"id": 1}, "x"], "record 1: it is not"), ([{"id": "x"}], "record 0")],
)
def test_a_list_that_is_none(content, words):
    with pytest.raises(DecodeError, match=words):
        rows(content)


def test_secrets_are_hidden_at_any_depth_and_none_stays_none():
    thing = one(
        {
            "id": 1,
            "extendedInfo": {"agents": [{"ccPassword": "CANARY", "ccLogin": "0011"}], "api_key": None},
            "position": {"Access-Token": "CANARY", "deep": [[{"startRequestAPIKey": "CANARY"}]]},
            "lasted": {"password": "CANARY"},
        }
    )
    for shown in (repr(thing), str(thing), thing.model_dump_json(), repr(thing.model_dump()), repr(thing.unreadable)):
        assert "CANARY" not in shown
    assert isinstance(thing.extended_info, dict)
    assert thing.extended_info["api_key"] is None

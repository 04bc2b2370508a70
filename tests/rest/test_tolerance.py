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


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", 1e300, 10**30])
def test_a_moment_outside_of_the_calendar_costs_the_field_only(sent):
    thing = one({"id": 1, "madeAt": sent})
    assert thing.made_at is None
    assert thing.unreadable == {"madeAt": sent}


@pytest.mark.parametrize("sent", [5, "x", None, [1], {"other": 1}])
def test_a_field_of_the_server_that_is_called_unreadable(sent):
    thing = one({"id": 1, "unreadable": sent})
    assert thing.unreadable == {}
    assert thing.model_extra == {"unreadable": sent}


@pytest.mark.parametrize(("sent", "read"), [(90, 90), (1.5, 1.5), ("12", 12), ("", None), (0, 0)])
def test_lengths_are_seconds(sent, read):
    assert one({"id": 1, "lasted": sent}).lasted == (None if read is None else timedelta(seconds=read))


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ([{"id": 1}, {"id": 2}], [1, 2]),
        ({"1": {"id": 1}, "2": {"id": 2}}, [1, 2]),
        ({"1": {"ccLogin": "x"}, "2": {"id": 3}}, [1, 3]),
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


@pytest.mark.parametrize(
    "name",
    [
        "ccPassword", "vertoPassword", "new_password", "token", "refreshToken", "access_token", "CSRF-Token", "secret",
        "clientSecret", "api_key", "startRequestAPIKey", "signedUrl", "sessid", "Authorization", "passwd",
    ],
)  # fmt: skip
def test_what_is_called_like_a_secret_is_one(name):
    thing = one({"id": 1, name: "CANARY", "deep": [{name: ["CANARY"]}]})
    assert "CANARY" not in f"{thing!r} {thing.model_dump_json()}"


@pytest.mark.parametrize("name", ["passwordChangedAt", "tokens_used", "keyword", "secretary", "position"])
def test_what_is_called_otherwise_is_none(name):
    assert one({"id": 1, name: "seen"}).model_extra == {name: "seen"}


def test_a_flag_is_no_secret():
    assert one({"id": 1, "needsPassword": True, "token": None}).model_extra == {"needsPassword": True, "token": None}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("https://h.example/x?access_token=CANARY&size=3", "https://h.example/x?access_token=***&size=3"),
        ("see https://u:CANARY@h.example:8080/a@b end", "see https://***@h.example:8080/a@b end"),
        ("//u:CAN@ARY@h/x", "//***@h/x"),
        ("https://s3.example/x?X-Amz-Signature=CANARY&a=b#token=CANARY", None),
        ("/storage/x?a=1;apiKey=CANARY;CANARY;b=2", "/storage/x?a=1;apiKey=***;b=2"),
        ("https://h.example/photo?size=3#top", "https://h.example/photo?size=3#top"),
        ("1 = 2 // no address", "1 = 2 // no address"),
    ],
)
def test_credentials_in_addresses(sent, shown):
    thing = one({"id": 1, "photoUrl": sent, "extendedInfo": {"links": [sent]}})
    assert "CANARY" not in f"{thing!r} {thing.model_dump_json()}"
    if shown is not None:
        assert thing.model_extra == {"photoUrl": shown}
        assert thing.extended_info == {"links": [shown]}

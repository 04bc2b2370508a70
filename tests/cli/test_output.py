"""Tables, JSON lines and CSV, whatever a server puts into them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from ziwo_async import HookUrl
from ziwo_async.cli.output import Column, local, show_fields, show_json_object, show_with, span, told, utc


class Record(BaseModel):
    text: str = ""
    secret: SecretStr | None = None
    hook: HookUrl | None = None
    at: datetime | None = None
    length: timedelta | None = None


COLUMNS: tuple[Column[Record], ...] = (
    Column("text", lambda record: record.text, 6),
    Column("more", lambda record: None),
)


def in_csv(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    shown = show_with(COLUMNS, "csv")
    shown.row(Record(text=text))
    shown.end()
    header, row = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
    assert header == ["text", "more"]
    assert row[1] == ""
    return row[0]


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "+97 15", "+", "+1;=2"])
def test_a_formula_becomes_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_csv(text, capsys).startswith("'")


@pytest.mark.parametrize(
    "text", ["", "+971500000000", "00971500000000", 'Ann, "the" Agent', "a=b", "0011", " =x", "مرحبا"]
)
def test_what_is_no_formula_stays_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_csv(text, capsys) == text


@given(st.text())
@example("\u2028=1")
@example("\x00")
def test_no_text_breaks_a_table_a_line_of_json_or_csv(text: str) -> None:
    for form in ("table", "json", "csv"):
        out = io.StringIO(newline="")
        with contextlib.redirect_stdout(out):
            shown = show_with(COLUMNS, form)
            shown.row(Record(text=text))
            shown.end()
        written = out.getvalue()
        assert all(letter.isprintable() or letter in "\r\n" for letter in written)
        if form == "json":
            assert json.loads(written) == {"text": text}
        elif form == "csv":
            assert len(written.splitlines()) == 2
            ((_, _), (cell, _)) = csv.reader(io.StringIO(written, newline=""))
            assert not cell.startswith(("=", "-", "@")) or cell == ""
        else:
            assert written.count("\n") == 2


def test_a_table_is_measured_and_nothing_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    shown = show_with(COLUMNS, "table", measured=1)
    shown.row(Record(text="a" * 9))
    assert capsys.readouterr().out == ""
    shown.row(Record(text="b" * 10))
    shown.row(Record(text="c" * 200))
    shown.end()
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == f"{'text':<10}  more"
    assert rows == ["a" * 9, "b" * 10, "c" * 200]


def test_a_table_of_known_width_is_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = show_with(COLUMNS, "table")
    shown.row(Record(text="a"))
    assert capsys.readouterr().out == "text    more\na\n"


def test_json_hides_secrets_and_has_moments_in_utc_and_lengths_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for length, seconds in ((timedelta(seconds=65), 65), (timedelta(milliseconds=1500), 1.5)):
        record = Record(secret=SecretStr("canary"), hook=HookUrl("https://u:canary@h/"), at=at, length=length)
        show_json_object(told(record))
        assert json.loads(capsys.readouterr().out) == {
            "secret": "**********",
            "hook": "https://***@h/",
            "at": "2026-03-01T12:00:00Z",
            "length": seconds,
        }
    with pytest.raises(TypeError, match="object is not JSON"):
        show_json_object(object())


def test_fields_without_a_value_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields({"name": "[red]x\x1b", "empty": "", "none": None})
    assert capsys.readouterr().out == "name   [red]x\N{REPLACEMENT CHARACTER}\n"
    show_fields({})
    assert capsys.readouterr().out == ""


def test_cells() -> None:
    assert [span(timedelta(seconds=n)) for n in (0, 65, 3723)] == ["0:00", "1:05", "1:02:03"]
    assert span(None) == local(None) == ""
    assert utc(None) is None

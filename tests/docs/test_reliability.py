"""The tables of `docs/explanation/reliability.md`: every row names a test, and every test that is named exists."""

from __future__ import annotations

import ast
import re

import pytest

from .blocks import ROOT

PAGE = ROOT / "docs" / "explanation" / "reliability.md"
COLUMNS = ["fault", "what your program sees", "within", "test"]
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def tables() -> list[list[list[str]]]:
    """The cells of each table, headings first."""
    found: list[list[list[str]]] = [[]]
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def rows() -> list[list[str]]:
    return [row for table in tables() for row in table[2:]]


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_table_has_the_same_columns() -> None:
    assert len(tables()) > 4
    assert all(table[0] == COLUMNS for table in tables())
    assert all(len(row) == len(COLUMNS) for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_row_says_what_is_seen_and_names_tests_that_exist(row: list[str]) -> None:
    assert row[1]
    if row[3] == "the same":
        return
    named = NAMED.findall(row[3])
    assert named
    assert NAMED.sub("", row[3]).strip() == ""
    for file, name in named:
        assert name in functions(file), f"tests/{file} has no {name}"


def test_every_test_of_a_stated_time_and_of_a_known_failure_has_its_row() -> None:
    named = {name for row in rows() for _, name in NAMED.findall(row[3])}
    for file in ("test_times.py", "test_ends.py", "test_calls.py"):
        tests = {name for name in functions(f"regressions/{file}") if name.startswith("test_")}
        assert tests <= named, tests - named

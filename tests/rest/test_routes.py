"""The table of docs/reference/routes.md: true to the docstrings, and each row seen at work over a real socket."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import ziwo_async
from ziwo_async.rest.api import RestApi

from .scene import AT_WORK, Scene, scene_in

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "routes.md"
REST = Path(ziwo_async.__file__).parent / "rest"
ATTRIBUTE_OF = {"own_agent": "agent"}
_ROW = re.compile(r"^\| `(?P<route>[A-Z]+ /\S*)` \| (?P<methods>[^|]+) \| (?P<source>[^|]+) \|$", re.MULTILINE)
_CLAIM = re.compile(r"\((`(?:GET|POST|PUT|DELETE) /[^)]*?); sources?: [^)]*\)")


def rows() -> dict[str, set[str]]:
    """Route -> the methods that the page names."""
    return {
        row["route"]: {name.strip("` ") for name in row["methods"].split(",")}
        for row in _ROW.finditer(PAGE.read_text(encoding="utf-8"))
    }


def claims() -> dict[str, set[str]]:
    """Route -> the methods of resources whose docstrings name it."""
    resources = {name for name, value in vars(RestApi).items() if not name.startswith("_") and name != "request"}
    found: dict[str, set[str]] = {}
    for file in REST.glob("*.py"):
        attribute = ATTRIBUTE_OF.get(file.stem, file.stem)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and attribute in resources:
                words = " ".join((ast.get_docstring(node) or "").split())
                for claim in _CLAIM.finditer(words):
                    for route in re.findall(r"`([A-Z]+ /[^`]*)`", claim[1]):
                        found.setdefault(route, set()).add(f"{attribute}.{node.name}")
    return found


def test_the_page_says_what_the_docstrings_say() -> None:
    assert rows() == claims()
    assert len(rows()) > 50


def test_every_resource_says_which_routes_it_calls() -> None:
    told = {name for names in claims().values() for name in names}
    silent = []
    for file in REST.glob("*.py"):
        attribute = ATTRIBUTE_OF.get(file.stem, file.stem)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or not any(
                isinstance(base, ast.Name) and base.id == "Resource" for base in node.bases
            ):
                continue
            silent += [
                f"{attribute}.{item.name}"
                for item in node.body
                if isinstance(item, ast.AsyncFunctionDef | ast.FunctionDef)
                and not item.name.startswith("_")
                and f"{attribute}.{item.name}" not in told
            ]
    assert silent == []


# --- each row at work -----------------------------------------------------------------------------------------------


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_in(tmp_path) as made:
        yield made


def test_every_row_has_a_case() -> None:
    assert set(AT_WORK) == set(rows())


@pytest.mark.parametrize("route", AT_WORK)
async def test_the_route_at_work(route: str, scene: Scene) -> None:
    method, _, path = route.partition(" ")
    somewhere = re.sub(r"[{]\w+[}]", "[^/]+", path)
    pattern = re.compile(rf"{method} {somewhere} 2[0-9][0-9]")
    before = len(scene.simulator.journal)
    await AT_WORK[route](scene)
    lines = [entry.text for entry in list(scene.simulator.journal) if entry.kind == "http"]
    if route != "POST /auth/login":
        lines = [entry.text for entry in list(scene.simulator.journal)[before:] if entry.kind == "http"]
    assert [line for line in lines if pattern.fullmatch(line)], lines

"""The distribution itself: what is installed, and what the files around it promise."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_the_installed_version_is_the_one_of_the_tree():
    assert distribution("ziwo-async").version == project()["version"]


def test_the_package_is_typed():
    assert files("ziwo_async").joinpath("py.typed").is_file()


def test_the_entry_points_lead_somewhere():
    assert callable(entry_points(group="console_scripts")["ziwo"].load())
    assert entry_points(group="pytest11")["ziwo_async"].load().__name__ == "ziwo_async.testing.plugin"


def test_pins_are_versions_and_nothing_else():
    for name, version in pins().items():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        assert re.fullmatch(r"[0-9][0-9A-Za-z.!+-]*", version)


@pytest.mark.parametrize("dependency", [str(item) for item in project()["dependencies"]])  # type: ignore[attr-defined]
def test_every_runtime_dependency_has_a_floor_and_a_pin(dependency):
    match = re.fullmatch(r"([a-z-]+)>=([0-9.]+)", dependency)
    assert match is not None
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins().items()}[match[1]]
    assert [int(part) for part in pinned.split(".")] >= [int(part) for part in match[2].split(".")]

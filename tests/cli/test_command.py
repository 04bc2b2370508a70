"""The command as such: its entry points, `--version`, `--help`, and what happens without the extra."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

from typer.testing import CliRunner

import ziwo_async
from ziwo_async.cli.app import app

from .kit import ZIWO, finished


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"ziwo_async {ziwo_async.__version__}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(f" {name} " in result.stdout for name in ("demo", "simulate", "listen", "dial", "flow"))


def test_no_command_takes_a_password() -> None:
    for name in ("demo", "simulate", "listen", "dial", "flow"):
        assert "password" not in CliRunner().invoke(app, [name, "--help"]).stdout.lower()


def test_the_console_script_is_declared() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="ziwo")
    assert script.load() is ziwo_async.cli.main


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    code, refused = await finished(*ZIWO, "demo", env={"PYTHONPATH": str(tmp_path)})
    assert code == 2
    assert refused.errors == (
        'ziwo: the command line needs typer, which is not installed: pip install "ziwo-async[cli]"'
    )


async def test_another_missing_module_is_not_taken_for_the_extra(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'other'\", name='other')")
    code, refused = await finished(*ZIWO, "demo", env={"PYTHONPATH": str(tmp_path)})
    assert code == 1
    assert "No module named 'other'" in refused.errors


async def test_it_imports_nothing_of_the_servers_for_a_client_command() -> None:
    code, told = await finished(
        sys.executable, "-c", "import ziwo_async.cli, sys; print(sorted(m for m in sys.modules if 'typer' in m))"
    )
    assert (code, told.out) == (0, ["[]"])

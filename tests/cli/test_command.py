"""The command as such: its entry points, `--version`, `--help`, and what happens without the extra."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import ziwo_async
from ziwo_async.cli.app import app

from .kit import ROOT, ZIWO, clean_environment, finished


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"ziwo_async {ziwo_async.__version__}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    named = re.findall(r"^\W+([a-z]+)  +[A-Z]", result.stdout, re.MULTILINE)
    assert named == [
        "demo", "simulate", "embed",
        "login", "logout", "whoami", "ping", "doctor",
        "listen", "dial", "eavesdrop", "status",
        "history", "agents", "queues", "numbers", "wallboard", "live", "recording", "trackers",
        "flow", "replay",
    ]  # fmt: skip


def commands(group: Any = None, *path: str) -> Iterator[tuple[str, Any]]:
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join((*path, name)), command


def test_no_command_takes_a_secret_as_an_argument() -> None:
    found = dict(commands())
    assert len(found) == 39
    for name, command in found.items():
        for parameter in command.params:
            if re.search("pass|token|key|secret", parameter.name):
                assert parameter.is_flag, f"{name} {parameter.name}"


def test_every_command_and_every_option_has_a_help() -> None:
    for name, command in commands():
        assert command.help, name
        for parameter in command.params:
            assert parameter.name == "help" or parameter.help, f"{name} {parameter.name}"


def test_the_reference_names_every_command_and_every_option() -> None:
    lines = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8").splitlines()
    for name, command in commands():
        rows = [line for line in lines if re.match(rf"\| `ziwo {name}(`| [A-Z\\[])", line)]
        assert len(rows) == 1, name
        for parameter in command.params:
            names = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
            assert names == ["--help"] or not names or any(option in rows[0] for option in names), f"{name} {names}"


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


async def test_the_keyring_is_only_loaded_when_it_is_asked() -> None:
    code, told = await finished(sys.executable, "-c", "import ziwo_async.cli.app, sys; print('keyring' in sys.modules)")
    assert (code, told.out) == (0, ["False"])


def test_an_output_that_ends_early_ends_the_command_quietly() -> None:
    command = f"{shlex.quote(sys.executable)} -m ziwo_async.cli demo --speed 50 | head -2; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=30, env=clean_environment(), check=True
    )
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.splitlines()[-1] == "1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["demo --speed 50", "demo --speed 50 --json", "--version", "flow -"])
def test_an_output_that_is_full_is_one_line(command: str) -> None:
    line = f"{shlex.quote(sys.executable)} -m ziwo_async.cli {command} >/dev/full"
    frame = b'{"callID": "1", "state": "ringing", "direction": "inbound"}'
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, input=frame, timeout=30, env=clean_environment(), check=False
    )
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "ziwo: the output cannot be written: No space left on device\n",
    )

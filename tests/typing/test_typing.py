"""Wrong handlers are refused by both type checkers, right ones accepted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("good.py", "bad.py")


def marked() -> set[tuple[str, int]]:
    return {
        (name, number)
        for name in FILES
        for number, line in enumerate((HERE / name).read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith("# error")
    }


def test_some_lines_are_marked() -> None:
    assert len(marked()) > 10
    assert {name for name, _ in marked()} == {"bad.py"}


def test_mypy_reports_exactly_the_marked_lines(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-absolute-path",
        "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent", *(str(HERE / name) for name in FILES),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=False)
    told = {
        (Path(line.split(":")[0]).name, int(line.split(":")[1]))
        for line in done.stdout.splitlines()
        if ": error:" in line
    }
    assert told == marked(), done.stdout + done.stderr


def test_pyright_reports_exactly_the_marked_lines(tmp_path: Path) -> None:
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps({"include": list(FILES), "typeCheckingMode": "strict"}), encoding="utf-8")
    for name in FILES:
        shutil.copy(HERE / name, tmp_path)
    command = [
        sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(config),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    told = {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found if one["severity"] == "error"}
    # A line may be reported for its argument's own type as well; what counts is which lines are.
    assert told == marked(), json.dumps(found, indent=1)

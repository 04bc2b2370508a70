"""The private file in which a token may be kept."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from ziwo_async import ConfigError
from ziwo_async.cli.private_file import read_private, remove_private, write_private
from ziwo_async.cli.stored import login_file


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    assert read_private(path) is None
    for text in ("one", "two \N{CHECK MARK}"):
        write_private(path, text)
        assert read_private(path) == text
    assert os.listdir(path.parent) == ["file"]
    remove_private(path)
    remove_private(path)
    assert read_private(path) is None


def test_it_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = os.fsync

    def look(file: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(file).st_mode))
        real(file)

    monkeypatch.setattr(os, "fsync", look)
    old = os.umask(0)
    try:
        write_private(tmp_path / "file", "text")
    finally:
        os.umask(old)
    assert seen == [0o600]


def test_a_reader_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = {"a" * 50_000, "b" * 50_000}
    write_private(path, "a" * 50_000)
    over = threading.Event()

    def write() -> None:
        for _ in range(100):
            for text in texts:
                write_private(path, text)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        assert read_private(path) in texts
    writer.join()


def test_a_write_that_fails_leaves_the_old_one_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_private(path, "old")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        write_private(path, "new")
    assert read_private(path) == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o620, 0o601])
def test_a_file_of_another_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="its mode must be 600"):
        read_private(path)
    assert read_private(path, exposed=True) == "text"


def test_what_is_no_small_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    write_private(tmp_path / "large", "x" * 65_536)
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "binary").chmod(0o600)
    for name in ("folder", "pipe", "link", "large", "binary"):
        for exposed in (False, True):
            with pytest.raises(ConfigError, match=r"is not a small plain file|cannot be read"):
                read_private(tmp_path / name, exposed=exposed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "file", "text")
    os.chown(tmp_path / "file", 12_345, -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        read_private(tmp_path / "file", exposed=True)


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be removed"):
        remove_private(tmp_path)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for home in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CONFIG_HOME", home)
        assert login_file() == tmp_path / ".config" / "ziwo_async" / "login.json"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/xdg")
    assert login_file() == Path("/etc/xdg/ziwo_async/login.json")

"""The growing file by itself: what other programs and odd file systems do to it."""

from __future__ import annotations

import errno
import json
import os
import sys

import pytest

from ziwo_async.errors import BadArgument
from ziwo_async.rest.part import Known, Part, is_validator

KNOWN = Known(call_id="0d5e2c1a-7c1f-4f5e-9a53-2f8f0c9b7d11", route="surveillance", validator='"v1"', total=10)
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


@pytest.fixture
def part(tmp_path):
    made = Part(str(tmp_path / "x.part"))
    made.open()
    made.restart(KNOWN)
    made.append([b"01234", b"", b"56789"])
    yield made
    made.close(keep=False)


def failing(monkeypatch, name: str, code: int) -> None:
    def fail(*given: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fail)


def inside(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_grows_and_gets_its_name(part, tmp_path):
    assert (part.size, part.head()) == (10, b"0123456789")
    part.append([b"!"])
    assert part.size == 11
    part.publish(str(tmp_path / "x"), overwrite=False)
    part.close(keep=False)
    assert inside(tmp_path) == {"x": b"0123456789!"}


def test_it_is_left_and_taken_up(part, tmp_path):
    part.trim(7)
    part.close(keep=True)
    again = Part(str(tmp_path / "x.part"))
    again.open()
    assert (again.size, again.known) == (7, KNOWN)
    again.append([b"abc"])
    again.publish(str(tmp_path / "x"), overwrite=True)
    assert inside(tmp_path) == {"x": b"0123456abc"}


def test_it_is_not_left_when_nobody_could_go_on(part, tmp_path):
    part.restart(Known(call_id=KNOWN.call_id, route="signed", validator=None, total=None))
    part.append([b"0"])
    part.close(keep=True)
    part.close(keep=True)
    assert inside(tmp_path) == {}


def test_restart_forgets_the_bytes_before_it_writes_the_note(part, tmp_path, monkeypatch):
    failing(monkeypatch, "open", errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        part.restart(KNOWN)
    assert (tmp_path / "x.part").read_bytes() == b"", "a note never speaks of bytes that are not its own"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_file_system_without_links(part, tmp_path, monkeypatch, code):
    failing(monkeypatch, "link", code)
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(BadArgument, match="exists"):
        part.publish(str(tmp_path / "x"), overwrite=False)
    assert (tmp_path / "x").read_bytes() == b"mine"
    part.publish(str(tmp_path / "y"), overwrite=False)
    assert inside(tmp_path) == {"x": b"mine", "y": b"0123456789"}


@posix
def test_a_file_system_without_locks(part, tmp_path, monkeypatch):
    import fcntl

    def fail(*given: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    other = Part(str(tmp_path / "y.part"))
    other.open()
    other.close(keep=False)
    assert "y.part" not in inside(tmp_path)


@posix
def test_the_lock_ends_with_the_download(part, tmp_path):
    other = Part(str(tmp_path / "x.part"))
    with pytest.raises(BadArgument, match="in use"):
        other.open()
    part.close(keep=True)
    other.open()
    other.close(keep=True)
    assert sorted(inside(tmp_path)) == ["x.part", "x.part.json"], "a refused one takes nothing away"


@posix
@pytest.mark.parametrize("times", [1, 100])
def test_a_part_that_is_renamed_while_it_is_opened(tmp_path, monkeypatch, times):
    import fcntl

    real = fcntl.flock
    left = [times]

    def flock(fd: int, how: int) -> None:
        real(fd, how)
        if left[0]:
            left[0] -= 1
            os.rename(tmp_path / "x.part", tmp_path / "x")  # another download was faster
            if left[0] % 2:
                (tmp_path / "x.part").write_bytes(b"")  # and a third one has begun

    monkeypatch.setattr(fcntl, "flock", flock)
    part = Part(str(tmp_path / "x.part"))
    if times == 1:
        part.open()
        part.restart(KNOWN)
        part.append([b"new"])
        assert inside(tmp_path)["x"] == b""
    else:
        with pytest.raises(BadArgument, match="comes and goes"):
            part.open()
    part.close(keep=False)


@posix
def test_a_part_that_goes_between_two_looks(tmp_path, monkeypatch):
    path = tmp_path / "x.part"
    path.write_bytes(b"")
    real = os.lstat
    looks = []

    def lstat(name: str) -> os.stat_result:
        looks.append(name)
        if len(looks) == 1:
            path.unlink()
        return real(name)

    monkeypatch.setattr(os, "lstat", lstat)
    part = Part(str(path))
    part.open()
    part.close(keep=False)
    assert inside(tmp_path) == {}


@posix
def test_a_part_that_cannot_be_made(tmp_path, monkeypatch):
    failing(monkeypatch, "open", errno.EACCES)
    with pytest.raises(BadArgument, match="cannot be made: Permission denied"):
        Part(str(tmp_path / "x.part")).open()


@posix
def test_a_part_that_others_can_write_to_is_made_private(part, tmp_path):
    part.close(keep=True)
    (tmp_path / "x.part").chmod(0o666)
    again = Part(str(tmp_path / "x.part"))
    again.open()
    assert (tmp_path / "x.part").stat().st_mode & 0o777 == 0o600
    again.close(keep=False)


@posix
def test_a_disk_that_takes_a_part_of_a_piece(part, monkeypatch):
    real = os.write
    sizes = [2, 2, 3]

    def write(fd: int, data: memoryview) -> int:
        if not sizes:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, data[: sizes.pop(0)])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match=r"full.*x\.part") as caught:
        part.append([b"abcd", b"efgh"])
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert part.size == 17
    part.append([b"."])
    part.publish(f"{caught.value.filename}.done", overwrite=False)
    with open(f"{caught.value.filename}.done", "rb") as file:
        assert file.read() == b"0123456789abcdefg."


def test_the_note(part, tmp_path):
    note = json.loads((tmp_path / "x.part.json").read_bytes())
    assert note.pop("ziwo_async.part") == 1
    assert Known(**note) == KNOWN


@pytest.mark.parametrize(
    ("text", "good"),
    [(None, True), ('"a"', True), ("", False), ("x" * 257, False), ("a\r\nb", False), ("é", False), ("a\0", False)],
)
def test_validators_that_can_be_sent(text, good):
    assert is_validator(text) is good

"""A contact centre in a thread of its own, and the command line in this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from .centre import Centre, Ziwo, centre_in_a_thread
from .keyring_in_a_file import FileKeyring


@pytest.fixture
def centre() -> Iterator[Centre]:
    with centre_in_a_thread() as there:
        yield there


@pytest.fixture
def ziwo(centre: Centre, tmp_path: Path) -> Iterator[Ziwo]:
    """The command line, logged in by the environment as agent 5555, with a keyring of its own."""
    keyring.set_keyring(FileKeyring())
    yield Ziwo(centre, tmp_path)
    keyring.set_keyring(NoKeyring())

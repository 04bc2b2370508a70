"""Stored files: photos, playbacks."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["StoredFile", "StoredFiles"]

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the storage.

    Attributes:
        data: Its bytes.
        content_type: Its media type.
    """

    data: bytes
    content_type: str


class StoredFiles:
    """The newest 1000 files by hash (source: `GET /storage/{hash}`, official clients)."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, StoredFile] = OrderedDict()

    def add(self, data: bytes, content_type: str) -> str:
        """Store a file; gives its hash."""
        name = hashlib.sha256(data).hexdigest()
        self._files[name] = StoredFile(data, content_type)
        self._files.move_to_end(name)
        if len(self._files) > _MOST:
            self._files.popitem(last=False)
        return name

    def get(self, name: str) -> StoredFile | None:
        """The file of that hash."""
        return self._files.get(name)

"""Recordings of calls: where one is, how far a download got, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import SecretStr

from .base import Model

__all__ = ["Progress", "Recording", "RecordingRoute", "RouteChoice", "SignedUrl"]

RecordingRoute: TypeAlias = Literal["surveillance", "signed", "history"]
"""Where ZIWO serves recordings.

`surveillance` is `GET /surveillance/recordings/{callID}.mp3`, `history` is `GET /callHistory/{callID}/recording`, and
`signed` is the address that `GET /callHistory/{callID}/recording/signed-url` gives.
"""
RouteChoice: TypeAlias = Literal["auto", "surveillance", "signed", "history"]
"""A route, or `auto`: the three of them in this order, until one has the recording."""


class SignedUrl(Model):
    """Content of `GET /callHistory/{callID}/recording/signed-url` (source: seen at an integrator, not documented).

    Attributes:
        url: Address at a cloud storage. Whoever has it can listen, without any token: a secret.
        id: Not explained anywhere.
    """

    url: SecretStr
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download got.

    Attributes:
        received: Bytes so far, those of an earlier attempt included. It falls back to 0 when the server has another
            file by now, and the download begins anew.
        total: Bytes in all; None when the server does not tell.
    """

    received: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording, or voicemail, that lies in a file.

    Attributes:
        path: The file.
        size: Its length in bytes.
        content_type: What it is by its first bytes: `audio/mpeg`, `audio/wav` or `audio/ogg`.
        call_id: The call's `callID`.
        route: Where it came from.
    """

    path: Path
    size: int
    content_type: str
    call_id: str
    route: RecordingRoute

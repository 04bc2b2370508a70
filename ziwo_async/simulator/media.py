"""The media of the channels, as the switch sees it; and the one that is descriptions only."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

from . import sdp as sdps

if TYPE_CHECKING:
    from .legs import Leg

__all__ = ["Descriptions", "Media"]


class Media(Protocol):
    """What the switch needs of the media of its channels. Nothing here waits."""

    async def open(self) -> None:
        """The simulator starts."""
        ...

    async def close(self) -> None:
        """The simulator ends: nothing is left."""
        ...

    def offer(self, leg: Leg) -> str:
        """The offer of a `verto.invite`."""
        ...

    def attach_offer(self, leg: Leg) -> str:
        """The offer of a `verto.attach`, with the codec in use."""
        ...

    def accept(self, leg: Leg, sdp: str) -> None:
        """The client has answered the offer of an invite; again: nothing changes."""
        ...

    def accept_attach(self, leg: Leg, sdp: str) -> None:
        """The client has answered the offer of a `verto.attach`."""
        ...

    def offered(self, leg: Leg, sdp: str) -> None:
        """The client dials with this offer."""
        ...

    def answer(self, leg: Leg) -> str:
        """The answer to the client's offer (`verto.media`, `verto.answer`)."""
        ...

    def update(self, leg: Leg, sdp: str) -> str:
        """The answer to an offer in the middle of a call (`updateMedia`)."""
        ...

    def survives(self, leg: Leg) -> bool:
        """Whether the leg outlives the loss of its socket, as far as its media is concerned."""
        ...

    def detached(self, leg: Leg) -> None:
        """The client of the leg is gone, for now."""
        ...

    def ended(self, leg: Leg) -> None:
        """The leg is over."""
        ...


class Descriptions:
    """No media: descriptions as FreeSWITCH writes them, with ports and fingerprints that are made up.

    Args:
        rng: Makes them.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def offer(self, leg: Leg) -> str:
        """The offer of a `verto.invite`."""
        return sdps.offer(self._rng)

    def attach_offer(self, leg: Leg) -> str:
        """The offer of a `verto.attach`."""
        line = leg.media or sdps.MediaLine("UDP/TLS/RTP/SAVPF", 96, "opus/48000/2")
        return sdps.attach_offer(self._rng, line, renegotiation=leg.attached)

    def accept(self, leg: Leg, sdp: str) -> None:
        """Nothing to do."""

    def accept_attach(self, leg: Leg, sdp: str) -> None:
        """Nothing to do."""

    def offered(self, leg: Leg, sdp: str) -> None:
        """Nothing to do."""

    def answer(self, leg: Leg) -> str:
        """The answer to the client's offer."""
        assert leg.media is not None
        return sdps.answer(self._rng, leg.media)

    def update(self, leg: Leg, sdp: str) -> str:
        """The answer to a new offer."""
        return self.answer(leg)

    def survives(self, leg: Leg) -> bool:
        """Always: nobody can tell whether media came up."""
        return True

    def detached(self, leg: Leg) -> None:
        """Nothing to do."""

    def ended(self, leg: Leg) -> None:
        """Nothing to do."""

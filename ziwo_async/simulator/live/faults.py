"""Faults of the live socket to order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .payloads import Protocol

if TYPE_CHECKING:
    from .server import LiveServer

__all__ = ["LiveFaults", "LivePlan"]


@dataclass(slots=True)
class LivePlan:
    """What is ordered.

    Attributes:
        refused: Versions of Engine.IO that get no handshake.
        refusals: How many of the next clients are told that their token is wrong.
        delay: Seconds by which every event is late.
        doubles: Every event is sent twice.
    """

    refused: set[Protocol] = field(default_factory=set[Protocol])
    refusals: int = 0
    delay: float = 0.0
    doubles: bool = False

    def take_refusal(self) -> bool:
        """Whether this client is refused."""
        if self.refusals <= 0:
            return False
        self.refusals -= 1
        return True


class LiveFaults:
    """The faults of the live socket of one simulator; a part of `Faults`."""

    def __init__(self, live: LiveServer) -> None:
        self._live = live

    def cut_live(self) -> int:
        """Reset the TCP connection of every live socket, without a word; gives how many."""
        connections = self._live.connections
        for connection in connections:
            connection.session.abort("cut")
        return len(connections)

    def refuse_live(self, eio: Protocol | None = None, refuse: bool = True) -> None:
        """Answer handshakes with HTTP 400 "Unsupported protocol version" from now on; open connections stay.

        Args:
            eio: Of this version of Engine.IO; None: of both.
            refuse: False ends it.
        """
        versions: set[Protocol] = {3, 4} if eio is None else {eio}
        refused = self._live.plan.refused
        self._live.plan.refused = refused | versions if refuse else refused - versions

    def live_auth_fails(self, times: int = 1) -> None:
        """Tell the next clients that their token is wrong, whatever it is.

        Args:
            times: How many clients.
        """
        self._live.plan.refusals = times

    def silence_live(self, *, frozen: bool = False) -> int:
        """The open connections get no ping any more, and no answer to theirs; gives how many.

        Args:
            frozen: They get nothing else either, and nothing that they send is read: the network is gone.
        """
        connections = self._live.connections
        for connection in connections:
            if frozen:
                connection.session.freeze()
            else:
                connection.session.fall_silent()
        return len(connections)

    def slow_live(self, seconds: float) -> None:
        """Send every event so late; 0 ends it."""
        self._live.plan.delay = seconds

    def duplicate_live(self, duplicate: bool = True) -> None:
        """Send every event twice, until told otherwise."""
        self._live.plan.doubles = duplicate

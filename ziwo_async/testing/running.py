"""What a world that is being served offers, in real time and in virtual time."""

from __future__ import annotations

from ..simulator import Faults, Hooks, Journal, Simulator, World

__all__ = ["RunningWorld"]


class RunningWorld(World):
    """A `World` with the simulator that serves it."""

    @property
    def simulator(self) -> Simulator:
        """The simulator that serves this world."""
        return self.running()

    @property
    def faults(self) -> Faults:
        """The server's faults to order, such as `await world.faults.cut_phone_socket()`."""
        return self.simulator.faults

    @property
    def hooks(self) -> Hooks:
        """The requests to the services of call trackers, and the CDR web hook: `await world.hooks.of(call, "end")`."""
        return self.simulator.hooks

    @property
    def journal(self) -> Journal:
        """Every frame and request that the simulator saw, bounded."""
        return self.simulator.journal

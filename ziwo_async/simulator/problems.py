"""Mistakes in the use of the simulator (what the simulated server refuses is never an exception here)."""

from __future__ import annotations

from ..errors import ZiwoError

__all__ = ["NotRunning", "SimulatorError", "UnknownAgent", "WaitedInVain"]


class SimulatorError(ZiwoError):
    """The simulator cannot do what a test asked for."""


class NotRunning(SimulatorError):
    """The world is not open: this needs `async with Simulator(world)`."""


class UnknownAgent(SimulatorError, KeyError):
    """The world has no agent of that ccLogin."""

    def __str__(self) -> str:
        return str(self.args[0])


class WaitedInVain(SimulatorError, TimeoutError):
    """What a test waited for did not happen, or cannot happen any more."""

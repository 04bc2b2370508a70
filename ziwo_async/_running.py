"""What `ZiwoClient.run()` does: run until a signal or a final error, then drain; a second signal forces the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from .errors import ConfigError, ZiwoError
from .phone.phone import CallsOnStop

if TYPE_CHECKING:
    from .client import ZiwoClient

__all__ = ["Ended", "Source", "run_until_stopped"]

Ended = Literal["stopped", "forced"]
Source = Literal["phone", "live"]
"""What `run()` runs."""
# A second signal so soon is the first one, come by two ways (terminal and parent process): seconds.
_ECHO = 0.2


class _Signals:
    """SIGINT and SIGTERM: the first asks to stop, the second forces it, a third kills as if nobody listened."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.force = asyncio.Event()
        self._first = 0.0
        self._installed: list[signal.Signals] = []

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._signalled)
            except (NotImplementedError, RuntimeError, ValueError):  # pragma: no cover - Windows, or no main thread
                break
            self._installed.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _signalled(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self.stop.is_set():
            self._first = now
            self.stop.set()
        elif now - self._first > _ECHO:
            self.force.set()
            self._remove()

    def _remove(self) -> None:
        loop = asyncio.get_running_loop()
        while self._installed:
            loop.remove_signal_handler(self._installed.pop())


async def run_until_stopped(
    ziwo: ZiwoClient, drain_timeout: float, calls: CallsOnStop, source: Source = "phone"
) -> Ended:
    """Run the phone, or the live feed, of a client until it must end.

    Args:
        ziwo: The client; closed in the end.
        drain_timeout: Seconds that running handlers get after the first signal.
        calls: What becomes of the calls that are up then.
        source: What runs.

    Raises:
        ZiwoError: It ended for this error.
    """
    if calls not in get_args(CallsOnStop):
        raise ConfigError(f"run: calls_on_stop={calls!r} is none of {', '.join(get_args(CallsOnStop))}")
    with _Signals() as signals:
        async with ziwo:
            life = asyncio.ensure_future(_live(ziwo, source))
            try:
                await _first_of(life, signals.stop)
                if life.done():
                    life.result()
                    return "stopped"
                draining = asyncio.ensure_future(ziwo.drain(drain_timeout, calls=calls))
                await _first_of(draining, signals.force)
                if draining.done():
                    draining.result()
                    return "stopped"
                sys.stderr.write("ziwo_async: forced to stop; calls and handlers were cut off\n")
                await ziwo.abort()
                draining.cancel()
                return "forced"
            finally:
                life.cancel()
                await asyncio.wait([life])
                with contextlib.suppress(asyncio.CancelledError, ZiwoError):
                    life.result()  # seen


async def _live(ziwo: ZiwoClient, source: Source) -> None:
    runs = ziwo.live if source == "live" else ziwo.phone
    await runs.start()
    await runs.wait_closed()


async def _first_of(work: asyncio.Future[None], event: asyncio.Event) -> None:
    told = asyncio.ensure_future(event.wait())
    either: list[asyncio.Future[Any]] = [work, told]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()

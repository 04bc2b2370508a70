"""What one seed means: a contact centre, and what happens in it and when. Pure data, drawn before anything runs.

Because all is drawn first, any prefix of the steps is a schedule too: that is how a failing one is made shorter.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ziwo_async import Buffers, Liveness, ReconnectPolicy, Timeouts
from ziwo_async.simulator import ServerOptions
from ziwo_async.testing import LinkOptions

AGENTS = ("0011", "5555", "7777")
NUMBERS = tuple(f"+9715000000{index:02d}" for index in range(6))
ECHO = "9196"
NOWHERE = "+999"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Attributes:
        at: Seconds after the phones are ready.
        what: The name of a method of `Steps`.
        where: Picks the phone, call or link it is about: the share of the way through those that are there.
        args: More of it.
    """

    at: float
    what: str
    where: float
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        args = ", ".join(str(arg) for arg in self.args)
        return f"{self.at:10.3f} s  {self.what}({args}) on {self.where:.3f}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a seed decides."""

    seed: int
    phones: int
    network: LinkOptions
    server: ServerOptions
    reconnect: ReconnectPolicy
    liveness: Liveness
    timeouts: Timeouts
    slow_handler: float
    failing_handlers: float
    answering: float
    ledger: bool
    buffers: Buffers
    close: str
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        return self.steps[-1].at if self.steps else 0.0

    def first(self, count: int) -> Plan:
        """The same with fewer steps."""
        return replace(self, steps=self.steps[:count])

    def has(self, *words: str) -> bool:
        return any(step.what in words for step in self.steps)


ENDINGS = ("aclose", "aclose", "exit", "cancel", "twice", "drain", "drain, keep", "abort")

Draw = Callable[[random.Random], tuple[Any, ...]]


def _nothing(rng: random.Random) -> tuple[Any, ...]:
    return ()


def _number(rng: random.Random) -> str:
    return rng.choice((*NUMBERS, *NUMBERS, ECHO, *AGENTS, NOWHERE))


def _seconds(low: float, high: float) -> Draw:
    return lambda rng: (round(rng.uniform(low, high), 3),)


def _patience(rng: random.Random) -> float | None:
    """After how long the caller of an action gives up waiting, if ever."""
    return round(rng.expovariate(4.0), 4) if rng.random() < 0.15 else None


def _action(*more: Draw) -> Draw:
    return lambda rng: (_patience(rng), *(value for draw in more for value in draw(rng)))


def _script(rng: random.Random) -> tuple[Any, ...]:
    return (
        rng.choice(NUMBERS),
        rng.choice(["answers", "answers", "answers", "rejects", "busy", "never", "rings on"]),
        round(rng.choice([0.0, 0.02, 0.5, 3.0, 20.0]), 3),
        rng.random() < 0.5,
        rng.choice([None, None, 0.0, 0.3, 5.0, 60.0]),
    )


# Never a lie: a server that refuses an attach, or says that a call is gone, has ended the call.
_METHODS = ("verto.invite", "verto.answer", "verto.modify", "verto.info", "verto.ping")
_REFUSALS = ((-32002, "CODEC ERROR"), (-32601, "Invalid Method"), (None, "no code"))
_WAY = ("both", "both", "to_client", "to_server")


def _way(rng: random.Random) -> tuple[Any, ...]:
    return (rng.choice(_WAY), rng.choice([0.02, 1.0, 7.0, 20.0, 90.0, 400.0]))


def _drop(rng: random.Random) -> tuple[Any, ...]:
    method = rng.choice((*_METHODS, "verto.bye", "verto.attach", "login"))
    return (method, method == "verto.bye" or rng.random() < 0.7)


def _failure(rng: random.Random) -> tuple[Any, ...]:
    return (rng.choice(_METHODS), *rng.choice(_REFUSALS))


# What can happen, and how often it does.
CALLS: tuple[tuple[str, int, Draw], ...] = (
    ("customer_calls", 14, lambda rng: (rng.choice(NUMBERS), rng.choice([None, 1.0, 20.0]))),
    ("dial", 12, _action(lambda rng: (_number(rng),))),
    ("script", 4, _script),
    ("customer_hangs_up", 6, _nothing),
    ("party_changes", 1, _nothing),
    ("renegotiate", 1, _nothing),
    ("message", 1, _nothing),
    ("pick_up", 2, _nothing),
    ("told_to_dial", 1, lambda rng: (_number(rng),)),
)
ACTIONS: tuple[tuple[str, int, Draw], ...] = (
    ("answer", 10, _action(lambda rng: (rng.random() < 0.3,))),
    ("hang_up", 8, _action(lambda rng: (rng.choice([None, "USER_BUSY"]),))),
    ("hold", 5, _action()),
    ("unhold", 5, _action()),
    ("dtmf", 3, _action(lambda rng: (rng.choice(["1", "12#", "0*@150"]),))),
    ("transfer", 2, _action(lambda rng: (_number(rng),))),
    ("consult", 2, _action(lambda rng: (_number(rng), rng.random() < 0.5, rng.choice([0.0, 0.4, 4.0])))),
    ("mute", 1, _action(lambda rng: (rng.random() < 0.5,))),
    ("set_variables", 1, _action()),
    ("wait_for", 3, _action(lambda rng: (rng.choice(["active", "held", "hangup"]), rng.choice([0.3, 40.0])))),
)
NETWORK: tuple[tuple[str, int, Draw], ...] = (
    ("reset", 4, _nothing),
    ("cut", 3, lambda rng: (rng.choice(_WAY),)),
    ("stall", 4, _way),
    ("vanish", 3, _seconds(0.1, 200)),
    ("refuse", 2, _seconds(0.1, 60)),
    ("carry", 2, lambda rng: (rng.choice([0.0, 0.02, 0.4]), rng.choice([0.0, 0.1, 2.0]), rng.random() < 0.5)),
    ("suspend", 1, lambda rng: (rng.choice([2.0, 31.0, 45.0, 600.0]),)),
)
SERVER: tuple[tuple[str, int, Draw], ...] = (
    ("server_cuts", 3, _nothing),
    ("server_closes", 2, _nothing),
    ("half_open", 2, _nothing),
    ("close_during_login", 1, lambda rng: (rng.choice([1, 3]),)),
    ("slow_replies", 2, lambda rng: (rng.choice([0.05, 0.5, 3.0, 12.0]), rng.choice([1.0, 10.0, 40.0]))),
    ("fail_next", 2, _failure),
    ("drop_next", 3, _drop),
    ("strange", 1, lambda rng: (rng.randrange(8),)),
    ("punt", 1, _nothing),
    ("duplicate", 1, lambda rng: (rng.choice([1, 3, 6]), rng.choice([5.0, 100.0]))),
    ("detach_expires", 1, _nothing),
    ("server_restarts", 2, lambda rng: (rng.choice([0.0, 0.5, 15.0, 200.0]),)),
    ("slow_server", 2, lambda rng: (rng.choice([0.05, 0.6, 4.0]), rng.choice([1.0, 20.0]))),
    ("reordered", 1, _nothing),
    ("login_expires", 1, _nothing),
)
LIFE: tuple[tuple[str, int, Draw], ...] = (("restart", 1, lambda rng: (rng.choice(ENDINGS), rng.random() < 0.4)),)


def plan_of(seed: int, *, longest: float = 3600.0) -> Plan:
    """Draw the plan of a seed."""
    rng = random.Random(f"plan {seed}")
    phones = rng.choice([1, 1, 1, 2, 3])
    kinds = [*CALLS, *ACTIONS]
    for family, share in ((NETWORK, 0.75), (SERVER, 0.6), (LIFE, 0.3)):
        if rng.random() < share:
            kinds += family
    count = rng.choice([6, 12, 20, 30, 45])
    pace = min(rng.choice([0.05, 0.4, 1.5, 5.0, 30.0]), longest / count)
    names, weights, draws = zip(*((what, weight, draw) for what, weight, draw in kinds), strict=True)
    steps: list[Step] = []
    at = 0.0
    for _ in range(count):
        # Bursts and pauses: things that happen in the same moment find other bugs than those far apart.
        at += 0.0 if rng.random() < 0.25 else 0.002 + rng.expovariate(1 / pace)
        at = min(at, longest)
        index = rng.choices(range(len(names)), weights)[0]
        steps.append(Step(round(at, 4), names[index], round(rng.random(), 4), draws[index](rng)))
    return Plan(
        seed=seed,
        phones=phones,
        network=LinkOptions(
            latency=rng.choice([0.0, 0.0, 0.01, 0.08]), jitter=rng.choice([0.0, 0.0, 0.05]), split=rng.random() < 0.2
        ),
        server=replace(
            ServerOptions(),
            disable_multiple_sessions=rng.random() < 0.3,
            detach_timeout=rng.choice([5.0, 40.0, 120.0]),
            ready_delay=rng.choice([0.0, 0.1, 0.1, 2.0]),
            login_expires=rng.choice([None, None, None, 25.0]),
            hold_delay=rng.choice([0.0, 0.25]),
        ),
        reconnect=ReconnectPolicy(),
        liveness=Liveness(silence=rng.choice([10.0, 10.0, 25.0])),
        timeouts=Timeouts(),
        slow_handler=rng.choice([0.0, 0.0, 0.01, 3.0, 30.0]),
        failing_handlers=rng.choice([0.0, 0.0, 0.1]),
        answering=rng.choice([0.0, 0.5, 0.9]),
        ledger=rng.random() < 0.3,
        buffers=rng.choice([Buffers(), Buffers(per_call=2, per_session=3)]),
        close=rng.choice(ENDINGS),
        steps=tuple(steps),
    )

"""The service of a call tracker: says where a call goes, and is told how it went."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, cast

from pydantic import JsonValue, SecretStr, ValidationError

from ..errors import ConfigError, HandlerRejected
from .handler import Handler, OutOfTime, within
from .models import Answer, EndCall, Rule, StartCall
from .once import OnceStore
from .request import HookResponse, Refused, failure, success
from .service import HookService, check_new, check_path, positive

__all__ = ["Decision", "EndHandler", "StartHandler", "TrackerService"]

_log = logging.getLogger("ziwo_async.webhooks")

_Rules: TypeAlias = Rule | Sequence[Rule] | Answer | None
StartHandler: TypeAlias = Callable[[StartCall], Awaitable[_Rules]] | Callable[[StartCall], _Rules]
"""What `on_start` takes: async, or plain and then called in a thread. None, or no rules, means the fallback."""
EndHandler: TypeAlias = Callable[[EndCall], Awaitable[None]] | Callable[[EndCall], None]
"""What `on_end` takes: async, or plain and then called in a thread."""

_S = TypeVar("_S", bound=StartHandler)
_E = TypeVar("_E", bound=EndHandler)

# A request that comes again within so many seconds gets the same answer.
_KEPT = 30.0
_MOST_KEPT = 10_000
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Decision:
    """What a start call is answered, and why.

    Attributes:
        answer: The answer.
        source: Whose it is: the handler's, or the fallback.
        problem: Why it is the fallback, if something went wrong; without values of the call.
        seconds: How long it took.
    """

    answer: Answer
    source: Literal["handler", "fallback"]
    problem: str | None
    seconds: float


class TrackerService(HookService):
    """Answers the two requests of a call tracker (source: ZIWO docs).

    One service belongs to one event loop. Register a handler with `on_start`, another with `on_end`, and serve it with
    `routes` (aiohttp) or `asgi`.

    Attributes:
        stats: Counts.
    """

    def __init__(
        self,
        *,
        keys: Sequence[str | SecretStr] = (),
        insecure: bool = False,
        fallback: Sequence[Rule] | Answer = (),
        start_timeout: float = 10.0,
        deadline: float | None = None,
        end_timeout: float = 60.0,
        once: OnceStore | None = None,
        start_path: str = "/startCall",
        end_path: str = "/endCall",
        max_body: int = 262_144,
        read_timeout: float = 5.0,
        caller_field: str = "callerIDNumber",
    ) -> None:
        """Make a service; no I/O happens yet.

        Args:
            keys: What ZIWO sends as `X-API-Key`; each is enough, so that one can be replaced by another. At least 16
                characters.
            insecure: Whether there may be no key, or a short one.
            fallback: The answer when the handler raises, hangs, answers nonsense or has no rules for a call. Without
                one such a request fails with HTTP 500, upon which ZIWO plays the tracker's error playback.
            start_timeout: The tracker's `startRequestTimeout`, in seconds.
            deadline: Seconds from the arrival of a start call until its fallback is sent; by default 80 % of
                `start_timeout`, so that there is time for the way back.
            end_timeout: Seconds that the handler of an end call may take. That ZIWO waits so long is not needed.
            once: Where it is noted which end calls were handled; by default `MemoryOnce`.
            start_path: The path of the start request.
            end_path: The path of the end request.
            max_body: Bytes of a body.
            read_timeout: Seconds for a body to come.
            caller_field: Which field of the start request is the caller's number. ZIWO's page shows no such field.

        Raises:
            ConfigError: There is no key, or a value makes no sense.
        """
        super().__init__(
            keys,
            insecure=insecure,
            once=once,
            max_body=max_body,
            read_timeout=read_timeout,
            handler_timeout=end_timeout,
        )
        positive("start_timeout", start_timeout)
        self._deadline = 0.8 * start_timeout if deadline is None else positive("deadline", deadline)
        if self._deadline > start_timeout:
            raise ConfigError("deadline must be at most start_timeout")
        if not caller_field or caller_field in ("didCalled", "callID"):
            raise ConfigError("caller_field is the name of the field with the caller's number")
        fixed = fallback if isinstance(fallback, Answer) else Answer(fallback)
        self._fallback = fixed if fixed.rules or fixed.extra else None
        self._caller_field = caller_field
        self._on_start: Handler[object] | None = None
        self._on_end: Handler[object] | None = None
        self._answers: OrderedDict[tuple[str, str], tuple[float, asyncio.Task[Decision]]] = OrderedDict()
        self._endpoints[check_path("start_path", start_path)] = self._start
        check_new(self._endpoints, end_path)
        self._endpoints[check_path("end_path", end_path)] = self._end

    def on_start(self, function: _S) -> _S:
        """Register the handler of start calls, as a decorator.

        Args:
            function: Gets the call, and gives the rules.

        Raises:
            HandlerRejected: It cannot be called with one argument, or there is one already.
        """
        if self._on_start is not None:
            raise HandlerRejected("there is a handler of start calls already")
        self._on_start = self._register(function, arguments=1)
        return function

    def on_end(self, function: _E) -> _E:
        """Register the handler of end calls, as a decorator. It runs once for each call.

        Args:
            function: Gets the CDR. When it raises, ZIWO is told HTTP 500, and the request may come again.

        Raises:
            HandlerRejected: It cannot be called with one argument, or there is one already.
        """
        if self._on_end is not None:
            raise HandlerRejected("there is a handler of end calls already")
        self._on_end = self._register(function, arguments=1)
        return function

    async def decide(self, start: StartCall, *, arrived: float | None = None) -> Decision:
        """Decide what becomes of a call, as for a request; it never raises and never takes longer than the deadline.

        Args:
            start: The call.
            arrived: When the request came (the event loop's clock); by default now.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        left = max(0.0, self._deadline - (began - (began if arrived is None else arrived)))
        self.stats.started += 1
        answer: Answer | None = None
        problem: str | None = None
        if self._on_start is not None:
            try:
                answer = _answer_of(await within(self._on_start(start), left, self._strays))
                problem = "the handler gave no rules" if answer is None else None
            except OutOfTime:
                self.stats.timed_out += 1
                problem = f"the handler took more than {left:.1f} s"
                _log.error("start call: %s; %s", problem, self._told_instead)
            except Exception as error:  # noqa: BLE001 - user code may raise anything; the caller gets the fallback
                self.stats.failed += 1
                problem = f"the handler failed: {type(error).__name__}"
                _log.exception("start call: the handler failed; %s", self._told_instead)
        if answer is not None:
            return Decision(answer, "handler", None, loop.time() - began)
        self.stats.fell_back += 1
        return Decision(self._fallback or Answer(), "fallback", problem, loop.time() - began)

    @property
    def caller_field(self) -> str:
        """Which field of the start request is the caller's number."""
        return self._caller_field

    @property
    def _told_instead(self) -> str:
        return "there is no fallback" if self._fallback is None else "the fallback is sent"

    async def aclose(self) -> None:
        """Wait a moment for handlers that still run, then cancel them. The service can be used again afterwards.

        An ASGI server does this by itself when it ends; with aiohttp it belongs into `app.on_cleanup`.
        """
        # These end by themselves: they have a deadline.
        tasks = [task for _, task in self._answers.values() if not task.done()]
        self._answers.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=self._deadline)
        await super().aclose()

    async def _start(self, fields: dict[str, JsonValue], arrived: float) -> HookResponse:
        try:
            start = StartCall.of(fields, caller_field=self._caller_field)
        except ValidationError as error:
            _log.warning("start call: %s", "; ".join(str(item["loc"]) for item in error.errors(include_input=False)))
            raise Refused(400) from None
        decision = await (self._shared(start, arrived) if start.call_id else self.decide(start, arrived=arrived))
        if decision.source == "fallback" and self._fallback is None:
            return failure(500)
        return success(decision.answer.content(start.did_called))

    async def _shared(self, start: StartCall, arrived: float) -> Decision:
        """Give the same answer to a request that comes again. Without an id two customers look the same."""
        key = (start.call_id or "", start.did_called)
        if len(key[0]) + len(key[1]) > _LONGEST_ID:
            return await self.decide(start, arrived=arrived)
        now = asyncio.get_running_loop().time()
        while self._answers and (next(iter(self._answers.values()))[0] <= now or len(self._answers) >= _MOST_KEPT):
            self._answers.popitem(last=False)
        known = self._answers.get(key)
        if known is None or _is_useless(known[1]):
            task = asyncio.create_task(self.decide(start, arrived=arrived))
            self._answers.pop(key, None)
            self._answers[key] = (now + _KEPT, task)
        else:
            task = known[1]
            self.stats.repeated += 1
        return await asyncio.shield(task)

    async def _end(self, fields: dict[str, JsonValue], arrived: float) -> HookResponse:
        del arrived
        end = self._read(EndCall, fields)
        return await self._run_once(f"endCall:{end.key}", self._on_end, end)


def _is_useless(task: asyncio.Task[Decision]) -> bool:
    # A fallback is no answer to keep: the next try may do better.
    return task.done() and (task.cancelled() or task.result().source == "fallback")


def _answer_of(found: object) -> Answer | None:
    """Give what a handler gave as an answer; None for no rules.

    Raises:
        BadArgument: It is something else.
    """
    if isinstance(found, Answer):
        return found
    if isinstance(found, Rule):
        return Answer((found,))
    if found is None or found in ([], ()):
        return None
    return Answer(cast("Sequence[Rule]", found))

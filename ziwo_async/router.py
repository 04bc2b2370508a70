"""Router: which of your functions reacts to which event. No I/O; the same router can be included anywhere.

A handler of a call event gets `(call, event)`, or `(event)` when that is all it takes; a handler of a session event
gets `(event)`. The live feed has no call to give, so there only handlers of the second kind work. Handlers of one call
run one after the other, in the order of events; different calls run concurrently. A handler that raises becomes a
`HandlerFailed` event and stops nothing else.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, overload

from .errors import HandlerRejected
from .events import CallEvent, Event, SessionEvent

if TYPE_CHECKING:
    from .phone.call import Call

__all__ = ["HandlerOverflow", "Registration", "Router", "changes"]

HandlerOverflow = Literal["block", "drop_oldest", "fail"]
"""What happens when too many events of one call wait for a handler. See `Router.on`."""

CE = TypeVar("CE", bound=CallEvent)
SE = TypeVar("SE", bound=SessionEvent)
_Coro: TypeAlias = Coroutine[Any, Any, None]
_CallHandler: TypeAlias = "Callable[[Call, CE], _Coro] | Callable[[CE], _Coro]"
_SessionHandler: TypeAlias = Callable[[SE], _Coro]


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """One registered handler. Equal to itself only: registered twice, a function runs twice.

    Attributes:
        kind: The event class it listens to; children are seen too.
        handler: The function.
        name: Its qualified name, for messages.
        when: The predicate, or None.
        with_call: Whether it gets the call as its first argument: it is about calls, and takes two.
        task: Whether it runs as a task of its own (`during`), instead of in the call's lane.
        grace: `during` only: seconds the task may still run after the call was destroyed.
        overflow: `on` only: what happens when too many events of one call wait for it.
    """

    kind: type[Event]
    handler: Callable[..., _Coro]
    name: str
    when: Callable[[Any], bool] | None
    with_call: bool
    task: bool = False
    grace: float = 0.0
    overflow: HandlerOverflow = "block"


class _Changes:
    """Counts the changes of all routers: what was looked up is good until it moves."""

    def __init__(self) -> None:
        self.count = 0

    def bump(self) -> None:
        self.count += 1


changes = _Changes()


class Router:
    """Collects handlers. Register with `on` and `during`, combine with `include`."""

    def __init__(self) -> None:
        """Make an empty router."""
        self._registrations: list[Registration] = []
        self._included: list[Router] = []

    @overload
    def on(
        self, kind: type[CE], *, when: Callable[[CE], bool] | None = None, overflow: HandlerOverflow = "block"
    ) -> Callable[[_CallHandler[CE]], _CallHandler[CE]]: ...
    @overload
    def on(
        self, kind: type[SE], *, when: Callable[[SE], bool] | None = None, overflow: HandlerOverflow = "block"
    ) -> Callable[[_SessionHandler[SE]], _SessionHandler[SE]]: ...
    def on(
        self, kind: type[Any], *, when: Callable[[Any], bool] | None = None, overflow: HandlerOverflow = "block"
    ) -> Callable[[Any], Any]:
        """Register the decorated async function for an event class and its children.

        Meant for short reactions: while it runs, the next handlers of the same call wait. Use `during` for what
        lasts as long as the call. The connection is read and kept alive meanwhile, whatever the policy.

        Args:
            kind: A class of events: `Ringing`, `DialogEvent`, `SessionLost`, ...
            when: Called with the event; the handler runs only when it returns true. It must be quick and not block.
            overflow: What happens when more than `Buffers.per_call` events of one call wait for the handler (events of
                the session are counted like those of one more call). `block`: they wait in order and take of the
                room that all calls share (`Buffers.per_session`); when that is used up too, the oldest of the longest
                queue is dropped. `drop_oldest`: the oldest that waits for this handler is dropped. `fail`: what
                waits for this handler is dropped, `HandlerFailed` is published, and it gets nothing more of this call.
                All drops are counted. `Hangup` and `Destroy` are the last to be dropped by the first two.

        Raises:
            HandlerRejected: The function is not async, takes the wrong number of arguments, or says by its
                annotation that it wants another event; or `overflow` is none of the three words.
        """
        if overflow not in get_args(HandlerOverflow):
            raise HandlerRejected(f"overflow must be block, drop_oldest or fail, not {overflow!r}")

        def register(handler: Callable[..., _Coro]) -> Callable[..., _Coro]:
            self._add(_checked(kind, handler, when, overflow))
            return handler

        return register

    def during(
        self, kind: type[CE], *, when: Callable[[CE], bool] | None = None, grace: float = 1.0
    ) -> Callable[[_CallHandler[CE]], _CallHandler[CE]]:
        """Register the decorated async function to run as a task of its own while the call lives.

        The task starts at the event, may wait for later events of the same call, and is cancelled `grace` seconds
        after the call's `destroy` if it still runs then.

        Args:
            kind: A class of call events: `Active`, `Ringing`, ...
            when: Called with the event; the task starts only when it returns true.
            grace: Seconds the task may take to finish after the call is over (for the last log line).

        Raises:
            HandlerRejected: As for `on`, or the event class is not about calls.
        """

        def register(handler: _CallHandler[CE]) -> _CallHandler[CE]:
            checked = _checked(kind, handler, when)
            if not issubclass(kind, CallEvent):
                raise HandlerRejected(f"during({kind.__name__}) for {checked.name}: only call events have a duration")
            self._add(replace(checked, task=True, grace=grace))
            return handler

        return register

    def include(self, other: Router) -> None:
        """Add all handlers of another router, those registered later included. Including twice changes nothing.

        Raises:
            HandlerRejected: The routers would include each other.
        """
        if other is self or self in other.included():
            raise HandlerRejected("a router cannot include itself")
        if other not in self._included:
            self._included.append(other)
            changes.bump()

    def _add(self, registration: Registration) -> None:
        self._registrations.append(registration)
        changes.bump()

    def included(self) -> list[Router]:
        """All routers included here, directly or not."""
        return [inner for router in self._included for inner in (router, *router.included())]

    def registrations(self) -> list[Registration]:
        """All handlers of this router and the included ones, in order of registration."""
        seen: dict[int, Router] = {id(router): router for router in (self, *self.included())}
        return [registration for router in seen.values() for registration in router._registrations]

    def matching(self, kind: type[Event]) -> tuple[Registration, ...]:
        """The handlers that listen to this event class or one of its bases."""
        return tuple(found for found in self.registrations() if issubclass(kind, found.kind))


def _checked(
    kind: type[Event],
    handler: Callable[..., _Coro],
    when: Callable[[Any], bool] | None,
    overflow: HandlerOverflow = "block",
) -> Registration:
    name = getattr(handler, "__qualname__", None) or repr(handler)
    if not (inspect.isclass(kind) and issubclass(kind, Event)):
        raise HandlerRejected(f"{name}: {kind!r} is not an event class")
    if not issubclass(kind, CallEvent | SessionEvent):
        raise HandlerRejected(
            f"{name}: listen to CallEvent or SessionEvent (or a class below), or read client.events({kind.__name__})"
        )
    if not _is_async(handler):
        raise HandlerRejected(f"{name}: a handler must be an async function (async def)")
    about_calls = issubclass(kind, CallEvent)
    parameter = _last_of(handler, 2) if about_calls and not _begins_with_an_event(handler) else None
    with_call = parameter is not None
    parameter = parameter or _last_of(handler, 1)
    if parameter is None:
        wanted = "(call, event) or (event)" if about_calls else "(event)"
        raise HandlerRejected(
            f"{name}: a handler of {kind.__name__} is called with {wanted}, which its parameters do not take"
        )
    _check_annotation(name, kind, handler, parameter)
    return Registration(kind, handler, name, when, with_call, overflow=overflow)


def _last_of(handler: Callable[..., _Coro], count: int) -> str | None:
    """The parameter that takes the last of so many arguments; None when the handler does not take so many."""
    try:
        return list(inspect.signature(handler).bind(*[None] * count).arguments)[-1]
    except (TypeError, ValueError):
        return None


def _begins_with_an_event(handler: Callable[..., _Coro]) -> bool:
    first = _last_of(handler, 1)
    annotated = None if first is None else _annotation(handler, first)
    return inspect.isclass(annotated) and issubclass(annotated, Event)


def _is_async(handler: object) -> bool:
    if not callable(handler):
        return False
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def _check_annotation(name: str, kind: type[Event], handler: Callable[..., _Coro], parameter: str) -> None:
    annotated = _annotation(handler, parameter)
    if inspect.isclass(annotated) and issubclass(annotated, Event) and not issubclass(kind, annotated):
        raise HandlerRejected(
            f"{name}: is registered for {kind.__name__}, but its parameter '{parameter}' wants {annotated.__name__}"
        )


def _annotation(handler: Callable[..., _Coro], parameter: str) -> object:
    try:
        return typing.get_type_hints(handler).get(parameter)
    except (NameError, TypeError, AttributeError):
        # Annotations that only exist for type checkers; those have checked them.
        return None

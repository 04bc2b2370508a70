"""What every service of hooks does with a request, before and after its own part."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pydantic import JsonValue, SecretStr

from ..errors import ConfigError
from ..models.base import Model, read
from .body import fields_of
from .guard import Guard
from .handler import Handler, Strays
from .once import MemoryOnce, OnceStore
from .repeats import Outcome, Repeats
from .request import HookRequest, HookResponse, Refused, failure, read_body, success
from .stats import HookStats

if TYPE_CHECKING:
    from aiohttp import web

    from .asgi import AsgiApp

__all__ = ["Endpoint", "HookService"]

_log = logging.getLogger("ziwo_async.webhooks")

Endpoint: TypeAlias = Callable[[dict[str, JsonValue], float], Awaitable[HookResponse]]
"""Gets the fields of a request and the moment it arrived (the event loop's clock)."""

_M = TypeVar("_M", bound=Model)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
# Seconds.
_REFUSALS_TOLD_EVERY = 60.0
_PATIENCE = 5.0


class HookService:
    """The common part of `TrackerService` and `CdrHook`: the guard, the limits, the two ways to serve it.

    Attributes:
        stats: Counts.
    """

    def __init__(
        self,
        keys: Sequence[str | SecretStr],
        *,
        insecure: bool,
        once: OnceStore | None,
        max_body: int,
        read_timeout: float,
        handler_timeout: float,
    ) -> None:
        """Check what all services have in common."""
        self.stats = HookStats()
        self._guard = Guard(keys, insecure=insecure)
        self._max_body = positive("max_body", max_body)
        self._read_timeout = positive("read_timeout", read_timeout)
        self._endpoints: dict[str, Endpoint] = {}
        self._strays = Strays()
        self._handlers: list[Handler[object]] = []
        self._repeats = Repeats(
            MemoryOnce() if once is None else once,
            self.stats,
            self._strays,
            limit=positive("the time limit of a handler", handler_timeout),
        )
        self._refusal_told = float("-inf")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(self._endpoints)}>"

    def routes(self, prefix: str = "") -> list[web.RouteDef]:
        """Give the routes for an aiohttp application: `app.add_routes(service.routes())`.

        Args:
            prefix: What stands before the paths, such as `/hooks`.

        Raises:
            ConfigError: The prefix is no path.
        """
        from .aiohttp_routes import route

        before = check_prefix(prefix)
        return [route(self.handle, before + path, path) for path in self._endpoints]

    def asgi(self, prefix: str = "") -> AsgiApp:
        """Give an ASGI application, to be served alone or mounted into another one.

        Args:
            prefix: What stands before the paths, such as `/hooks`; not what a framework mounts it under.

        Raises:
            ConfigError: The prefix is no path.
        """
        from .asgi import AsgiApp

        return AsgiApp(self.handle, self.aclose, check_prefix(prefix))

    async def handle(self, request: HookRequest) -> HookResponse:
        """Answer a request, whatever it is: this is what both ways of serving call.

        Args:
            request: The request.
        """
        try:
            endpoint = self._endpoints.get(request.path)
            if endpoint is None:
                raise Refused(404)
            if request.method != "POST":
                raise Refused(405)
            if not self._guard.lets_in(request.keys):
                raise Refused(401)
            body = await read_body(request, limit=self._max_body, timeout=self._read_timeout)
            return await endpoint(fields_of(body, request.header(b"content-type")), request.arrived)
        except Refused as refused:
            self._tell(refused, request.path)
            return failure(refused.status)
        except Exception:  # noqa: BLE001 - the sender gets no more than "500", and the log all of it
            _log.exception("a request to %s could not be answered", request.path)
            return failure(500)

    async def aclose(self) -> None:
        """Wait a moment for handlers that still run, then cancel them. The service can be used again afterwards.

        An ASGI server does this by itself when it ends; with aiohttp it belongs into `app.on_cleanup`.
        """
        await self._repeats.aclose(_PATIENCE)
        left = await self._strays.aclose(_PATIENCE)
        if left:
            _log.error("%d handlers did not end within %s s of being cancelled", left, _PATIENCE)
        for handler in self._handlers:
            handler.close()

    def _tell(self, refused: Refused, path: str) -> None:
        if refused.status == 401:
            self.stats.refused += 1
            now = time.monotonic()
            # Who guesses keys must not be able to fill the disk.
            if now - self._refusal_told >= _REFUSALS_TOLD_EVERY:
                self._refusal_told = now
                _log.warning("a request to %s had no right X-API-Key (%d so far)", path, self.stats.refused)
        elif refused.status < 500 and refused.status not in (404, 405):
            self.stats.rejected += 1
            _log.warning("a request to %s was not taken: %s", path, refused)

    def _read(self, model: type[_M], fields: dict[str, JsonValue]) -> _M:
        found = read(model, fields)
        if isinstance(found, str):
            _log.warning("%s: %s", model.__name__, found)
            raise Refused(400)
        return found

    def _register(self, function: Callable[..., object], *, arguments: int) -> Handler[object]:
        handler = Handler[object](function, arguments=arguments)
        self._handlers.append(handler)
        return handler

    async def _run_once(self, key: str, handler: Handler[object] | None, *args: object) -> HookResponse:
        if handler is None:
            return success({})
        outcome = await self._repeats.run(key, lambda: handler(*args), threaded=handler.threaded)
        if outcome is Outcome.DONE:
            return success({})
        return failure(500 if outcome is Outcome.FAILED else 503)


def check_prefix(prefix: str) -> str:
    """Give a prefix back if it is one: empty, or a path without a slash at its end.

    Args:
        prefix: The prefix.

    Raises:
        ConfigError: It is none.
    """
    return check_path("prefix", prefix) if prefix else ""


def check_path(name: str, path: str) -> str:
    """Give a path back if it is one.

    Args:
        name: What it is, for the error.
        path: The path.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ConfigError(f"{name} must be a path such as /hooks, without a slash at its end, not {path!r}")
    return path


def check_new(paths: Mapping[str, object], path: str) -> None:
    """Refuse a path that is taken.

    Args:
        paths: What there is.
        path: The path.

    Raises:
        ConfigError: It is there.
    """
    if path in paths:
        raise ConfigError(f"two hooks have the path {path}")


_N = TypeVar("_N", int, float)


def positive(name: str, value: _N) -> _N:
    """Give a number back if it is greater than 0, and finite.

    Args:
        name: What it is, for the error.
        value: The number.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be a number greater than 0, not {value!r}")
    return value

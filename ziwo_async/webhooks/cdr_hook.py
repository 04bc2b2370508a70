"""The CDR web hook: ZIWO sends the record of each call (source: integrators; not on ZIWO's page)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from pydantic import JsonValue, SecretStr

from ..errors import HandlerRejected
from .handler import Handler
from .models import EndCall
from .once import OnceStore
from .request import HookResponse, Refused
from .service import HookService, check_path

__all__ = ["CdrHandler", "CdrHook"]

CdrHandler: TypeAlias = Callable[[EndCall, str], Awaitable[None]] | Callable[[EndCall, str], None]
"""What `on_cdr` takes: gets the CDR and the action. Async, or plain and then called in a thread."""

_C = TypeVar("_C", bound=CdrHandler)
_LONGEST_ACTION = 64


class CdrHook(HookService):
    """Receives `{"action": "create", "content": {...}}`, each call once for each action.

    The same is sent more than once, and a recording that is not ready yet is missing (source: integrators). One hook
    belongs to one event loop.

    Attributes:
        stats: Counts.
    """

    def __init__(
        self,
        *,
        keys: Sequence[str | SecretStr] = (),
        insecure: bool = False,
        once: OnceStore | None = None,
        path: str = "/cdr",
        timeout: float = 60.0,
        max_body: int = 262_144,
        read_timeout: float = 5.0,
    ) -> None:
        """Make a hook; no I/O happens yet.

        Args:
            keys: What ZIWO sends as `x-api-key`; each is enough. At least 16 characters.
            insecure: Whether there may be no key, or a short one.
            once: Where it is noted which CDRs were handled; by default `MemoryOnce`.
            path: The path of the hook.
            timeout: Seconds that the handler may take.
            max_body: Bytes of a body.
            read_timeout: Seconds for a body to come.

        Raises:
            ConfigError: There is no key, or a value makes no sense.
        """
        super().__init__(
            keys,
            insecure=insecure,
            once=once,
            max_body=max_body,
            read_timeout=read_timeout,
            handler_timeout=timeout,
        )
        self._on_cdr: Handler[object] | None = None
        self._endpoints[check_path("path", path)] = self._cdr

    def on_cdr(self, function: _C) -> _C:
        """Register the handler, as a decorator.

        Args:
            function: Gets the CDR and the action (`create`). When it raises, ZIWO is told HTTP 500, and the request may
                come again.

        Raises:
            HandlerRejected: It cannot be called with two arguments, or there is one already.
        """
        if self._on_cdr is not None:
            raise HandlerRejected("there is a handler of CDRs already")
        self._on_cdr = self._register(function, arguments=2)
        return function

    async def _cdr(self, fields: dict[str, JsonValue], arrived: float) -> HookResponse:
        del arrived
        action, content = fields.get("action"), fields.get("content")
        if not isinstance(action, str) or not 0 < len(action) <= _LONGEST_ACTION or not isinstance(content, dict):
            raise Refused(400)
        cdr = self._read(EndCall, content)
        return await self._run_once(f"cdr:{action}:{cdr.key}", self._on_cdr, cdr, action)

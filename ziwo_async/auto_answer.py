"""AutoAnswer: the explicit policy for bots that answer calls by themselves."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import BadArgument, CallEnded, ZiwoError
from .events import Destroy, DialogState, Direction, Ringing
from .router import Router

if TYPE_CHECKING:
    from .phone.call import Call
    from .phone.media import MediaEngine

__all__ = ["AutoAnswer"]

_log = logging.getLogger("ziwo_async.phone")


class AutoAnswer:
    """Answers ringing calls, those that you say and no more than you say.

    ```python
    ziwo = ZiwoClient.from_env(auto_answer=AutoAnswer(when=lambda event: event.customer_number in vip, max_calls=2))
    ```

    Without it nothing is answered by itself, but the eavesdrop calls of `ZiwoClient.eavesdrop`, which are answered by
    their own session and never by this: while one is asked for, a ring waits until it is known whose it is. A call that
    is not answered rings on, for whoever else wants it.
    """

    def __init__(
        self,
        *,
        when: Callable[[Ringing], bool] | None = None,
        media: MediaEngine | None = None,
        max_calls: int | None = None,
    ) -> None:
        """Make a policy; it is given to a client, or its `router` is included somewhere.

        Args:
            when: Which calls; by default all.
            media: Makes the media of these calls, instead of the client's engine.
            max_calls: How many calls that were answered so may be up at once; by default any number.

        Raises:
            BadArgument: `max_calls` is less than 1, or `when` is async.
        """
        if inspect.iscoroutinefunction(when) or inspect.iscoroutinefunction(getattr(when, "__call__", None)):  # noqa: B004
            raise BadArgument("AutoAnswer: when must be a plain function; an async one would answer every call")
        if max_calls is not None and max_calls < 1:
            raise BadArgument(f"AutoAnswer: max_calls must be at least 1, not {max_calls}")
        self._when = when
        self._media = media
        self._most = max_calls
        self._up: set[str] = set()
        self.router = Router()
        self.router.on(Ringing)(self._rings)
        self.router.on(Destroy)(self._over)

    def __repr__(self) -> str:
        return f"<AutoAnswer {len(self._up)} of {self._most if self._most is not None else 'any number of'} calls>"

    @property
    def calls(self) -> int:
        """How many calls that it answered are up."""
        return len(self._up)

    async def _rings(self, call: Call, event: Ringing) -> None:
        await call.settled()
        if call.direction is Direction.SERVICE or call.state is not DialogState.RINGING:
            return
        if self._when is not None and not self._when(event):
            return
        if self._most is not None and len(self._up) >= self._most:
            _log.info("call %s is not answered: %d calls are up", call.id, len(self._up))
            return
        self._up.add(call.id)
        try:
            await call.answer(media=self._media)
        except CallEnded:
            pass  # the caller was quicker; `destroy` has told it
        except ZiwoError as error:
            self._up.discard(call.id)
            _log.warning("call %s could not be answered: %s", call.id, error)

    async def _over(self, call: Call, event: Destroy) -> None:
        self._up.discard(event.call_id)

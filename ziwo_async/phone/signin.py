"""SignIn: from an open socket to a phone that is ready. Log in, wait for `verto.clientReady`, ask for missing calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from ..errors import CallGone, ConnectionLost, DuplicateSession, RequestTimeout, ZiwoError
from ..verto.effects import Ready
from .account import Account
from .connection import Connection
from .core import PhoneCore

__all__ = ["Reunion", "SignIn", "check_there"]

# Our own old socket is being removed when the server says "duplicate" to our own session id (measured: 48 to 53 ms).
_OWN_DUPLICATE = (0.06, 0.3, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Reunion:
    """What the calls became that were there before the connection.

    Attributes:
        kept: Calls that live on; `unknown` included.
        lost: Calls that ended meanwhile.
        unknown: Calls of which we had no record.
        stranded: Calls that the server has, but did not offer again on this connection.
    """

    kept: tuple[str, ...]
    lost: tuple[str, ...]
    unknown: tuple[str, ...]
    stranded: tuple[str, ...]


class SignIn:
    """Makes an open connection a ready phone."""

    def __init__(self, core: PhoneCore) -> None:
        """Make it for a phone.

        Args:
            core: The phone's working parts.
        """
        self._core = core
        # Calls that were found gone by sign-ins of which nothing was told yet: they came to nothing.
        self._gone: list[str] = []

    def told(self) -> None:
        """What the calls became was told: the next sign-in begins anew."""
        self._gone.clear()

    async def __call__(self, connection: Connection, account: Account, *, own: bool) -> Reunion:
        """Log in and wait until the server is ready.

        Args:
            connection: The open connection.
            account: What to log in with.
            own: Whether the session id was in use before, so that "duplicate session" may mean our own old socket.

        Raises:
            DuplicateSession: The agent has a session elsewhere.
            AuthError: The login was refused.
            ConnectionLost: The server closed the connection.
            RequestTimeout: It did not answer in time.
        """
        await self._log_in(account, own=own)
        ready = await self._until_ready(connection)
        stranded: list[str] = []
        for call_id in ready.missing:
            (stranded if await self._is_known(call_id) else self._gone).append(call_id)
        return Reunion((*ready.kept, *ready.unknown), (*ready.lost, *self._gone), ready.unknown, tuple(stranded))

    async def _log_in(self, account: Account, *, own: bool) -> None:
        tries = iter(_OWN_DUPLICATE if own else ())
        while True:
            try:
                await self._core.request(self._core.session.log_in(account.password_hash))
                return
            except DuplicateSession:
                delay = next(tries, None)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            except ConnectionLost as error:
                raise ConnectionLost(
                    f"the phone server closed the connection during the login of {account.login}: {error.reason}",
                    reason=error.reason,
                    close_code=error.close_code,
                ) from None

    async def _until_ready(self, connection: Connection) -> Ready:
        ready = self._core.ready
        assert ready is not None  # set by core.begin just before
        lost = asyncio.ensure_future(connection.lost.wait())
        either: list[asyncio.Future[Any]] = [ready, lost]
        limit = self._core.timeouts.login
        try:
            await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        check_there(connection)
        if ready.done():
            return ready.result()
        raise RequestTimeout(f"the server accepted the login, but sent no verto.clientReady in {limit:g} s")

    async def _is_known(self, call_id: str) -> bool:
        """Ask for an answered call that was not offered again. When it is gone, the reply has told so already."""
        try:
            await self._core.request(self._core.session.ask(call_id), ask_again=False)
        except CallGone:
            return False
        except ConnectionLost:
            raise
        except ZiwoError:
            # No clear word: then it is asked for in the other way, with one more login.
            return True
        return True


def check_there(connection: Connection) -> None:
    """Refuse to go on with a connection that has ended.

    Raises:
        ConnectionLost: It has.
    """
    if connection.lost.is_set():
        raise ConnectionLost(
            f"the connection was lost before the phone was ready: {connection.reason}",
            reason=connection.reason,
            close_code=connection.close_code,
        )

"""ZiwoClient, the front door: the REST resources, the phone, the live feed, the events, and `run()`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl as tls
import sys
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, get_args

from pydantic import JsonValue, SecretStr

from ._running import Source, run_until_stopped
from .auto_answer import AutoAnswer
from .config import Buffers, Liveness, ReconnectPolicy, RetryPolicy, Settings, Timeouts
from .dispatch.owner import finish
from .dispatch.streams import EventStream, Expectation, Overflow
from .errors import AuthError, ConfigError, SessionTakenOver, TransportError, ZiwoError
from .events import Event
from .phone.account import Account
from .phone.connection import Connector, open_socket
from .phone.keeper import LedgerStore
from .phone.limiter import PROCESS_LIMITER, LoginLimiter
from .phone.media import MediaEngine
from .phone.phone import CallsOnStop, Phone
from .rest.api import RestApi
from .rest.auth import Credentials, CredentialsProvider
from .rest.envelope import Reply
from .rest.prepared import Form, Params
from .rest.transport import CredentialKind, Transport
from .router import Router
from .spend import SpendGuard, SpendPolicy
from .whisper import WhisperSession

if TYPE_CHECKING:
    import aiohttp

    from .live.feed import LiveFeed
    from .rest.eavesdrops import Whisper

__all__ = ["EXIT_CODES", "ZiwoClient", "exit_code"]

_log = logging.getLogger("ziwo_async")

E = TypeVar("E", bound=Event)

EXIT_CODES = {
    "stopped": 0,
    "failed": 1,
    "configuration": 2,
    "authentication": 3,
    "connection": 4,
    "taken over": 5,
    "forced": 6,
}
"""Exit codes of `run()`: how the program ended."""


class ZiwoClient(RestApi):
    """A ZIWO contact centre, seen as one user.

    ```python
    async with ZiwoClient("acme", username="agent@acme.example", password=secret) as ziwo:
        print((await ziwo.session.profile()).cc_login)   # REST only: no phone is started
        async with ziwo.phone:
            call = await ziwo.phone.dial("+97150000000")
    ```
    """

    def __init__(
        self,
        contact_center: str | None = None,
        *,
        username: str | None = None,
        password: str | SecretStr | None = None,
        token: str | SecretStr | None = None,
        credentials: CredentialsProvider | None = None,
        api_key: str | SecretStr | None = None,
        position: str | None = None,
        api_url: str | None = None,
        verto_url: str | None = None,
        http: aiohttp.ClientSession | None = None,
        router: Router | None = None,
        media: MediaEngine | None = None,
        auto_answer: AutoAnswer | None = None,
        spend: SpendPolicy | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        reconnect: ReconnectPolicy | None = None,
        liveness: Liveness | None = None,
        buffers: Buffers | None = None,
        ssl: tls.SSLContext | None = None,
        autologin: bool = True,
        strict_flows: bool = False,
        session_id: str | SecretStr | None = None,
        connector: Connector = open_socket,
        ledger: LedgerStore | None = None,
        login_limiter: LoginLimiter = PROCESS_LIMITER,
    ) -> None:
        """Make a client; no I/O happens yet.

        Args:
            contact_center: The contact centre's name, in any spelling: `acme`, `acme.aswat.co`, a URL.
            username: E-mail address of the agent.
            password: Their password.
            token: An access token from elsewhere, instead of (or before) user and password.
            credentials: An async function that gives credentials, asked at each login; instead of the three above.
            api_key: The instance's key for CTI routes (`ziwo.cti`), from ZIWO's support. With it alone, only those can
                be used.
            position: Name of the agent's position; `agent-<ccLogin>` by default.
            api_url: REST address, instead of the one made from the name.
            verto_url: Phone address, instead of the one the server tells.
            http: An aiohttp session to borrow; it is never closed here.
            router: Handlers to start with.
            media: Makes the media of calls; by default there is no audio.
            auto_answer: Which calls are answered by themselves; by default none.
            spend: What may be dialled, and how often: asked before each click to call, dial and eavesdrop.
            timeouts: Time limits.
            retry: How REST reads are retried.
            reconnect: How the phone and the live feed reconnect.
            liveness: When the phone looks for signs of life.
            buffers: How many events may wait for handlers.
            ssl: TLS settings, such as a private certificate authority.
            autologin: Tell ZIWO that the agent's position is connected once the phone is ready, and disconnected in the
                end (`PUT /agents/autologin`, `PUT /agents/logout`): without it the agent gets no queue calls.
            strict_flows: Close with `FlowBroken` at the first `FlowViolation`; for tests.
            session_id: Verto session id to take up (a secret); by default a new one.
            ledger: Where to keep what a restarted program needs to take its calls over, such as `SqliteStore(path)`; by
                default nothing is written.
            login_limiter: How many phones may log in within a second; by default 20 in the whole process.
            connector: Opens the phone's websocket; by default the library `websockets`.

        Raises:
            ConfigError: Something is wrong or missing.
        """
        # Wrapped first: whatever shows the frames of an error with their variables must not find them.
        password = SecretStr(password) if isinstance(password, str) else password
        token = SecretStr(token) if isinstance(token, str) else token
        api_key = SecretStr(api_key) if isinstance(api_key, str) else api_key
        if credentials is not None and (username or password or token):
            raise ConfigError("give either credentials= or username, password and token; not both")
        self._settings = Settings(
            contact_center=contact_center,
            username=username,
            password=password,
            token=token,
            api_key=api_key,
            needs_login=credentials is None,
            api_url=api_url,
            verto_url=verto_url,
            position=position,
        )
        if credentials is None and (token is not None or username is not None):
            proof: Credentials | CredentialsProvider | None = Credentials(
                username=username, password=password, token=token
            )
        else:
            proof = credentials
        transport = Transport(
            self._settings.base_url, proof, api_key=api_key, http=http, timeouts=timeouts, retry=retry, ssl=ssl
        )
        guard = SpendGuard(spend) if spend is not None else None
        super().__init__(transport, guard)
        self._timeouts = timeouts or Timeouts()
        self._reconnect = reconnect
        self._buffers = buffers
        self._tls = ssl
        self._autologin = autologin
        self._connected_position = False
        self._account: Account | None = None
        self._closer: asyncio.Task[None] | None = None
        self.phone = Phone(
            self._get_account,
            router=router,
            media=media,
            timeouts=timeouts,
            reconnect=reconnect,
            liveness=liveness,
            buffers=buffers,
            connector=connector,
            ledger=ledger,
            limiter=login_limiter,
            guard=guard,
            tls=ssl,
            on_ready=self._position_connected,
            strict_flows=strict_flows,
            session_id=session_id.get_secret_value() if isinstance(session_id, SecretStr) else session_id,
        )
        if auto_answer is not None:
            self.include(auto_answer.router)

    @classmethod
    def from_env(
        cls,
        *,
        http: aiohttp.ClientSession | None = None,
        router: Router | None = None,
        media: MediaEngine | None = None,
        auto_answer: AutoAnswer | None = None,
        spend: SpendPolicy | None = None,
        timeouts: Timeouts | None = None,
        reconnect: ReconnectPolicy | None = None,
        buffers: Buffers | None = None,
        ledger: LedgerStore | None = None,
        connector: Connector = open_socket,
        strict_flows: bool = False,
    ) -> Self:
        """Make a client from the environment.

        Read are `ZIWO_CONTACT_CENTER`, `ZIWO_USERNAME` and `ZIWO_PASSWORD` (or `ZIWO_TOKEN`), and where set
        `ZIWO_API_URL`, `ZIWO_VERTO_URL`, `ZIWO_POSITION` and `ZIWO_API_KEY`. Nothing else reads the environment.

        Args:
            http: An aiohttp session to borrow.
            router: Handlers to start with.
            media: Makes the media of calls.
            auto_answer: Which calls are answered by themselves; by default none.
            spend: What may be dialled, and how often.
            timeouts: Time limits.
            reconnect: How the phone reconnects.
            buffers: How many events may wait for handlers.
            ledger: Where to keep what a restarted program needs to take its calls over.
            connector: Opens the phone's websocket, such as `Recorder(path).connector()`.
            strict_flows: Close with `FlowBroken` at the first `FlowViolation`; for tests.

        Raises:
            ConfigError: A variable is missing or wrong; the text names it.
        """
        settings = Settings.from_env()
        return cls(
            settings.contact_center,
            username=settings.username,
            password=settings.password,
            token=settings.token,
            api_key=settings.api_key,
            position=settings.position,
            api_url=settings.api_url,
            verto_url=settings.verto_url,
            http=http,
            router=router,
            media=media,
            auto_answer=auto_answer,
            spend=spend,
            timeouts=timeouts,
            reconnect=reconnect,
            buffers=buffers,
            ledger=ledger,
            connector=connector,
            strict_flows=strict_flows,
        )

    @cached_property
    def live(self) -> LiveFeed:
        """The live feed: everybody's calls and presence, without touching anybody's phone. `async with ziwo.live`.

        It has handlers and events of its own (`ziwo.live.include`, `ziwo.live.events`). Needs the extra `live`.
        """
        from .live.feed import LiveFeed  # its models are slow to import, and not every program wants them

        return LiveFeed(
            self._settings.base_url,
            token=self._transport.access_token,
            reconnect=self._reconnect,
            ssl=self._tls,
            timeouts=self._timeouts,
            buffers=self._buffers,
        )

    @property
    def _live_if_used(self) -> LiveFeed | None:
        used: LiveFeed | None = self.__dict__.get("live")
        return used

    def __repr__(self) -> str:
        settings: Settings | None = vars(self).get("_settings")
        if settings is None:
            return "<ZiwoClient not made>"  # shown with the frames of an error in __init__
        by = "by api_key" if settings.token is None and settings.api_key is not None else "by token"
        return f"<ZiwoClient {settings.base_url} {settings.username or by}>"

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close phone and live feed, log position and session out, close what is ours. Safe twice; bounded in time."""
        if self._live_if_used is not None:
            await self._live_if_used.aclose()
        await self.phone.aclose()
        if self._closer is None:
            self._closer = asyncio.create_task(self._log_out(), name="ziwo_async:client: close")
        await finish(self._closer)

    async def _log_out(self) -> None:
        try:
            async with asyncio.timeout(self._timeouts.close):
                if self._connected_position:
                    await self.agent.logout()
                await self._transport.logout(for_good=True)
        except (ZiwoError, TimeoutError) as error:
            _log.debug("the log-out did not work out: %s", error)
        finally:
            await self._transport.aclose()

    async def drain(self, timeout: float = 30.0, *, calls: CallsOnStop = "hangup") -> None:
        """Come to an orderly end: no new calls, running handlers finish, then everything is closed.

        Args:
            timeout: Seconds for all that; what runs on then is cancelled.
            calls: What becomes of calls that are up: `hangup`, let them `finish` by themselves, or `keep` them alive on
                the server for the next process (see `Phone.drain`).
        """
        live = self._live_if_used
        if live is None:
            await self.phone.drain(timeout, calls=calls)
        else:
            await asyncio.gather(live.drain(timeout), self.phone.drain(timeout, calls=calls))
        await self.aclose()

    async def abort(self) -> None:
        """Close at once: no goodbye to anyone, handlers are cancelled."""
        if self._live_if_used is not None:
            await self._live_if_used.abort()
        await self.phone.abort()
        if self._closer is None:
            self._closer = asyncio.create_task(self._transport.aclose(), name="ziwo_async:client: close")
        await finish(self._closer)

    def run(
        self,
        router: Router | None = None,
        *,
        drain_timeout: float = 30.0,
        calls_on_stop: CallsOnStop = "hangup",
        source: Source = "phone",
    ) -> None:
        """Run the phone until SIGINT or SIGTERM, or an error that is final. Blocks; starts its own event loop.

        With `source="live"` it is the live feed that runs, and no phone: handlers get the events of every agent, and
        take `(event)` alone.

        The first signal drains (see `drain`), a second one forces the end.

        Args:
            router: Handlers to add first.
            drain_timeout: Seconds that running handlers and calls get after the first signal.
            calls_on_stop: What becomes of calls that are up: `hangup`, `finish`, or `keep` for the next process.
            source: Where the events come from: `phone`, or `live` for the live feed.

        Raises:
            HandlerRejected: `source="live"`, and a handler wants a call to act on.
            ConfigError: `source` is neither of the two words.
            SystemExit: It did not end by one signal; the code says why (`EXIT_CODES`): 1 unexpected, 2 configuration,
                3 authentication, 4 connection, 5 another client took the session, 6 forced by a second signal. The
                reason is written to stderr.
        """
        if source not in get_args(Source):
            raise ConfigError(f"run: source={source!r} is none of {', '.join(get_args(Source))}")
        if router is not None:
            (self.live if source == "live" else self).include(router)
        try:
            code = EXIT_CODES[asyncio.run(run_until_stopped(self, drain_timeout, calls_on_stop, source))]
        except ZiwoError as error:
            sys.stderr.write(f"ziwo_async: {error}\n")
            code = exit_code(error)
        if code:
            raise SystemExit(code)

    # -- events ----------------------------------------------------------------

    def include(self, router: Router) -> None:
        """Add the handlers of a router.

        Raises:
            HandlerRejected: The routers would include each other.
        """
        self.phone.router.include(router)

    def events(self, kind: type[E], *, buffer: int = 1000, overflow: Overflow = "drop_oldest") -> EventStream[E]:
        """Read events as an async iterator, from `async with` on.

        Args:
            kind: A class of events; its children are seen too (`Event` for all).
            buffer: How many unread events are kept.
            overflow: What to do with one more: `drop_oldest`, `drop_newest`, or `fail` the reader
                (`StreamOverflow`). Dropped events are counted in `.dropped`.

        Raises:
            ConfigError: `buffer` or `overflow` make no sense.
        """
        return EventStream(self.phone.dispatcher, kind, buffer=buffer, overflow=overflow)

    def expect(
        self, kind: type[E], *, where: Callable[[E], bool] | None = None, timeout: float | None = None
    ) -> Expectation[E]:
        """Arm first, then act: the event is awaited at the end of the `async with` block and is then in `.event`.

        Args:
            kind: A class of events.
            where: Which of them; None for the next.
            timeout: Seconds to wait at the end of the block (`ExpectTimeout`); None waits for ever.
        """
        return Expectation(self.phone.dispatcher, kind, where, timeout)

    # -- whisper ---------------------------------------------------------------

    def eavesdrop(
        self, agent: str, *, whisper: Whisper = "none", position: str | None = None, answer_within: float = 15.0
    ) -> WhisperSession:
        """Listen to an agent's calls, and speak to the agent: `async with ziwo.eavesdrop("5555") as session`.

        The call is asked for, recognised when it rings at our phone, and answered, all on entering the block; leaving
        it hangs up. The phone must be started, and the user needs the role permission `eavesdrop`.
        (`POST /live/calls/eavesdrop/{agent}`; source: ZIWO docs)

        Args:
            agent: The agent, by ccLogin such as `5555`.
            whisper: Who hears us: `agent`, `both` (agent and customer) or `none`.
            position: The position to ring; our default one when None.
            answer_within: Seconds from the request until the call must be answered, 60 at most.

        Raises:
            BadArgument: An argument can never work. On entering the block:
            Forbidden: The user lacks the permission.
            AgentNotFound: There is no such agent.
            PositionNotConnected: Our position is not connected.
            EavesdropTimeout: The call did not ring, or could not be answered, in time.
            CallEnded: The call ended before it was answered; the text says by whom.
            SpendRefused: The program's own `SpendPolicy` forbids it.
        """
        return WhisperSession(
            self.phone, self.eavesdrops, agent, whisper=whisper, position=position, answer_within=answer_within
        )

    # -- REST ------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Form | None = None,
        json: JsonValue = None,
        credential: CredentialKind = "token",
    ) -> Reply:
        """Send any REST request: the door to every route that has no method of its own here.

        Args:
            method: HTTP method.
            path: Path from the root, such as `/admin/numbers/`.
            params: Query parameters.
            form: Body, form-encoded.
            json: Body, as JSON; not together with `form`.
            credential: What the request proves itself with: the access `token`, the `api_key` (CTI), or `none`.

        Raises:
            ZiwoError: See `errors`; each failure has its class.
        """
        return await self._transport.request(method, path, params=params, form=form, json=json, credential=credential)

    # -- the phone's login -----------------------------------------------------

    async def _get_account(self, fresh: bool) -> Account:
        if self._account is not None and not fresh:
            return self._account
        profile = await self.session.profile()
        if profile.cc_login is None or profile.cc_password is None:
            raise ConfigError(
                f"the user {profile.username or self._settings.username} has no phone: the profile has no ccLogin or "
                "no ccPassword, so it is not an agent of this contact centre"
            )
        url = self._settings.verto_url
        if url is None:
            url = (await self.session.webrtc_config()).verto_url(self._settings.base_url)
        # ZIWO's own clients derive the position's password so; MD5 is its choice, not ours.
        secret = profile.cc_login + profile.cc_password.get_secret_value()
        digest = hashlib.md5(secret.encode(), usedforsecurity=False).hexdigest()
        login = self._settings.position or f"agent-{profile.cc_login}"
        self._account = Account(login=login, password_hash=digest, url=url)
        return self._account

    async def _position_connected(self) -> None:
        if not self._autologin:
            return
        try:
            await self.agent.autologin(self._settings.position)
            self._connected_position = True
        except ZiwoError as error:
            if not self._connected_position:
                raise
            # The phone works without it; ZIWO may hold queue calls back until the next one.
            _log.warning("the position could not be reported as connected after the reconnect: %s", error)


def exit_code(error: ZiwoError) -> int:
    """The exit code that `run()` and the command line choose for an error."""
    if isinstance(error, SessionTakenOver):
        return EXIT_CODES["taken over"]
    if isinstance(error, ConfigError):
        return EXIT_CODES["configuration"]
    if isinstance(error, AuthError):
        return EXIT_CODES["authentication"]
    return EXIT_CODES["connection"] if isinstance(error, TransportError) else EXIT_CODES["failed"]

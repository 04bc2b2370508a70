"""The one error tree of the package.

Every error derives from `ZiwoError`, says what happened, on which call or request, and whether trying again
can help (``retryable``)::

    ZiwoError
      ConfigError                  wrong or missing settings; raised before any I/O
        InvalidInstanceName        the contact-centre name is not one DNS label
        BadArgument                (also ValueError) an argument that could never work
        HandlerRejected            (also TypeError) a handler that could never work
      TransportError               the network, not the peer's opinion
        CannotConnect              nothing answers, TLS failure, wrong host
        ConnectionLost             the socket ended; every pending request fails with it
        RequestTimeout             (also TimeoutError) no reply within the limit
      AuthError                    the server knows who we say we are, and refuses
        BadCredentials             wrong user, password or token
        TokenExpired               the access token is no longer valid
        Forbidden                  logged in, but without the permission
        DuplicateSession           the agent has a session elsewhere (Verto -32003)
        SessionTakenOver           another client took our session (verto.punt)
      ProtocolError                the peer spoke, but not the protocol
        BadFrame                   a frame that is no JSON-RPC, too large or too deep
      ApiError                     a REST answer that is an error
        NotFound                   no such thing, or no such route
          RecordingNotReady        no recording of this call (yet)
          AgentNotFound            there is no such agent to listen to
        Conflict                   the state of the thing does not allow the request
          PositionNotConnected     our own phone is not connected, so nothing can ring there
        RateLimited, ServerError, DecodeError
      VertoError                   a Verto request was refused (code, message)
      CallError                    something about one call
        CallRefused                the server did not take the call
        CallEnded                  the call ended before what was waited for
        CallGone                   the server does not know the call any more
        WrongState                 the command makes no sense in the call's state
        MediaError                 the two sides could not agree on media
        TransferFailed             a transfer or a replace was refused
        FlowBroken                 strict_flows: the call left the documented flow
      StoreError                   what is kept on disk cannot be read or written
        LedgerError                the stored ledger of the calls cannot be read or written
        PlaceError                 the stored place of a feed cannot be read or written
      MaskTaken                    on this number one of the two already reaches somebody else
      EavesdropTimeout             (also TimeoutError) the eavesdrop call did not ring, or was not answered, in time
      ExpectTimeout                (also TimeoutError) the awaited event did not come
      SpendRefused                 the program's own SpendPolicy forbids it; nothing was sent
      StreamOverflow               an event stream with overflow="fail" was read too slowly
      ClientClosed                 the client is closed, or closes now

The text of an error is for people and may change; types and attributes are the contract.
No error ever carries a password, a token or a session id.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "AgentNotFound",
    "ApiError",
    "ApiWarning",
    "AuthError",
    "BadArgument",
    "BadCredentials",
    "BadFrame",
    "CallEnded",
    "CallError",
    "CallGone",
    "CallRefused",
    "CannotConnect",
    "ClientClosed",
    "ConfigError",
    "Conflict",
    "ConnectionLost",
    "DecodeError",
    "DuplicateSession",
    "EavesdropTimeout",
    "ExpectTimeout",
    "FlowBroken",
    "Forbidden",
    "HandlerRejected",
    "InvalidInstanceName",
    "LedgerError",
    "MaskTaken",
    "MediaError",
    "NotFound",
    "PlaceError",
    "PositionNotConnected",
    "ProtocolError",
    "RateLimited",
    "RecordingNotReady",
    "RequestTimeout",
    "ServerError",
    "SessionTakenOver",
    "SpendRefused",
    "StoreError",
    "StreamOverflow",
    "TokenExpired",
    "TransferFailed",
    "TransportError",
    "VertoError",
    "WrongState",
    "ZiwoError",
]


class ZiwoError(Exception):
    """Base of every error this package raises.

    Attributes:
        retryable: Whether the same call may succeed when made again later, unchanged. A class says what is usual;
            where another try could call a customer twice, the error itself says no.
    """

    retryable: bool = False


class ConfigError(ZiwoError):
    """A setting is wrong or missing. Raised before any I/O."""


class InvalidInstanceName(ConfigError):
    """The contact-centre name cannot be turned into a ZIWO host."""


class BadArgument(ConfigError, ValueError):
    """An argument that could never work: no number to dial, a DTMF digit that does not exist, ..."""


class HandlerRejected(ConfigError, TypeError):
    """A handler was refused at registration: not async, wrong event type or wrong number of arguments."""


class TransportError(ZiwoError):
    """The network failed; nothing is known about what the peer thinks."""

    retryable = True


class CannotConnect(TransportError):
    """No connection could be made: DNS, refused, unreachable, TLS, or a failed websocket handshake."""


class ConnectionLost(TransportError):
    """The connection ended while it was needed.

    Attributes:
        reason: One word or short sentence for people.
        close_code: The websocket close code, when there was a close frame.
    """

    def __init__(self, message: str, *, reason: str = "", close_code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.close_code = close_code


class RequestTimeout(TransportError, TimeoutError):
    """The peer did not answer a request within its time limit. The request may still have had its effect."""


class AuthError(ZiwoError):
    """Authentication or authorisation failed.

    Attributes:
        status: HTTP status code; None when it was no REST request that was refused, but the phone's login.
        message: The server's own words, when there were any.
        method: HTTP method of the request, or None.
        path: Path of the request, without query, or None.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        message: str = "",
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.message = message
        self.method = method
        self.path = path


class BadCredentials(AuthError):
    """User, password or token are wrong. Trying again with the same ones cannot help."""


class TokenExpired(AuthError):
    """The access token is no longer valid and no credentials are known to get a new one."""


class Forbidden(AuthError):
    """The login is good, but lacks the permission (ZIWO: `role.permissions`)."""


class DuplicateSession(AuthError):
    """The agent already has a Verto session somewhere else (code -32003 of ZIWO's server).

    Someone is logged in, or an old connection of ours died without a word (the server can take 16 minutes to
    notice), or a socket with a wrong password is open. It says nothing about the password.
    """

    retryable = True


class SessionTakenOver(AuthError):
    """Another client logged in with our session id (`verto.punt`). Never fought: both would lose."""


class ProtocolError(ZiwoError):
    """The peer sent something that is not the protocol."""


class BadFrame(ProtocolError):
    """A frame could not be encoded or decoded: not JSON-RPC 2.0, too large, or nested too deep."""


class ApiError(ZiwoError):
    """A REST request was answered with an error.

    Attributes:
        status: HTTP status code (200 is possible: ZIWO answers some failures with `result: false`).
        message: The server's own words, when there were any.
        method: HTTP method of the request.
        path: Path of the request, without query.
    """

    def __init__(self, message: str, *, status: int, method: str, path: str) -> None:
        super().__init__(f"{method} {path} failed with HTTP {status}: {message or 'no reason given'}")
        self.status = status
        self.message = message
        self.method = method
        self.path = path


class NotFound(ApiError):
    """HTTP 404: no such thing, or a route this server does not have."""


class RecordingNotReady(NotFound):
    """There is no recording of this call: not yet (it takes a while after the hangup), or not at all."""

    retryable = True


class AgentNotFound(NotFound):
    """There is no agent with that number to listen to."""


class Conflict(ApiError):
    """HTTP 409 or 412: the state of the thing does not allow the request."""


class PositionNotConnected(Conflict):
    """The position that was to ring is not connected. Start the phone first (`async with ziwo.phone`)."""


class RateLimited(ApiError):
    """HTTP 429.

    Attributes:
        retry_after: Seconds the server asked to wait, if it said so.
    """

    retryable = True

    def __init__(self, message: str, *, status: int, method: str, path: str, retry_after: float | None = None) -> None:
        super().__init__(message, status=status, method=method, path=path)
        self.retry_after = retry_after


class ApiWarning(UserWarning):
    """The server did what it was asked, and said something in `info`: that the route is deprecated, for instance."""


class ServerError(ApiError):
    """HTTP 5xx."""

    retryable = True


class DecodeError(ApiError):
    """The answer is not what this route is known to answer."""


class VertoError(ZiwoError):
    """The Verto server refused a request.

    Attributes:
        code: JSON-RPC error code (-32000, -32001, -32002, ...), or None: mod_verto leaves it out at times.
        message: The server's words.
        method: The method that was refused.
    """

    def __init__(self, message: str, *, code: int | None, method: str) -> None:
        shown = "no code" if code is None else str(code)
        super().__init__(f"{method} was refused by the server: {message or 'no reason given'} ({shown})")
        self.code = code
        self.message = message
        self.method = method


class CallError(ZiwoError):
    """Something about one call.

    Attributes:
        call_id: The call's id (`callID` of the leg).
    """

    def __init__(self, message: str, *, call_id: str) -> None:
        super().__init__(f"call {call_id}: {message}")
        self.call_id = call_id


class CallRefused(CallError):
    """The server did not take the call.

    Attributes:
        cause: FreeSWITCH hang-up cause, such as `DESTINATION_OUT_OF_ORDER`.
        cause_code: Its number (may be over 127).
    """

    def __init__(self, message: str, *, call_id: str, cause: str | None = None, cause_code: int | None = None) -> None:
        super().__init__(message, call_id=call_id)
        self.cause = cause
        self.cause_code = cause_code


class CallEnded(CallError):
    """The call ended before the thing that was waited for came.

    Attributes:
        cause: FreeSWITCH hang-up cause, such as `NORMAL_CLEARING`.
        cause_code: Its number.
    """

    def __init__(self, message: str, *, call_id: str, cause: str | None = None, cause_code: int | None = None) -> None:
        super().__init__(message, call_id=call_id)
        self.cause = cause
        self.cause_code = cause_code


class CallGone(CallError):
    """The server does not know the call any more (`CALL DOES NOT EXIST`)."""


class WrongState(CallError):
    """The command makes no sense in the state the call is in.

    Attributes:
        state: The state the call is in.
    """

    def __init__(self, message: str, *, call_id: str, state: str) -> None:
        super().__init__(message, call_id=call_id)
        self.state = state


class MediaError(CallError):
    """The two sides could not agree on media (`CODEC ERROR`, `MEDIA ERROR`), or the engine failed."""


class TransferFailed(CallError):
    """The server refused a transfer or a replace (for instance: `call is not bridged`)."""


class FlowBroken(CallError):
    """Raised instead of publishing `FlowViolation` when `strict_flows` is on (meant for tests)."""


class StoreError(ZiwoError):
    """What is kept on disk cannot be read or written: the file is damaged, full or locked.

    `retryable` is True while another program has the file locked.
    """


class LedgerError(StoreError):
    """The stored ledger cannot be read or written: damaged, of a later version, or sealed with another key."""


class PlaceError(StoreError):
    """What a feed of calls has stored cannot be read or written: the file is damaged, full or locked."""


class MaskTaken(ZiwoError):
    """On each number that was tried, one of the two reaches somebody else already (`MaskingTable`); nothing is changed.

    Attributes:
        dids: The numbers.
    """

    def __init__(self, message: str, *, dids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.dids = dids


class EavesdropTimeout(ZiwoError, TimeoutError):
    """The eavesdrop call was made, but did not ring at our phone, or could not be answered, within the time given.

    Attributes:
        agent: The agent to listen to.
        call_id: The eavesdrop call; when it rings after all, it is turned away.
    """

    retryable = True

    def __init__(self, message: str, *, agent: str, call_id: str) -> None:
        super().__init__(message)
        self.agent = agent
        self.call_id = call_id


class ExpectTimeout(ZiwoError, TimeoutError):
    """The awaited event did not come within the time given."""

    retryable = True


class SpendRefused(ZiwoError):
    """The program's own `SpendPolicy` forbids what would cost money or ring somebody. Nothing was sent.

    `retryable` is True for the reason `rate` only.

    Attributes:
        reason: `prefix`: the number has none of the allowed ones. `rate`: too many within a minute. `dry run`: nothing
            is allowed out.
        number: The number as it was given; None when there is none (eavesdrop).
        retry_after: Seconds until the rate has room again; None for the other reasons.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: Literal["prefix", "rate", "dry run"],
        number: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.number = number
        self.retry_after = retry_after
        self.retryable = reason == "rate"


class StreamOverflow(ZiwoError):
    """A stream opened with `overflow="fail"` was read too slowly.

    Attributes:
        dropped: How many events could not be kept.
    """

    def __init__(self, message: str, *, dropped: int) -> None:
        super().__init__(message)
        self.dropped = dropped


class ClientClosed(ZiwoError):
    """The client (or its phone) is closed, or was never started."""

"""ziwo_async: the asyncio SDK for ZIWO contact centres.

The public names, nothing else. They load on first use, so that `import ziwo_async` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import EXIT_CODES, ZiwoClient, exit_code
    from .config import Buffers, Liveness, ReconnectPolicy, RetryPolicy, Settings, Timeouts
    from .errors import (
        ApiError,
        AuthError,
        BadArgument,
        BadCredentials,
        BadFrame,
        CallEnded,
        CallError,
        CallGone,
        CallRefused,
        CannotConnect,
        ClientClosed,
        ConfigError,
        Conflict,
        ConnectionLost,
        DecodeError,
        DuplicateSession,
        ExpectTimeout,
        FlowBroken,
        Forbidden,
        HandlerRejected,
        InvalidInstanceName,
        LedgerError,
        MediaError,
        NotFound,
        ProtocolError,
        RateLimited,
        RequestTimeout,
        ServerError,
        SessionTakenOver,
        StreamOverflow,
        TokenExpired,
        TransferFailed,
        TransportError,
        VertoError,
        WrongState,
        ZiwoError,
    )
    from .events import (
        Active,
        AgentMessage,
        Answering,
        CallData,
        CallEvent,
        Destroy,
        DialogEvent,
        DialogState,
        Direction,
        Early,
        Event,
        EventsDropped,
        FlowViolation,
        HandlerFailed,
        Hangup,
        HangupBy,
        Held,
        LoginBlocked,
        Muted,
        PartyChanged,
        Recovering,
        Requesting,
        Ringing,
        SessionClosed,
        SessionEvent,
        SessionLost,
        SessionReady,
        SessionRestored,
        SlowConsumer,
        StateFlowItem,
        TextMessage,
        Trying,
        UnknownFrame,
        Unmuted,
        parse_event,
    )
    from .phone.call import Call
    from .phone.keeper import LedgerStore, MemoryStore
    from .phone.limiter import LoginLimiter
    from .phone.media import MediaEngine, MediaSession, NullMedia
    from .phone.phone import Phone
    from .phone.recorder import Recorder
    from .phone.sqlite import SqliteStore
    from .phone.streams import EventStream, Expectation
    from .phone.transfer import AttendedTransfer
    from .rest.auth import Credentials
    from .rest.envelope import Reply
    from .rest.models import Profile, WebrtcConfig
    from .router import Router
    from .verto.flow import FlowChecker, FlowReport, Verdict, check_flow

__version__ = "0.1.0"

_HOME = {
    "client": ("EXIT_CODES", "ZiwoClient", "exit_code"),
    "config": ("Buffers", "Liveness", "ReconnectPolicy", "RetryPolicy", "Settings", "Timeouts"),
    "errors": (
        "ApiError", "AuthError", "BadArgument", "BadCredentials", "BadFrame", "CallEnded", "CallError", "CallGone",
        "CallRefused", "CannotConnect", "ClientClosed", "ConfigError", "Conflict", "ConnectionLost", "DecodeError",
        "DuplicateSession", "ExpectTimeout", "FlowBroken", "Forbidden", "HandlerRejected", "InvalidInstanceName",
        "LedgerError", "MediaError", "NotFound", "ProtocolError", "RateLimited", "RequestTimeout", "ServerError",
        "SessionTakenOver", "StreamOverflow", "TokenExpired", "TransferFailed", "TransportError", "VertoError",
        "WrongState", "ZiwoError",
    ),
    "events": (
        "Active", "AgentMessage", "Answering", "CallData", "CallEvent", "Destroy", "DialogEvent", "DialogState",
        "Direction", "Early", "Event", "EventsDropped", "FlowViolation", "HandlerFailed", "Hangup", "HangupBy", "Held",
        "LoginBlocked", "Muted", "PartyChanged", "Recovering", "Requesting", "Ringing", "SessionClosed", "SessionEvent",
        "SessionLost", "SessionReady", "SessionRestored", "SlowConsumer", "StateFlowItem", "TextMessage", "Trying",
        "UnknownFrame", "Unmuted", "parse_event",
    ),
    "phone.call": ("Call",),
    "phone.streams": ("EventStream", "Expectation"),
    "phone.keeper": ("LedgerStore", "MemoryStore"),
    "phone.limiter": ("LoginLimiter",),
    "phone.media": ("MediaEngine", "MediaSession", "NullMedia"),
    "phone.phone": ("Phone",),
    "phone.recorder": ("Recorder",),
    "phone.sqlite": ("SqliteStore",),
    "phone.transfer": ("AttendedTransfer",),
    "rest.auth": ("Credentials",),
    "rest.envelope": ("Reply",),
    "rest.models": ("Profile", "WebrtcConfig"),
    "router": ("Router",),
    "verto.flow": ("FlowChecker", "FlowReport", "Verdict", "check_flow"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "EXIT_CODES",
    "Active",
    "AgentMessage",
    "Answering",
    "ApiError",
    "AttendedTransfer",
    "AuthError",
    "BadArgument",
    "BadCredentials",
    "BadFrame",
    "Buffers",
    "Call",
    "CallData",
    "CallEnded",
    "CallError",
    "CallEvent",
    "CallGone",
    "CallRefused",
    "CannotConnect",
    "ClientClosed",
    "ConfigError",
    "Conflict",
    "ConnectionLost",
    "Credentials",
    "DecodeError",
    "Destroy",
    "DialogEvent",
    "DialogState",
    "Direction",
    "DuplicateSession",
    "Early",
    "Event",
    "EventStream",
    "EventsDropped",
    "ExpectTimeout",
    "Expectation",
    "FlowBroken",
    "FlowChecker",
    "FlowReport",
    "FlowViolation",
    "Forbidden",
    "HandlerFailed",
    "HandlerRejected",
    "Hangup",
    "HangupBy",
    "Held",
    "InvalidInstanceName",
    "LedgerError",
    "LedgerStore",
    "Liveness",
    "LoginBlocked",
    "LoginLimiter",
    "MediaEngine",
    "MediaError",
    "MediaSession",
    "MemoryStore",
    "Muted",
    "NotFound",
    "NullMedia",
    "PartyChanged",
    "Phone",
    "Profile",
    "ProtocolError",
    "RateLimited",
    "ReconnectPolicy",
    "Recorder",
    "Recovering",
    "Reply",
    "RequestTimeout",
    "Requesting",
    "RetryPolicy",
    "Ringing",
    "Router",
    "ServerError",
    "SessionClosed",
    "SessionEvent",
    "SessionLost",
    "SessionReady",
    "SessionRestored",
    "SessionTakenOver",
    "Settings",
    "SlowConsumer",
    "SqliteStore",
    "StateFlowItem",
    "StreamOverflow",
    "TextMessage",
    "Timeouts",
    "TokenExpired",
    "TransferFailed",
    "TransportError",
    "Trying",
    "UnknownFrame",
    "Unmuted",
    "Verdict",
    "VertoError",
    "WebrtcConfig",
    "WrongState",
    "ZiwoClient",
    "ZiwoError",
    "check_flow",
    "exit_code",
    "parse_event",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'ziwo_async' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

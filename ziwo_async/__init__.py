"""ziwo_async: the asyncio SDK for ZIWO contact centres.

The public names, nothing else. They load on first use, so that `import ziwo_async` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auto_answer import AutoAnswer
    from .client import EXIT_CODES, ZiwoClient, exit_code
    from .config import Buffers, Liveness, ReconnectPolicy, RetryPolicy, Settings, Timeouts
    from .dispatch.streams import EventStream, Expectation
    from .errors import (
        AgentNotFound,
        ApiError,
        ApiWarning,
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
        EavesdropTimeout,
        ExpectTimeout,
        FlowBroken,
        Forbidden,
        HandlerRejected,
        InvalidInstanceName,
        LedgerError,
        MaskTaken,
        MediaError,
        NotFound,
        PlaceError,
        PositionNotConnected,
        ProtocolError,
        RateLimited,
        RecordingNotReady,
        RequestTimeout,
        ServerError,
        SessionTakenOver,
        SpendRefused,
        StoreError,
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
        AgentStatusChanged,
        Answering,
        CallData,
        CallEvent,
        CallRecorded,
        Destroy,
        DialogEvent,
        DialogState,
        Direction,
        Early,
        EavesdropAudit,
        Event,
        EventsDropped,
        FloorEvent,
        FlowViolation,
        HandlerFailed,
        Hangup,
        HangupBy,
        Held,
        LiveLost,
        LiveRestored,
        LoginBlocked,
        MediaLost,
        MediaUp,
        Muted,
        PartyChanged,
        QueueCallAbandoned,
        QueueCallAnswered,
        QueueCallWaiting,
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
        VoiceStarted,
        VoiceStopped,
        parse_event,
    )
    from .live.feed import LiveFeed
    from .live.models import (
        AgentTotals,
        EndedCall,
        LiveAgent,
        LiveCall,
        LiveNumber,
        LivePosition,
        LiveQueue,
        LiveStats,
        LiveStatus,
        QueueTotals,
        WaitingCall,
    )
    from .live.watch import Watch
    from .media.audio import CallAudio, Levels
    from .media.engine import AiortcMedia
    from .media.frame import AudioFrame
    from .media.playback import Playback
    from .media.received import FrameStream
    from .media.recording import RecordingHandle
    from .media.tone import Tone
    from .media.voice import VoiceActivity
    from .models.presence import AgentPresence, AgentStatus
    from .phone.call import Call
    from .phone.keeper import LedgerStore, MemoryStore
    from .phone.limiter import LoginLimiter
    from .phone.media import MediaEngine, MediaSession, NullMedia
    from .phone.phone import Phone
    from .phone.recorder import Recorder
    from .phone.sqlite import SqliteStore
    from .phone.transfer import AttendedTransfer
    from .rest.api import RestApi
    from .rest.auth import Credentials, CredentialsProvider
    from .rest.envelope import Reply
    from .rest.missed import MissedCalls
    from .rest.models.agent import Agent
    from .rest.models.cdr import CallFlow, CallResult, Cdr, CdrAgent, CdrCustomer, Emotions
    from .rest.models.cti import ClickToCall, CtiCall, CtiQueueInfo
    from .rest.models.customer import Customer, CustomerAddress, CustomerNumber, CustomerProfile
    from .rest.models.eavesdrop import EavesdropCall
    from .rest.models.number import LinkType, Number
    from .rest.models.profile import Profile
    from .rest.models.queue import Queue
    from .rest.models.recording import Progress, Recording, SignedUrl
    from .rest.models.static import Country
    from .rest.models.statistics import CallSummary
    from .rest.models.status import CustomStatus
    from .rest.models.tracker import CallTracker, CallTrackerLog, HookUrl
    from .rest.models.user import User
    from .rest.models.webrtc import WebrtcConfig
    from .rest.numbers import number_of_queue
    from .rest.paging import Listing
    from .rest.places import MemoryPlaces, PlaceStore, SqlitePlaces
    from .rest.recordings import SoundStream
    from .router import Router
    from .spend import SpendGuard, SpendPolicy
    from .telephone import same_number, to_e164
    from .verto.flow import FlowChecker, FlowReport, Verdict, check_flow
    from .whisper import WhisperSession

__version__ = "0.1.0"

_HOME = {
    "client": ("EXIT_CODES", "ZiwoClient", "exit_code"),
    "config": ("Buffers", "Liveness", "ReconnectPolicy", "RetryPolicy", "Settings", "Timeouts"),
    "errors": (
        "AgentNotFound", "ApiError", "ApiWarning", "AuthError", "BadArgument", "BadCredentials", "BadFrame",
        "CallEnded", "CallError", "CallGone", "CallRefused", "CannotConnect", "ClientClosed", "ConfigError", "Conflict",
        "ConnectionLost", "DecodeError", "DuplicateSession", "EavesdropTimeout", "ExpectTimeout", "FlowBroken",
        "Forbidden", "HandlerRejected", "InvalidInstanceName", "LedgerError", "MaskTaken", "MediaError", "NotFound",
        "PlaceError", "PositionNotConnected", "ProtocolError", "RateLimited", "RecordingNotReady", "RequestTimeout",
        "ServerError", "SessionTakenOver", "SpendRefused", "StoreError", "StreamOverflow", "TokenExpired",
        "TransferFailed", "TransportError", "VertoError", "WrongState", "ZiwoError",
    ),
    "events": (
        "Active", "AgentMessage", "AgentStatusChanged", "Answering", "CallData", "CallEvent", "CallRecorded", "Destroy",
        "DialogEvent", "DialogState", "Direction", "Early", "EavesdropAudit", "Event", "EventsDropped", "FloorEvent",
        "FlowViolation", "HandlerFailed", "Hangup", "HangupBy", "Held", "LiveLost", "LiveRestored", "LoginBlocked",
        "MediaLost", "MediaUp", "Muted", "PartyChanged", "QueueCallAbandoned", "QueueCallAnswered", "QueueCallWaiting",
        "Recovering", "Requesting", "Ringing", "SessionClosed", "SessionEvent", "SessionLost", "SessionReady",
        "SessionRestored", "SlowConsumer", "StateFlowItem", "TextMessage", "Trying", "UnknownFrame", "Unmuted",
        "VoiceStarted", "VoiceStopped", "parse_event",
    ),
    "phone.call": ("Call",),
    "phone.keeper": ("LedgerStore", "MemoryStore"),
    "phone.limiter": ("LoginLimiter",),
    "phone.media": ("MediaEngine", "MediaSession", "NullMedia"),
    "phone.phone": ("Phone",),
    "phone.recorder": ("Recorder",),
    "phone.sqlite": ("SqliteStore",),
    "phone.transfer": ("AttendedTransfer",),
    "rest.auth": ("Credentials", "CredentialsProvider"),
    "rest.envelope": ("Reply",),
    "router": ("Router",),
    "verto.flow": ("FlowChecker", "FlowReport", "Verdict", "check_flow"),
    "rest.missed": ("MissedCalls",),
    "rest.models.agent": ("Agent",),
    "rest.models.cdr": ("CallFlow", "CallResult", "Cdr", "CdrAgent", "CdrCustomer", "Emotions"),
    "rest.models.cti": ("ClickToCall", "CtiCall", "CtiQueueInfo"),
    "rest.models.customer": ("Customer", "CustomerAddress", "CustomerNumber", "CustomerProfile"),
    "rest.models.eavesdrop": ("EavesdropCall",),
    "rest.models.number": ("LinkType", "Number"),
    "rest.models.profile": ("Profile",),
    "rest.models.queue": ("Queue",),
    "rest.models.recording": ("Progress", "Recording", "SignedUrl"),
    "rest.models.static": ("Country",),
    "rest.models.statistics": ("CallSummary",),
    "rest.models.tracker": ("CallTracker", "CallTrackerLog", "HookUrl"),
    "rest.models.user": ("User",),
    "rest.models.webrtc": ("WebrtcConfig",),
    "rest.paging": ("Listing",),
    "rest.places": ("MemoryPlaces", "PlaceStore", "SqlitePlaces"),
    "spend": ("SpendGuard", "SpendPolicy"),
    "telephone": ("same_number", "to_e164"),
    "whisper": ("WhisperSession",),
    "auto_answer": ("AutoAnswer",),
    "rest.recordings": ("SoundStream",),
    "media.engine": ("AiortcMedia",),
    "media.frame": ("AudioFrame",),
    "media.audio": ("CallAudio", "Levels"),
    "media.tone": ("Tone",),
    "media.voice": ("VoiceActivity",),
    "media.playback": ("Playback",),
    "media.received": ("FrameStream",),
    "media.recording": ("RecordingHandle",),
    "rest.numbers": ("number_of_queue",),
    "rest.api": ("RestApi",),
    "rest.models.status": ("CustomStatus",),
    "models.presence": ("AgentPresence", "AgentStatus"),
    "dispatch.streams": ("EventStream", "Expectation"),
    "live.feed": ("LiveFeed",),
    "live.models": (
        "AgentTotals", "EndedCall", "LiveAgent", "LiveCall", "LiveNumber", "LivePosition", "LiveQueue", "LiveStats",
        "LiveStatus", "QueueTotals", "WaitingCall",
    ),
    "live.watch": ("Watch",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "EXIT_CODES",
    "Active",
    "Agent",
    "AgentMessage",
    "AgentNotFound",
    "AgentPresence",
    "AgentStatus",
    "AgentStatusChanged",
    "AgentTotals",
    "AiortcMedia",
    "Answering",
    "ApiError",
    "ApiWarning",
    "AttendedTransfer",
    "AudioFrame",
    "AuthError",
    "AutoAnswer",
    "BadArgument",
    "BadCredentials",
    "BadFrame",
    "Buffers",
    "Call",
    "CallAudio",
    "CallData",
    "CallEnded",
    "CallError",
    "CallEvent",
    "CallFlow",
    "CallGone",
    "CallRecorded",
    "CallRefused",
    "CallResult",
    "CallSummary",
    "CallTracker",
    "CallTrackerLog",
    "CannotConnect",
    "Cdr",
    "CdrAgent",
    "CdrCustomer",
    "ClickToCall",
    "ClientClosed",
    "ConfigError",
    "Conflict",
    "ConnectionLost",
    "Country",
    "Credentials",
    "CredentialsProvider",
    "CtiCall",
    "CtiQueueInfo",
    "CustomStatus",
    "Customer",
    "CustomerAddress",
    "CustomerNumber",
    "CustomerProfile",
    "DecodeError",
    "Destroy",
    "DialogEvent",
    "DialogState",
    "Direction",
    "DuplicateSession",
    "Early",
    "EavesdropAudit",
    "EavesdropCall",
    "EavesdropTimeout",
    "Emotions",
    "EndedCall",
    "Event",
    "EventStream",
    "EventsDropped",
    "ExpectTimeout",
    "Expectation",
    "FloorEvent",
    "FlowBroken",
    "FlowChecker",
    "FlowReport",
    "FlowViolation",
    "Forbidden",
    "FrameStream",
    "HandlerFailed",
    "HandlerRejected",
    "Hangup",
    "HangupBy",
    "Held",
    "HookUrl",
    "InvalidInstanceName",
    "LedgerError",
    "LedgerStore",
    "Levels",
    "LinkType",
    "Listing",
    "LiveAgent",
    "LiveCall",
    "LiveFeed",
    "LiveLost",
    "LiveNumber",
    "LivePosition",
    "LiveQueue",
    "LiveRestored",
    "LiveStats",
    "LiveStatus",
    "Liveness",
    "LoginBlocked",
    "LoginLimiter",
    "MaskTaken",
    "MediaEngine",
    "MediaError",
    "MediaLost",
    "MediaSession",
    "MediaUp",
    "MemoryPlaces",
    "MemoryStore",
    "MissedCalls",
    "Muted",
    "NotFound",
    "NullMedia",
    "Number",
    "PartyChanged",
    "Phone",
    "PlaceError",
    "PlaceStore",
    "Playback",
    "PositionNotConnected",
    "Profile",
    "Progress",
    "ProtocolError",
    "Queue",
    "QueueCallAbandoned",
    "QueueCallAnswered",
    "QueueCallWaiting",
    "QueueTotals",
    "RateLimited",
    "ReconnectPolicy",
    "Recorder",
    "Recording",
    "RecordingHandle",
    "RecordingNotReady",
    "Recovering",
    "Reply",
    "RequestTimeout",
    "Requesting",
    "RestApi",
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
    "SignedUrl",
    "SlowConsumer",
    "SoundStream",
    "SpendGuard",
    "SpendPolicy",
    "SpendRefused",
    "SqlitePlaces",
    "SqliteStore",
    "StateFlowItem",
    "StoreError",
    "StreamOverflow",
    "TextMessage",
    "Timeouts",
    "TokenExpired",
    "Tone",
    "TransferFailed",
    "TransportError",
    "Trying",
    "UnknownFrame",
    "Unmuted",
    "User",
    "Verdict",
    "VertoError",
    "VoiceActivity",
    "VoiceStarted",
    "VoiceStopped",
    "WaitingCall",
    "Watch",
    "WebrtcConfig",
    "WhisperSession",
    "WrongState",
    "ZiwoClient",
    "ZiwoError",
    "check_flow",
    "exit_code",
    "number_of_queue",
    "parse_event",
    "same_number",
    "to_e164",
]


if not TYPE_CHECKING:  # else a misspelt import would pass the type checkers

    def __getattr__(name: str) -> Any:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'ziwo_async' has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{module}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

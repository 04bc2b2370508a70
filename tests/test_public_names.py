"""The public names: pinned, importable, and light to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ziwo_async

NAMES = """
EXIT_CODES Active Agent AgentMessage AgentNotFound AgentPresence AgentStatus AgentStatusChanged AgentTotals
AiortcMedia Answering ApiError ApiWarning AttendedTransfer AudioFrame AuthError AutoAnswer BadArgument BadCredentials
BadFrame Buffers Call CallAudio CallData CallEnded CallError CallEvent CallFlow CallGone CallRecorded CallRefused
CallResult CallSummary CallTracker CallTrackerLog CannotConnect Cdr CdrAgent CdrCustomer ClickToCall ClientClosed
ConfigError Conflict ConnectionLost Country Credentials CredentialsProvider CtiCall CtiQueueInfo CustomStatus
Customer CustomerAddress CustomerNumber CustomerProfile DecodeError Destroy DialogEvent DialogState Direction
DuplicateSession Early EavesdropAudit EavesdropCall EavesdropTimeout Emotions EndedCall Event EventStream
EventsDropped ExpectTimeout Expectation FloorEvent FlowBroken FlowChecker FlowReport FlowViolation Forbidden
FrameStream HandlerFailed HandlerRejected Hangup HangupBy Held HookUrl InvalidInstanceName LedgerError LedgerStore
Levels LinkType Listing LiveAgent LiveCall LiveFeed LiveLost LiveNumber LivePosition LiveQueue LiveRestored LiveStats
LiveStatus Liveness LoginBlocked LoginLimiter MaskTaken MediaEngine MediaError MediaLost MediaSession MediaUp
MemoryPlaces MemoryStore MissedCalls Muted NotFound NullMedia Number PartyChanged Phone PlaceError PlaceStore
Playback PositionNotConnected Profile Progress ProtocolError Queue QueueCallAbandoned QueueCallAnswered
QueueCallWaiting QueueTotals RateLimited ReconnectPolicy Recorder Recording RecordingHandle RecordingNotReady
Recovering Reply RequestTimeout Requesting RestApi RetryPolicy Ringing Router ServerError SessionClosed SessionEvent
SessionLost SessionReady SessionRestored SessionTakenOver Settings SignedUrl SlowConsumer SoundStream SpendGuard
SpendPolicy SpendRefused SqlitePlaces SqliteStore StateFlowItem StoreError StreamOverflow TextMessage Timeouts
TokenExpired Tone TransferFailed TransportError Trying UnknownFrame Unmuted User Verdict VertoError VoiceActivity
VoiceStarted VoiceStopped WaitingCall Watch WebrtcConfig WhisperSession WrongState ZiwoClient ZiwoError check_flow
exit_code number_of_queue parse_event same_number to_e164
""".split()  # noqa: SIM905


def test_the_public_names_are_these() -> None:
    assert list(ziwo_async.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(ziwo_async, name) is not None
    assert name in dir(ziwo_async)


def test_type_checkers_see_exactly_the_public_names() -> None:
    tree = ast.parse(Path(ziwo_async.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imported = [
        alias.name
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    ]
    assert sorted(imported) == sorted(NAMES)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = ziwo_async.Nonsense  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("aiohttp", "websockets", "pydantic", "asyncio")
    code = f"import sys, ziwo_async; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_public() -> None:
    from ziwo_async import errors

    assert set(errors.__all__) <= set(NAMES)

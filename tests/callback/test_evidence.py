"""Which call is ours: by its id, or by agent, number and time; and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ziwo_async.callback import Attempt
from ziwo_async.callback.evidence import at_agent, in_history, known_before
from ziwo_async.callback.machine import Over, Up
from ziwo_async.rest.models.cdr import Cdr
from ziwo_async.rest.models.cti import CtiCall

NOW = 1_800_000_000.0
CONTACT = "+97150000000"
UNKNOWN = Attempt(number=2, round=0, extension="0011", began_at=NOW, known=("old",))
KNOWN = Attempt(number=2, round=0, extension="0011", began_at=NOW, known=("old",), call_id="C-1")


def now_at_agent(attempt: Attempt = UNKNOWN, **info: Any) -> Up | None:
    given = {"callID": "c-1", "calleeID": CONTACT, "callState": "RINGING", "createdEPOCH": str(int(NOW)), **info}
    call = CtiCall.model_validate({"callInfo": {}, "queueInfo": given})
    return at_agent(call, attempt, CONTACT, ("earlier",))


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({}, Up("c-1", False, False)),
        ({"calleeID": "0011", "callerID": "0097150000000"}, Up("c-1", False, False)),
        ({"calleeID": "0011", "didCalled": "50000000"}, None),  # too short to be sure
        ({"createdEPOCH": "0"}, Up("c-1", False, False)),
        ({"callState": "ACTIVE", "calleeCallState": "RINGING"}, Up("c-1", True, False)),
        ({"callState": "ACTIVE", "calleeCallState": "EARLY", "channelBridgeEPOCH": "7"}, Up("c-1", True, False)),
        ({"callState": "ACTIVE", "calleeCallState": "ACTIVE"}, Up("c-1", True, True)),
        ({"callState": "active", "calleeCallState": "held"}, Up("c-1", True, True)),
        ({"callState": "ACTIVE", "channelBridgeEPOCH": "7"}, Up("c-1", True, True)),
        ({"callState": "", "channelBridgeEPOCH": "7"}, Up("c-1", True, True)),
        ({"callState": "RINGING", "channelBridgeEPOCH": "7"}, Up("c-1", False, False)),
        ({"calleeID": "+97150000009"}, None),
        ({"callID": "OLD"}, None),
        ({"callID": "earlier"}, None),
        ({"createdEPOCH": str(int(NOW) - 61)}, None),
        ({"createdEPOCH": str(int(NOW) + 121)}, None),
    ],
)
def test_the_call_that_the_agent_has(info: dict[str, str], found: Up | None) -> None:
    assert now_at_agent(**info) == found


def test_a_known_id_is_enough_at_the_agent() -> None:
    assert now_at_agent(KNOWN, calleeID="", createdEPOCH="5") == Up("c-1", False, False)
    assert now_at_agent(KNOWN, callID="another") == Up("another", False, False)  # ids may differ: the number counts
    assert now_at_agent(KNOWN, callID="another", calleeID="+97150000009") is None
    assert at_agent(None, KNOWN, CONTACT, ()) is None
    assert at_agent(CtiCall.model_validate({"queueInfo": []}), KNOWN, CONTACT, ()) is None


def cdr(**fields: Any) -> Cdr:
    start = fields.pop("start", NOW + 1)
    given = {
        "id": 1,
        "callID": "c-1",
        "direction": "outbound",
        "result": "no-answer",
        "didCalled": "0097150000000",
        "agentCCLogin": "0011",
        "startedAt": None if start is None else datetime.fromtimestamp(start, UTC).isoformat(),
        **fields,
    }
    return Cdr.model_validate(given)


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (cdr(), Over("c-1", False, False)),
        (cdr(hangupBy="originatee"), Over("c-1", False, True)),
        (cdr(hangupBy="originator"), Over("c-1", False, False)),
        (cdr(result="answered"), Over("c-1", True, False)),
        (cdr(result="answered", voicemail=True), Over("c-1", False, False)),
        (cdr(agentCCLogin="unknown", position="agent-0011"), Over("c-1", False, False)),
        (cdr(agentCCLogin="unknown"), None),  # perhaps somebody else's: not enough to call the visitor again
        (cdr(agentCCLogin="5555", result="answered"), None),
        (cdr(didCalled="+97150000009"), None),
        (cdr(direction="inbound"), Over("c-1", False, False)),
        # The visitor called, and gave up: a reason to ask for a callback, and not the callback.
        (cdr(direction="inbound", didCalled="+97144000000", callerIDNumber=CONTACT), None),
        (
            cdr(direction="inbound", didCalled="+97144000000", callerIDNumber=CONTACT, result="answered"),
            Over("c-1", True, False),
        ),
        (cdr(result=None), None),  # perhaps it is still up
        (cdr(result=None, callID="c-1", hangupCause="NO_ANSWER"), Over("c-1", False, False)),
        (cdr(result=None, endedAt="2027-01-15T08:00:30Z"), Over("c-1", False, False)),
        (cdr(callID="old"), None),
        (cdr(callID="EARLIER"), None),
        (cdr(start=NOW - 61), None),
        (cdr(start=NOW + 121), None),
        (cdr(start=None), None),
    ],
)
def test_the_call_in_the_history(record: Cdr, found: Over | None) -> None:
    assert in_history([record], UNKNOWN, CONTACT, ("earlier",)) == found


def test_several_calls_in_the_history() -> None:
    other = cdr(callID="c-2", result="answered")
    assert in_history([cdr(), other], UNKNOWN, CONTACT, ()) == Over("c-2", True, False)
    assert in_history([other, cdr(start=0, didCalled="x")], KNOWN, CONTACT, ()) == Over("c-1", False, False)
    assert in_history([], KNOWN, CONTACT, ()) is None
    assert in_history([cdr(result=None)], KNOWN, CONTACT, ()) is None
    assert known_before([cdr(), other, cdr(), cdr(callID=None)]) == ("c-1", "c-2", "#1")

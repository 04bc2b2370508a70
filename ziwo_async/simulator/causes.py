"""Hangup causes: FreeSWITCH's names and numbers.

Source: switch_types.h; those seen in the captured frames, and the ordinary Q.850 ones.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CAUSES", "code_of", "from_bye"]

CAUSES: dict[str, int] = {
    "UNALLOCATED_NUMBER": 1,
    "NO_ROUTE_TRANSIT_NET": 2,
    "NO_ROUTE_DESTINATION": 3,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "SUBSCRIBER_ABSENT": 20,
    "CALL_REJECTED": 21,
    "NUMBER_CHANGED": 22,
    "DESTINATION_OUT_OF_ORDER": 27,
    "INVALID_NUMBER_FORMAT": 28,
    "FACILITY_REJECTED": 29,
    "NORMAL_UNSPECIFIED": 31,
    "NORMAL_CIRCUIT_CONGESTION": 34,
    "NETWORK_OUT_OF_ORDER": 38,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "SWITCH_CONGESTION": 42,
    "REQUESTED_CHAN_UNAVAIL": 44,
    "OUTGOING_CALL_BARRED": 52,
    "INCOMING_CALL_BARRED": 54,
    "BEARERCAPABILITY_NOTAUTH": 57,
    "BEARERCAPABILITY_NOTAVAIL": 58,
    "SERVICE_UNAVAILABLE": 63,
    "CHAN_NOT_IMPLEMENTED": 66,
    "INCOMPATIBLE_DESTINATION": 88,
    "INVALID_MSG_UNSPECIFIED": 95,
    "MANDATORY_IE_MISSING": 96,
    "RECOVERY_ON_TIMER_EXPIRE": 102,
    "INTERWORKING": 127,
    "ORIGINATOR_CANCEL": 487,
    "CRASH": 500,
    "SYSTEM_SHUTDOWN": 501,
    "LOSE_RACE": 702,
    "MANAGER_REQUEST": 703,
    "BLIND_TRANSFER": 800,
    "ATTENDED_TRANSFER": 801,
    "ALLOTTED_TIMEOUT": 802,
    "USER_CHALLENGE": 803,
    "MEDIA_TIMEOUT": 804,
    "PICKED_OFF": 805,
    "USER_NOT_REGISTERED": 806,
    "PROGRESS_TIMEOUT": 807,
}
_NAMES = {code: name for name, code in CAUSES.items()}
_DEFAULT = "NORMAL_CLEARING"


def code_of(name: str) -> int:
    """The number of a cause.

    Raises:
        ValueError: FreeSWITCH has no such cause (or this table lacks it).
    """
    try:
        return CAUSES[name]
    except KeyError:
        raise ValueError(f"{name!r} is no hangup cause this simulator knows") from None


def from_bye(params: dict[str, Any]) -> str:
    """The cause a client's `verto.bye` asks for: the name wins over the code; unknown ones are NORMAL_CLEARING."""
    name = params.get("cause")
    if isinstance(name, str) and name:
        return name if name in CAUSES else _DEFAULT
    code = params.get("causeCode")
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool):
        return _NAMES.get(code, _DEFAULT)
    return _DEFAULT

"""Numbers of the FreeSWITCH hang-up causes that clients send. The name wins on the server, so others work too."""

from __future__ import annotations

from typing import Final

__all__ = ["CAUSE_CODES"]

CAUSE_CODES: Final[dict[str, int]] = {
    "UNALLOCATED_NUMBER": 1,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "CALL_REJECTED": 21,
    "DESTINATION_OUT_OF_ORDER": 27,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "INCOMPATIBLE_DESTINATION": 88,
    "ORIGINATOR_CANCEL": 487,
}
"""Cause to number (source: FreeSWITCH, measured in `verto.bye`)."""

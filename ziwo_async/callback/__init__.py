"""A web callback without ZIWO's widget: a visitor leaves a number, and agents call it, by click to call.

State is in an SQLite file and survives restarts. A dial is written down before it is sent, and what became of it is
looked up, never tried again.
"""

from .records import Attempt, AttemptOutcome, Callback, CallbackState, FailReason, Plan
from .runner import Dial
from .service import CallbackService
from .store import SqliteCallbacks

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "Callback",
    "CallbackService",
    "CallbackState",
    "Dial",
    "FailReason",
    "Plan",
    "SqliteCallbacks",
]

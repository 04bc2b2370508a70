"""AuditTrail: each step of a whisper session as an event, and as a line in the log `ziwo_async.audit`."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from .events import EavesdropAudit

if TYPE_CHECKING:
    from .phone.phone import Phone
    from .rest.eavesdrops import Whisper

__all__ = ["Action", "AuditTrail"]

Action: TypeAlias = Literal["create", "answer", "update", "end", "give up"]

_audit = logging.getLogger("ziwo_async.audit")


class AuditTrail:
    """The trail of one session.

    Attributes:
        call_id: The id that ZIWO gave the eavesdrop call; None until then.
        heard_by: Who hears us now.
    """

    def __init__(self, phone: Phone, agent: str) -> None:
        """Begin one.

        Args:
            phone: Publishes the events.
            agent: Who is listened to.
        """
        self.call_id: str | None = None
        self.heard_by: Whisper = "none"
        self._phone = phone
        self._agent = agent

    def tell(self, action: Action, *, whisper: Whisper | None = None, error: BaseException | None = None) -> None:
        """Tell a step.

        Args:
            action: What was done, or tried.
            whisper: Who was to hear us, when that is not how it is.
            error: Why it failed.
        """
        event = EavesdropAudit(
            action=action,
            agent=self._agent,
            user=self._phone.login,
            call_id=self.call_id,
            whisper=whisper or self.heard_by,
            error=type(error).__name__ if error is not None else None,
            at=datetime.now(UTC),
        )
        _audit.info(
            "%s %s agent %s (call %s, heard by %s%s)",
            event.user,
            action,
            self._agent,
            event.call_id or "not known",
            event.whisper,
            f", failed: {event.error}" if event.error else "",
        )
        self._phone.announced.tell(event)

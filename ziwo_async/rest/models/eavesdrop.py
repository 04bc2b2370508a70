"""A call that listens to an agent."""

from __future__ import annotations

from pydantic import Field

from .base import Model

__all__ = ["EavesdropCall"]


class EavesdropCall(Model):
    """A call that was begun to listen to an agent; it rings our own position (source: ZIWO docs).

    Attributes:
        call_id: The call's id, by which it is changed.
    """

    call_id: str = Field(alias="callID", min_length=1)

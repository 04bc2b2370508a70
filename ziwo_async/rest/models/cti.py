"""Click to call, and the call that an agent has now, as CTI tells it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from .base import Model, Open, Utc, empty_is_none, zero_is_none

__all__ = ["ClickToCall", "CtiCall", "CtiQueueInfo"]


class ClickToCall(Model):
    """A call that was begun: the agent's phone rings first, then the customer's.

    Attributes:
        call_id: The call's id.
    """

    call_id: str = Field(alias="callID", min_length=1)


_Epoch: TypeAlias = Annotated[Utc, BeforeValidator(zero_is_none)]


class CtiQueueInfo(Model):
    """The call that an agent has now (source: seen at an integrator, who names these fields, all sent as text).

    Attributes:
        call_id: The call's id.
        did_called: The number of the contact centre that was called.
        caller_id: Who calls: `agent-<ccLogin>` in a call that began at the agent; the customer's number after a
            transfer.
        caller_name: Their name.
        caller_position: Their position.
        callee_id: Who is called.
        callee_name: Their name.
        callee_position: Their position.
        callee_direction: The direction, seen from the called side.
        call_state: State of the caller's side, in the server's word.
        callee_call_state: State of the called side, in the server's word.
        direction: The direction, in the server's word.
        created_at: When the call began (`createdEPOCH`, in seconds).
        bridged_at: When both sides were joined (`channelBridgeEPOCH`, in seconds); None before that.
        original_caller_name: Who called at first.
        original_caller_number: Their number.
    """

    call_id: str | None = Field(default=None, alias="callID")
    did_called: str | None = None
    caller_id: str | None = Field(default=None, alias="callerID")
    caller_name: str | None = None
    caller_position: str | None = None
    callee_id: str | None = Field(default=None, alias="calleeID")
    callee_name: str | None = None
    callee_position: str | None = None
    callee_direction: str | None = None
    call_state: str | None = None
    callee_call_state: str | None = None
    direction: str | None = None
    created_at: _Epoch = Field(default=None, alias="createdEPOCH")
    bridged_at: _Epoch = Field(default=None, alias="channelBridgeEPOCH")
    original_caller_name: str | None = Field(default=None, alias="originalCallerIdName")
    original_caller_number: str | None = Field(default=None, alias="originalCallerIdNumber")


class CtiCall(Model):
    """What CTI tells of an agent's present call.

    Attributes:
        call_info: More about it; open data, usually empty.
        queue_info: The call; None when the server says nothing about it.
    """

    call_info: Open = None
    queue_info: Annotated[CtiQueueInfo | None, BeforeValidator(empty_is_none)] = None

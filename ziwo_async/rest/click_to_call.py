"""Requests that make a call: sent once, and never again when the call may have been made. And click to call itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue

from ..errors import BadArgument, ConnectionLost, DecodeError, RequestTimeout, ServerError
from .models.base import Model, parse
from .models.cti import ClickToCall
from .prepared import Form, segment
from .transport import CredentialKind, Transport

if TYPE_CHECKING:
    from ..spend import SpendGuard

__all__ = ["check_number", "click_to_call", "place_call"]

_M = TypeVar("_M", bound=Model)
_LONGEST_NUMBER = 128


async def click_to_call(
    transport: Transport, number: str, *, roaming_only: bool = False, guard: SpendGuard | None = None
) -> ClickToCall:
    """Call a number for the agent that is logged in: their own phone rings first, then the number is called.

    Needs: any agent. (`POST /integrations/cti/agents/call/{number}`; source: official web client)

    Args:
        transport: The way to the REST API.
        number: The number, sent as given.
        roaming_only: Ring the agent's roaming number only (ZIWO's `roamingOnly`).
        guard: What may be spent; None for everything.

    Raises:
        BadArgument: It is no number.
        SpendRefused: The program's own `SpendPolicy` forbids it.
        ConnectionLost: The connection ended. As for the next three, the call may have been made: the error says so, and
            is not `retryable`.
        RequestTimeout: No answer in time.
        ServerError: The server failed.
        DecodeError: The answer has no call id.
    """
    check_number(number)
    path = f"/integrations/cti/agents/call/{segment(number)}"
    if guard is not None:
        guard.check("click to call", number)
    return await place_call(transport, ClickToCall, path, json={"roamingOnly": roaming_only})


async def place_call(
    transport: Transport,
    model: type[_M],
    path: str,
    *,
    form: Form | None = None,
    json: JsonValue = None,
    credential: CredentialKind = "token",
) -> _M:
    """Send a POST that makes a call, and give what the server tells of it.

    It is sent a second time only after an answer that proves that nothing was done: 401, or 403 with a token that may
    have expired.

    Args:
        transport: The way to the REST API.
        model: What the server tells; a content that is a text alone is taken for the call's id.
        path: Path from the root of the API.
        form: Body as urlencoded fields.
        json: Body as JSON.
        credential: What the request proves itself with.

    Raises:
        ZiwoError: As for `Transport.request`. When the call may have been made, the text says so, and `retryable` is
            False.
    """
    if credential == "token":
        # First, so that a login that fails is never taken for a call that may have been made.
        await transport.login()
    try:
        reply = await transport.request("POST", path, form=form, json=json, credential=credential)
        if isinstance(reply.content, str):
            given: Mapping[str, JsonValue] = {"callID": reply.content.strip()}
            reply = replace(reply, content=dict(given))
        return parse(model, reply, method="POST", path=path)
    except (ConnectionLost, RequestTimeout, ServerError, DecodeError) as error:
        # The same error, with what matters most in it: whoever tries again on `retryable` would ring a customer twice.
        error.args = (f"{error}; the call may have been made all the same",)
        error.retryable = False
        raise


def check_number(number: str) -> None:
    """Refuse what can be no number. Otherwise it is sent as given: formats are the contact centre's business.

    Args:
        number: The number.

    Raises:
        BadArgument: It is empty, too long, or has control characters.
    """
    if not number.strip() or len(number) > _LONGEST_NUMBER or not number.isprintable():
        raise BadArgument(f"{number[:40]!r} is not a number that can be called")

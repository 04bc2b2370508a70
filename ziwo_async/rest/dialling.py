"""Requests that make a call: checked, counted by the spend guard, and never sent again when the call may be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue

from ..errors import BadArgument, DecodeError
from .auth import again
from .failures import maybe_made
from .models.base import Model, parse
from .prepared import Form
from .resource import Resource
from .transport import CredentialKind, Transport

if TYPE_CHECKING:
    from ..spend import SpendGuard

__all__ = ["DiallingResource", "check_number", "place_call"]

_M = TypeVar("_M", bound=Model)
_LONGEST_NUMBER = 128


class DiallingResource(Resource):
    """A part of the REST API that can make calls."""

    def __init__(self, transport: Transport, guard: SpendGuard | None = None) -> None:
        """Use a transport; no I/O happens.

        Args:
            transport: The way to the REST API.
            guard: Asked before everything that dials; None allows everything.
        """
        super().__init__(transport)
        self._guard = guard


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
    reply = await transport.request("POST", path, form=form, json=json, credential=credential, dials=True)
    if isinstance(reply.content, str):
        given: Mapping[str, JsonValue] = {"callID": reply.content.strip()}
        reply = replace(reply, content=dict(given))
    try:
        return parse(model, reply, method="POST", path=path)
    except DecodeError as error:
        failure = again(error)
    maybe_made(failure)
    raise failure


def check_number(number: str) -> None:
    """Refuse what can be no number. Otherwise it is sent as given: formats are the contact centre's business.

    Args:
        number: The number.

    Raises:
        BadArgument: It is no text, empty, too long, or has control characters.
    """
    given: object = number  # a user's type checker may be off
    if not isinstance(given, str):
        raise BadArgument(f"a number to call is a text such as '+97150000000', not {given!r}")
    if not number.strip() or len(number) > _LONGEST_NUMBER or not number.isprintable():
        raise BadArgument(f"{number[:40]!r} is not a number that can be called")

"""Call trackers: the external services that are asked what to do with a call, and are told its end."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, TypeAlias, cast
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, Secret, SecretStr, model_validator

from ...models.secret_keys import HIDDEN, hide_secrets
from .base import Model, Utc, empty_is_none

__all__ = ["CallTracker", "CallTrackerLog", "HookUrl", "hide_addresses"]

_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S+")
_MOST_MILLISECONDS = 10**12


class HookUrl(Secret[str]):
    """The address of an external service. It may hold a user and a password, or a key in its query.

    Shown is `https://***@host:8080/end.php?***`; `get_secret_value()` gives all of it.
    """

    def _display(self) -> str:
        text = self.get_secret_value()
        try:
            parts = urlsplit(text)
            named, _ = bool(parts.hostname), parts.port
        except ValueError:
            return HIDDEN
        _, at, host = parts.netloc.rpartition("@")
        rest = parts.path + parts.query + parts.fragment
        if not named or not text.isprintable() or "%" in host or "\\" in text or "@" in rest:
            # It cannot be taken apart for certain: what looks like a host or a path may be a part of the password.
            return HIDDEN
        scheme = f"{parts.scheme}:" if parts.scheme else ""
        shown = f"{scheme}//{'***@' if at else ''}{host}{parts.path}"
        return f"{shown}?***" if parts.query or parts.fragment else shown


def hide_addresses(value: JsonValue) -> JsonValue:
    """Hide the secrets of open data, and what `HookUrl` hides of the addresses in it.

    Args:
        value: The data.
    """
    return _without_addresses(hide_secrets(value))


def _without_addresses(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: str(HookUrl(found.group())), value)
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items()}
    return value


def _from_milliseconds(value: object) -> object:
    if value == "" or value is None or isinstance(value, timedelta):
        return value or None
    number = int(str(value))
    if not 0 <= number <= _MOST_MILLISECONDS:
        raise ValueError("no number of milliseconds")
    return timedelta(milliseconds=number)


def _to_milliseconds(value: timedelta | None) -> int | None:
    return None if value is None else value // timedelta(milliseconds=1)


_Url: TypeAlias = Annotated[HookUrl | None, BeforeValidator(empty_is_none)]
_Key: TypeAlias = Annotated[SecretStr | None, BeforeValidator(empty_is_none)]
_Milliseconds: TypeAlias = Annotated[
    timedelta | None, BeforeValidator(_from_milliseconds), PlainSerializer(_to_milliseconds)
]


class CallTracker(Model):
    """A call tracker (source: ZIWO docs, whose example ends after the time limits).

    Attributes:
        id: Its number.
        name: Its name, which cannot be changed. A number is linked to it by that (`link_type` is `callTracker`).
        start_url: Asked when a call lands; answers with the rules to follow.
        start_api_key: Sent to it as `X-API-KEY`.
        start_timeout: How long its answer is waited for (milliseconds at ZIWO).
        end_url: Told when the call has ended.
        end_api_key: Sent to it as `X-API-KEY`.
        end_timeout: How long its answer is waited for (milliseconds at ZIWO).
        welcome_playback: Storage hash of what is played when the call lands. That an answer has it is not shown.
        error_playback: Storage hash of what is played when the service fails. That an answer has it is not shown.
        status: Not shown by ZIWO, but what its other records have.
        created_at: As `status`.
        updated_at: As `status`.
    """

    id: int
    name: str
    start_url: _Url = Field(default=None, alias="startRequestURL")
    start_api_key: _Key = Field(default=None, alias="startRequestAPIKey")
    start_timeout: _Milliseconds = Field(default=None, alias="startRequestTimeout")
    end_url: _Url = Field(default=None, alias="endRequestURL")
    end_api_key: _Key = Field(default=None, alias="endRequestAPIKey")
    end_timeout: _Milliseconds = Field(default=None, alias="endRequestTimeout")
    welcome_playback: str | None = None
    error_playback: str | None = None
    status: str | None = None
    created_at: Utc = None
    updated_at: Utc = None

    @model_validator(mode="before")
    @classmethod
    def _hide_addresses_in_unknown_fields(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, JsonValue]", value)
        return {key: item if key in cls._known else hide_addresses(item) for key, item in given.items()}


class CallTrackerLog(Model):
    """A request that was made to the service of a tracker.

    ZIWO documents the route and shows no answer, so no field is known: what the server sends is in `model_extra`, with
    its secrets hidden, those in addresses too.
    """

    @model_validator(mode="before")
    @classmethod
    def _hide_addresses(cls, value: object) -> object:
        return hide_addresses(cast("JsonValue", value)) if isinstance(value, dict) else value

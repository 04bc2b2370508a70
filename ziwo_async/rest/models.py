"""What the REST API answers, typed. Unknown fields are kept; secrets are hidden in repr and dumps."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from ..config import check_url
from ..errors import DecodeError
from .envelope import Reply, as_object

__all__ = ["Model", "Profile", "WebSocketAddress", "WebrtcConfig", "hide_secrets", "parse"]

_SECRET_KEYS = {"accesstoken", "apikey", "ccpassword", "passwd", "password", "sessid"}
_HIDDEN = "**********"


class Model(BaseModel):
    """Base of all REST models: frozen, snake_case in Python, ZIWO's camelCase on the wire, unknown fields kept."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, validate_by_name=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _hide_secrets_in_unknown_fields(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        known = set(cls.model_fields) | {f.alias for f in cls.model_fields.values()}
        given = cast("dict[str, JsonValue]", value)
        return {key: item if key in known else _hidden_field(key, item) for key, item in given.items()}


def _number_to_text(value: object) -> object:
    # The web client types ccLogin and ccPassword as numbers, Android as strings with leading zeros; a string is right.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def hide_secrets(value: JsonValue) -> JsonValue:
    """Replace every secret in open data (live calls carry the agent's `ccPassword`; source: Android SDK)."""
    if isinstance(value, list):
        return [hide_secrets(item) for item in value]
    if isinstance(value, dict):
        return {key: _hidden_field(key, item) for key, item in value.items()}
    return value


def _hidden_field(key: str, value: JsonValue) -> JsonValue:
    return _HIDDEN if key.lower().replace("_", "").replace("-", "") in _SECRET_KEYS else hide_secrets(value)


_Open = Annotated[JsonValue, BeforeValidator(hide_secrets)]
_Text = Annotated[str | None, BeforeValidator(_number_to_text)]
_Secret = Annotated[SecretStr | None, BeforeValidator(_number_to_text)]


class Profile(Model):
    """The user that is logged in (content of `GET /profile` and of the login).

    Source: official web client (User, UserInfo) and Android SDK (login content). No field but `id` is certain to be
    there.

    Attributes:
        id: The user's number.
        first_name: Given name.
        last_name: Family name.
        username: E-mail address.
        status: Status of the account (`active`), not the presence.
        type: `agent` or `admin`.
        photo: Hash of the photo file, served under `/storage/`.
        role_id: Number of the role.
        role: The role with its permissions; open data.
        roles: More of the same; open data.
        last_login_at: ISO 8601, UTC.
        created_at: ISO 8601, UTC.
        updated_at: ISO 8601, UTC.
        contact_number: The user's own phone number.
        profile_type: `users`.
        cc_login: The agent's number, such as `0011`. A string, because leading zeros matter.
        cc_password: Secret from which the phone's password is made.
        access_token: Only in the answer of a login; this package takes it out.
        live_info: Presence: status, state, position; open data.
        live_calls: Calls of this moment; open data.
        wrap_up_time: Seconds between two calls.
        no_answer_timeout: Seconds of ringing.
        no_answer_delay_time: Seconds after an unanswered call; type not known for certain.
        roaming_timeout: Seconds of ringing on the roaming number.
        roaming_contact_number: Number that is rung while roaming.
        outbound_roaming: Whether outbound calls use the roaming number.
        auto_answer: Whether the web phone answers by itself.
        language_code: ISO language.
        country_code: ISO country.
        plan: Seen in admin listings only.
        internal: Seen in admin listings only.
    """

    id: int
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    status: str | None = None
    type: str | None = None
    photo: str | None = None
    role_id: int | None = None
    role: _Open = None
    roles: _Open = None
    last_login_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    contact_number: _Text = None
    profile_type: str | None = None
    cc_login: _Text = None
    cc_password: _Secret = None
    access_token: _Secret = Field(default=None, alias="access_token")
    live_info: _Open = None
    live_calls: _Open = None
    wrap_up_time: int | None = None
    no_answer_timeout: int | None = None
    no_answer_delay_time: _Open = None
    roaming_timeout: int | None = None
    roaming_contact_number: _Text = None
    outbound_roaming: bool | None = None
    auto_answer: bool | None = None
    language_code: str | None = None
    country_code: str | None = None
    plan: _Open = None
    internal: bool | None = None


class WebSocketAddress(Model):
    """Where the phone's websocket listens, on the host of the REST API.

    Attributes:
        protocol: `wss` (`ws` only makes sense on loopback).
        port: TCP port, 8082 at ZIWO.
    """

    protocol: Literal["wss", "ws"]
    port: int = Field(ge=1, le=65535)

    @field_validator("protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class WebrtcConfig(Model):
    """Content of `GET /fs/webrtc/config` (source: official web client).

    Attributes:
        web_socket: Scheme and port of the phone's websocket.
    """

    web_socket: WebSocketAddress

    def verto_url(self, api_url: str) -> str:
        """Give the websocket address: this protocol and port, on the host of the REST API.

        Args:
            api_url: The address of the REST API.

        Raises:
            ConfigError: The server says `ws` and the host is not loopback: a password must not go over it.
        """
        host = urlsplit(api_url).hostname or ""
        shown = f"[{host}]" if ":" in host else host
        url = f"{self.web_socket.protocol}://{shown}:{self.web_socket.port}"
        return check_url(url, scheme="wss", what="the phone address that the server tells (/fs/webrtc/config)")


_M = TypeVar("_M", bound=Model)


def parse(model: type[_M], reply: Reply, *, method: str, path: str) -> _M:
    """Make a model of the content of a reply.

    Args:
        model: The model.
        reply: The reply.
        method: HTTP method of the request, for the error.
        path: Path of the request, for the error.

    Raises:
        DecodeError: The content is not what the route is known to answer. It names the fields, not their values.
    """
    content = as_object(reply.content)
    if content is None:
        problem = "the content is not an object"
    else:
        try:
            return model.model_validate(cast("dict[str, JsonValue]", content))
        except ValidationError as error:
            # Field names and error types only: pydantic's own text has the values.
            found = error.errors(include_url=False, include_context=False, include_input=False)
            problem = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['type']}" for item in found[:5])
    # Outside of `except`, so that pydantic's error, which holds the values, is not even the context of ours.
    raise DecodeError(problem, status=reply.status, method=method, path=path)

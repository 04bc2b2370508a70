"""Resources and models, against the small server."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from pydantic import SecretStr, ValidationError

from ziwo_async.errors import BadCredentials, ConfigError, Conflict, DecodeError
from ziwo_async.rest.auth import Credentials
from ziwo_async.rest.models.profile import Profile
from ziwo_async.rest.models.webrtc import WebrtcConfig
from ziwo_async.rest.own_agent import OwnAgentResource
from ziwo_async.rest.prepared import segment
from ziwo_async.rest.session import SessionResource


async def test_login_profile_logout(kit, ziwo):
    session = SessionResource(kit.transport(ziwo.url))
    profile = await session.login()
    assert profile.id == 7
    assert profile.first_name == "Ada"
    assert profile.cc_login == "0011"
    assert profile.cc_password == SecretStr("CANARY-cc-5d2e")
    assert profile.live_info == {"status": "Available"}
    await session.logout()
    assert ziwo.seen == [("POST", "/auth/login"), ("GET", "/profile"), ("POST", "/auth/logout")]


async def test_login_with_wrong_password(kit, ziwo):
    session = SessionResource(kit.transport(ziwo.url, kit.password("CANARY-wrong")))
    with pytest.raises(BadCredentials):
        await session.login()


async def test_login_with_the_hashed_password(kit, ziwo):
    digest = hmac.new(kit.PASSWORD.encode(), (kit.USER + kit.PASSWORD).encode(), hashlib.sha256).digest()
    ziwo.password = base64.b64encode(digest).decode()
    credentials = Credentials.from_password(kit.USER, SecretStr(kit.PASSWORD), hashed=True)
    await SessionResource(kit.transport(ziwo.url, credentials)).login()
    assert ziwo.login_forms[0]["password"] != kit.PASSWORD


@pytest.mark.parametrize("content", ["text", [1], 5, {}, [], {"id": "x"}, {"id": 1, "ccPassword": {"CANARY": 1}}])
async def test_a_profile_that_is_none(kit, ziwo, content):
    ziwo.answers("GET", "/profile", lambda: kit.ok(content))
    with pytest.raises(DecodeError) as caught:
        await SessionResource(kit.transport(ziwo.url)).profile()
    assert caught.value.path == "/profile"
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_webrtc_config(kit, ziwo):
    ziwo.answers("GET", "/fs/webrtc/config", lambda: kit.ok({"webSocket": {"protocol": "WSS", "port": "8082"}}))
    config = await SessionResource(kit.transport(ziwo.url)).webrtc_config()
    assert config.web_socket.port == 8082
    assert config.verto_url("https://acme-api.aswat.co") == "wss://acme-api.aswat.co:8082"


@pytest.mark.parametrize(
    "address",
    [
        {"protocol": "wss", "port": "8082@evil.com"},
        {"protocol": "wss", "port": 0},
        {"protocol": "wss", "port": 65536},
        {"protocol": "http", "port": 1},
        {"protocol": 5, "port": 1},
        {"protocol": "wss"},
        None,
    ],
)
async def test_a_phone_address_that_could_lead_elsewhere(kit, ziwo, address):
    ziwo.answers("GET", "/fs/webrtc/config", lambda: kit.ok({"webSocket": address}))
    with pytest.raises(DecodeError):
        await SessionResource(kit.transport(ziwo.url)).webrtc_config()


def test_a_plain_phone_socket_is_for_loopback_only():
    config = WebrtcConfig.model_validate({"webSocket": {"protocol": "ws", "port": 5}})
    assert config.verto_url("http://127.0.0.1:80") == "ws://127.0.0.1:5"
    assert config.verto_url("http://[::1]:80") == "ws://[::1]:5"
    with pytest.raises(ConfigError, match="/fs/webrtc/config"):
        config.verto_url("https://acme-api.aswat.co")


async def test_autologin(kit, ziwo):
    agents = OwnAgentResource(kit.transport(ziwo.url))
    await agents.autologin()
    await agents.autologin("agent-0011")
    await agents.autologin("a/b c")
    assert ziwo.seen[1:] == [
        ("PUT", "/agents/autologin"),
        ("PUT", "/agents/autologin/agent-0011"),
        ("PUT", "/agents/autologin/a/b c"),  # as the server decodes it
    ]
    assert ziwo.raw_paths[-1] == "/agents/autologin/a%2Fb%20c"  # one segment on the wire
    assert ziwo.headers[1]["Content-Type"] == "application/json"
    for position in ("", ".", "..", "a/../b", "a\r\nb"):
        with pytest.raises(ConfigError):
            await agents.autologin(position)


async def test_agent_logout_and_being_logged_out_already(kit, ziwo):
    agents = OwnAgentResource(kit.transport(ziwo.url))
    await agents.logout()
    ziwo.answers("PUT", "/agents/logout", lambda: kit.failed(412, "already logged off"))
    await agents.logout()
    ziwo.answers("PUT", "/agents/logout", lambda: kit.failed(409, "in a call"))
    with pytest.raises(Conflict, match="in a call"):
        await agents.logout()


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "expected"), [("0011", "0011"), (11, "11"), ("", ""), (None, None)])
def test_the_agents_number_is_text(given, expected):
    assert Profile.model_validate({"id": 1, "ccLogin": given}).cc_login == expected


def test_a_numeric_cc_password_becomes_a_secret_text():
    profile = Profile.model_validate({"id": 1, "ccPassword": 12345})
    assert profile.cc_password is not None
    assert profile.cc_password.get_secret_value() == "12345"


def test_unknown_fields_are_kept_and_secrets_hidden_everywhere():
    profile = Profile.model_validate(
        {
            "id": 1,
            "ccPassword": "CANARY-1",
            "access_token": "CANARY-2",
            "newThing": {"deep": [{"password": "CANARY-3", "ok": 1}]},
            "sipPassword": "kept",
            "passwd": "CANARY-4",
            "liveCalls": [{"extendedInfo": {"agent": {"ccPassword": "CANARY-5", "ccLogin": "0012"}}}],
            "role": {"permissions": {"eavesdrop": True}, "api_key": "CANARY-6"},
        }
    )
    assert profile.model_extra is not None
    assert profile.model_extra["newThing"]["deep"][0]["ok"] == 1
    assert profile.live_calls[0]["extendedInfo"]["agent"]["ccLogin"] == "0012"
    assert profile.role["permissions"] == {"eavesdrop": True}
    for shown in (repr(profile), str(profile), profile.model_dump_json(), repr(profile.model_dump(by_alias=True))):
        assert "CANARY" not in shown
    assert profile.cc_password is not None
    assert profile.cc_password.get_secret_value() == "CANARY-1"


def test_models_are_frozen_and_take_python_names():
    profile = Profile(id=1, cc_login="0011", live_info=None)
    assert profile.model_dump(mode="json", by_alias=True, exclude_none=True) == {"id": 1, "ccLogin": "0011"}
    with pytest.raises(ValidationError):
        profile.id = 2
    with pytest.raises(ValidationError):
        Profile.model_validate("text")


# --- credentials and segments ---------------------------------------------------------------------------------------


def test_credentials_hide_their_secrets():
    assert "CANARY" not in repr(Credentials.from_password("a", "CANARY"))
    assert "CANARY" not in repr(Credentials.from_token(SecretStr("CANARY")))


@pytest.mark.parametrize("token", ["", "CANARY x", "CANARY\r\nX: y", "CANARÿ"])
def test_a_token_that_no_header_can_carry(token):
    with pytest.raises(ConfigError, match="token") as caught:
        Credentials.from_token(token)
    assert "CANAR" not in str(caught.value)


def test_credentials_need_something():
    with pytest.raises(ConfigError, match="a user name and a password, or a token"):
        Credentials(username="a")
    with pytest.raises(ConfigError, match="are a token"):
        Credentials.from_token("t").login_form()


@pytest.mark.parametrize(
    ("value", "expected"), [(7, "7"), ("a:b", "a%3Ab"), ("../x?y#z", "..%2Fx%3Fy%23z"), ("é ", "%C3%A9%20")]
)
def test_segment(value, expected):
    assert segment(value) == expected

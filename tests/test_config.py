"""Names, addresses, policies and settings: all judged before any I/O."""

from __future__ import annotations

import string
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from ziwo_async.config import (
    Liveness,
    ReconnectPolicy,
    RetryPolicy,
    Settings,
    Timeouts,
    api_base_url,
    check_url,
    is_loopback,
    normalise_instance,
)
from ziwo_async.errors import ConfigError, InvalidInstanceName

VARIABLES = ["CONTACT_CENTER", "USERNAME", "PASSWORD", "TOKEN", "API_URL", "VERTO_URL", "POSITION"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"ZIWO_{name}", raising=False)


@pytest.mark.parametrize(
    "spelling",
    [
        "acme",
        "ACME",
        "acme.aswat.co",
        "acme-api.aswat.co",
        "Acme-API.aswat.co",
        "https://acme.aswat.co",
        "https://acme-api.aswat.co/",
        "HTTPS://ACME.ASWAT.CO/",
    ],
)
def test_every_usual_spelling_is_the_same_instance(spelling: str) -> None:
    assert normalise_instance(spelling) == "acme"
    assert api_base_url(spelling) == "https://acme-api.aswat.co"


@pytest.mark.parametrize("name", ["a", "9", "a-b", "a" * 63, "demo2", "acme-api"])
def test_a_dns_label_is_taken_as_it_is(name: str) -> None:
    assert normalise_instance(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "evil.com/#",
        "a@evil.com/",
        "https://evil.com",
        "https://evil.com/.aswat.co",
        "https://a@acme.aswat.co",
        "http://acme.aswat.co",
        "https://acme.aswat.co:8082",
        "https://acme.aswat.co//",
        "https://acme.aswat.co/path",
        "https://",
        "acme.aswat.co:443",
        "acme/",
        "acme\r\nX: y",
        "acme\n",
        " acme",
        "acme\t",
        "acme..aswat.co",
        "..",
        ".aswat.co",
        "-api.aswat.co",
        "a.b",
        "-acme",
        "acme-",
        "a" * 64,
        "acmé",
        "аcme",  # noqa: RUF001 - a Cyrillic letter, on purpose
        "\u212aelvin",  # lower() makes an ASCII k of it
        "acme?x",
        "acme%2e",
        "acme_1",
    ],
)
def test_anything_else_is_refused_with_a_readable_text(name: str) -> None:
    with pytest.raises(InvalidInstanceName, match="contact-centre name") as caught:
        normalise_instance(name)
    text = str(caught.value)
    assert "acme.aswat.co" in text
    assert text.isprintable()


def test_a_huge_name_is_not_repeated_in_full() -> None:
    with pytest.raises(InvalidInstanceName) as caught:
        normalise_instance("x" * 100_000)
    assert len(str(caught.value)) < 400


@given(
    st.one_of(
        st.text(),
        st.text(string.ascii_lowercase + string.digits + "-./:@#?%\\ \r\n"),
        st.builds(
            "{}{}{}".format, st.sampled_from(["", "https://"]), st.text(), st.sampled_from(["", ".aswat.co", "/"])
        ),
    )
)
@example("evil.com/#")
@example("a@evil.com/")
def test_no_name_leads_to_another_host(name: str) -> None:
    try:
        url = api_base_url(name)
    except InvalidInstanceName:
        return
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.hostname.endswith("-api.aswat.co")
    assert parts.netloc == parts.hostname
    assert url == f"https://{parts.hostname}"
    label = parts.hostname.removesuffix("-api.aswat.co")
    assert normalise_instance(label) == label


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("10.0.0.1", False),
        ("127.0.0.1.evil.com", False),
        ("localhost.evil.com", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("url", "scheme", "expected"),
    [
        ("https://api.example/", "https", "https://api.example"),
        ("https://api.example:444/ziwo/", "https", "https://api.example:444/ziwo"),
        ("http://127.0.0.1:8080", "https", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "https", "http://[::1]:8080"),
        ("http://localhost:1", "https", "http://localhost:1"),
        ("wss://api.example:8082", "wss", "wss://api.example:8082"),
        ("ws://127.0.0.1:9", "wss", "ws://127.0.0.1:9"),
    ],
)
def test_good_addresses(url: str, scheme: str, expected: str) -> None:
    assert check_url(url, scheme=scheme, what="it") == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("http://api.example", "https"),
        ("ws://api.example", "wss"),
        ("http://127.0.0.1.evil.com", "https"),
        ("wss://api.example", "https"),
        ("https://api.example", "wss"),
        ("ftp://127.0.0.1", "https"),
        ("api.example", "https"),
        ("https://", "https"),
        ("https://user:CANARY@api.example", "https"),
        ("https://api.example?token=CANARY", "https"),
        ("https://api.example?", "https"),
        ("https://api.example#CANARY", "https"),
        ("https://api.example:99999", "https"),
        ("https://api.example:0", "https"),
        ("https://api.example:8082@evil.com", "https"),
        ("https://[::1", "https"),
        ("https://api.example/../CANARY", "https"),
        ("https://api.example//CANARY", "https"),
        ("https://api.example\r\n", "https"),
        ("https://api.example\\@evil.com", "https"),
        ("https://exämple.com", "https"),
        ("", "https"),
    ],
)
def test_bad_addresses_are_refused_and_not_repeated(url: str, scheme: str) -> None:
    with pytest.raises(ConfigError, match="ZIWO_SOME_URL") as caught:
        check_url(url, scheme=scheme, what="ZIWO_SOME_URL")  # type: ignore[arg-type]
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_defaults_of_the_policies() -> None:
    assert (Timeouts().connect, Timeouts().request, Timeouts().login, Timeouts().verto_request) == (10, 10, 10, 10)
    assert Timeouts().close == 5
    assert (RetryPolicy().attempts, RetryPolicy().base, RetryPolicy().cap) == (3, 0.5, 8)
    assert (ReconnectPolicy().base, ReconnectPolicy().cap, ReconnectPolicy().stable_after) == (0.5, 30, 30)
    assert ReconnectPolicy().max_attempts is None
    assert (Liveness().silence, Liveness().reply) == (10, 5)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), None])
def test_no_limit_can_be_switched_off(value: float) -> None:
    with pytest.raises(ConfigError, match=r"Timeouts\.request"):
        Timeouts(request=value)
    with pytest.raises(ConfigError, match=r"Liveness\.silence"):
        Liveness(silence=value)
    with pytest.raises(ConfigError, match=r"RetryPolicy\.base"):
        RetryPolicy(base=value)
    with pytest.raises(ConfigError, match=r"ReconnectPolicy\.cap"):
        ReconnectPolicy(cap=value)


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CONTACT_CENTER": "https://ACME.aswat.co/",
        "USERNAME": "a@b.test",
        "PASSWORD": "CANARY",
        "TOKEN": "CANARY-token",
        "VERTO_URL": "ws://127.0.0.1:8082/",
        "POSITION": "agent-0011",
    }.items():
        monkeypatch.setenv(f"ZIWO_{name}", value)
    settings = Settings.from_env()
    assert settings.contact_center == "acme"
    assert settings.base_url == "https://acme-api.aswat.co"
    assert settings.username == "a@b.test"
    assert settings.password is not None
    assert settings.password.get_secret_value() == "CANARY"
    assert settings.token == SecretStr("CANARY-token")
    assert settings.verto_url == "ws://127.0.0.1:8082"
    assert settings.position == "agent-0011"
    assert "CANARY" not in repr(settings)


def test_the_api_address_overrides_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIWO_API_URL", "http://127.0.0.1:5000/")
    monkeypatch.setenv("ZIWO_TOKEN", "t")
    settings = Settings.from_env()
    assert settings.contact_center is None
    assert settings.base_url == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("given_env", "named"),
    [
        ({}, "ZIWO_CONTACT_CENTER"),
        ({"CONTACT_CENTER": ""}, "ZIWO_CONTACT_CENTER"),
        ({"CONTACT_CENTER": "acme"}, "ZIWO_USERNAME and ZIWO_PASSWORD"),
        ({"CONTACT_CENTER": "acme", "USERNAME": "a@b.test"}, "set ZIWO_PASSWORD"),
        ({"CONTACT_CENTER": "acme", "PASSWORD": "CANARY"}, "set ZIWO_USERNAME"),
        ({"API_URL": "http://10.0.0.1", "TOKEN": "CANARY"}, "ZIWO_API_URL"),
        ({"CONTACT_CENTER": "acme", "TOKEN": "CANARY", "VERTO_URL": "ws://10.0.0.1"}, "ZIWO_VERTO_URL"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, given_env: dict[str, str], named: str) -> None:
    for name, value in given_env.items():
        monkeypatch.setenv(f"ZIWO_{name}", value)
    with pytest.raises(ConfigError, match=named) as caught:
        Settings.from_env()
    assert "CANARY" not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert caught.value.__context__ is None


def test_credentials_may_come_from_elsewhere() -> None:
    settings = Settings(contact_center="acme", needs_login=False)
    assert (settings.username, settings.password, settings.token) == (None, None, None)


def test_a_wrong_name_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIWO_CONTACT_CENTER", "evil.com/#")
    monkeypatch.setenv("ZIWO_TOKEN", "t")
    with pytest.raises(InvalidInstanceName):
        Settings.from_env()


def test_importing_config_does_not_import_the_slow_parts() -> None:
    slow = ["aiohttp", "pydantic_settings", "stamina", "websockets"]
    code = f"import sys, ziwo_async.config; print([m for m in {slow} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert out.stdout.strip() == "[]"


def test_a_refused_name_never_shows_what_may_be_a_password() -> None:
    with pytest.raises(InvalidInstanceName) as caught:
        normalise_instance("https://acme:hunter2@evil.example")
    assert "hunter2" not in str(caught.value)
    assert "evil.example" in str(caught.value)

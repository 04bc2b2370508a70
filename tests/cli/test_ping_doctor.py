"""`ziwo ping` and `ziwo doctor`."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from ziwo_async.testing import FAST_SERVER, serve

from .centre import Ziwo
from .kit import ZIWO, Program, finished, program
from .test_login import dead_port

NAMES = ["name", "DNS", "TCP and TLS", "login", "profile", "webrtc config", "phone login"]


def outcome(ziwo: Ziwo, code: int, *arguments: str, **env: str | None) -> dict[str, str]:
    """Run the doctor; give the marks, and what is said of the first failure."""
    result = ziwo("doctor", *arguments, **env)
    assert result.exit_code == code, result.output
    lines = result.stdout.splitlines()
    marks = {line[2:18].strip(): line[0] for line in lines if not line.startswith(" ")}
    bad = next((n for n, line in enumerate(lines) if line[0] == "\N{BALLOT X}"), None)
    marks["why"] = "" if bad is None else " ".join(" ".join(lines[bad : bad + 2]).split())
    return marks


# --- ping -----------------------------------------------------------------------------------------------------------


def test_ping_needs_no_login(ziwo: Ziwo) -> None:
    url = ziwo.centre.world.api_url
    ziwo.nobody()
    assert re.fullmatch(rf"{url} answers in \d+ ms\n", ziwo.ok("ping", ZIWO_API_URL=url))
    (answer,) = ziwo.json("ping", ZIWO_API_URL=url)
    assert (answer["apiUrl"], 0 < answer["seconds"] < 20) == (url, True)
    assert ziwo.centre.requests == ["GET /monitor/ping 200"] * 2


def test_ping_knows_the_contact_centre_of_the_login(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    assert ziwo.ok("ping")


def test_ping_that_fails(ziwo: Ziwo) -> None:
    assert "no connection to 127.0.0.1" in ziwo.refuses(4, "ping", ZIWO_API_URL=dead_port())
    ziwo.centre.do(lambda world: world.faults.next_http(503, path="/monitor/ping"))
    assert "failed with HTTP 503" in ziwo.refuses(1, "ping")  # once: what is measured is one answer
    ziwo.nobody()
    assert "no contact centre" in ziwo.refuses(2, "ping")
    assert "bare name" in ziwo.refuses(2, "ping", ZIWO_CONTACT_CENTER="not a name")


# --- doctor ---------------------------------------------------------------------------------------------------------


def test_everything_is_good(ziwo: Ziwo) -> None:
    marks = outcome(ziwo, 0)
    assert [*marks] == [*NAMES, "why"]
    assert set(marks.values()) == {"\N{CHECK MARK}", ""}
    result = ziwo("doctor")
    assert "plain http, which is only for this machine" in result.stdout
    assert "agent5555@acme.example, agent, ccLogin 5555" in result.stdout
    assert "agent-5555 is ready for calls" in result.stdout
    assert result.stderr.startswith("ziwo: now the agent's phone logs in for a moment. An agent has one phone")
    # ZIWO is not told that this phone takes calls, and the session is ended.
    assert not [line for line in ziwo.centre.requests if "autologin" in line]
    assert ziwo.centre.tokens == set()


def test_a_kept_session_stays(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    assert "the token is accepted (from: keyring)" in ziwo.ok("doctor", "--no-phone")
    assert len(ziwo.centre.tokens) == 1


def test_json_is_one_object_a_check(ziwo: Ziwo) -> None:
    found = ziwo.json("doctor")
    assert [check["check"] for check in found] == NAMES
    assert all(check["ok"] is True and check["seconds"] >= 0 and check["advice"] is None for check in found)


def test_without_the_phone_nothing_logs_in_there(ziwo: Ziwo) -> None:
    result = ziwo("doctor", "--no-phone")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "phone login" not in result.stdout
    assert not ziwo.centre.do(lambda world: world.journal.frames("in"))


def test_nobody_and_no_contact_centre(ziwo: Ziwo) -> None:
    ziwo.nobody()
    marks = outcome(ziwo, 2)
    assert marks["why"].endswith("(for example acme). Or log in once: `ziwo login`.")
    for command in ("agents", "ping", "doctor"):
        assert "contact_center" not in ziwo(command).output  # a word of the package, which is of no use here


def test_a_name_that_is_none(ziwo: Ziwo) -> None:
    marks = outcome(ziwo, 2, ZIWO_API_URL=None, ZIWO_CONTACT_CENTER="not a name")
    assert "bare name" in marks.pop("why")
    assert [*marks.values()] == ["\N{BALLOT X}", *["-"] * 6]


def test_a_host_that_does_not_exist(ziwo: Ziwo) -> None:
    marks = outcome(ziwo, 4, ZIWO_API_URL="https://acme-api.invalid")
    assert "Is the name right?" in marks.pop("why")
    assert [*marks.values()] == ["\N{CHECK MARK}", "\N{BALLOT X}", *["-"] * 5]


def test_a_port_where_nobody_listens(ziwo: Ziwo) -> None:
    marks = outcome(ziwo, 4, ZIWO_API_URL=dead_port())
    assert "firewall" in marks["why"]
    assert marks["TCP and TLS"] == "\N{BALLOT X}"


def test_a_wrong_password(ziwo: Ziwo) -> None:
    marks = outcome(ziwo, 3, ZIWO_PASSWORD="canary-wrong")
    assert "Invalid credentials" in marks["why"]
    assert "web page with the same user" in marks["why"]
    assert [marks[name] for name in NAMES[3:]] == ["\N{BALLOT X}", "-", "-", "-"]


def test_an_expired_token(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    ziwo.centre.do(lambda world: world.faults.expire_tokens())
    assert "run `ziwo login`" in outcome(ziwo, 3)["why"]


def test_no_login_at_all(ziwo: Ziwo) -> None:
    why = outcome(ziwo, 2, ZIWO_USERNAME=None, ZIWO_PASSWORD=None)["why"]
    assert "no credentials" in why
    assert "Log in once with `ziwo login`" in why


def test_a_user_without_a_phone(ziwo: Ziwo) -> None:
    ziwo.centre.do(lambda world: world.add_user("boss@acme.example", password="canary-boss"))
    env = {"ZIWO_USERNAME": "boss@acme.example", "ZIWO_PASSWORD": "canary-boss"}
    ziwo.centre.secrets.add("canary-boss")
    marks = outcome(ziwo, 2, **env)
    assert "this user has no phone" in marks["why"]
    assert [marks[name] for name in NAMES[4:]] == ["\N{BALLOT X}", "\N{CHECK MARK}", "-"]
    assert outcome(ziwo, 0, "--no-phone", **env)["why"] == ""


def test_no_webrtc_config(ziwo: Ziwo) -> None:
    ziwo.centre.do(lambda world: world.faults.next_http(404, path="/fs/webrtc/config", times=2))
    marks = outcome(ziwo, 1)
    assert "set ZIWO_VERTO_URL" in marks["why"]
    assert (marks["webrtc config"], marks["phone login"]) == ("\N{BALLOT X}", "-")
    # With the address in the environment the phone does not need it.
    verto_url = ziwo.centre.world.verto_url
    assert outcome(ziwo, 1, ZIWO_VERTO_URL=verto_url)["phone login"] == "\N{CHECK MARK}"


def test_a_phone_port_that_is_closed(ziwo: Ziwo) -> None:
    verto_url = dead_port().replace("http", "ws")
    assert "the phone's port" in outcome(ziwo, 4, ZIWO_VERTO_URL=verto_url)["why"]


async def test_a_phone_that_is_in_use() -> None:
    async with AsyncExitStack() as stack:
        options = replace(FAST_SERVER, disable_multiple_sessions=True)
        world = await stack.enter_async_context(serve(options=options))
        agent = world.agent("5555")
        env = {"ZIWO_API_URL": world.api_url, "ZIWO_USERNAME": agent.username, "ZIWO_PASSWORD": agent.password}
        phone = await stack.enter_async_context(program(*ZIWO, "listen", env=env))
        await phone.says("is ready")
        code, doctor = await finished(*ZIWO, "doctor", env=env)
        assert code == 3
        assert doctor.out[-2].startswith("\N{BALLOT X} phone login")
        assert "Somebody is logged in as this agent" in doctor.out[-1]
        # The one that was there is not thrown out.
        assert await phone.stops() == 0
        assert len(phone.out) == 1


# --- TLS ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def tls_server(certificate: trustme.LeafCert) -> AsyncIterator[str]:
    """Something that speaks TLS, and is no contact centre."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def examined(url: str, **env: str) -> tuple[int, Program]:
    return await finished(*ZIWO, "doctor", env={"ZIWO_API_URL": url, "ZIWO_TOKEN": "canary-token", **env})


async def test_a_certificate_is_told_with_its_days(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with tls_server(authority.issue_cert("127.0.0.1", "acme-api.aswat.example")) as url:
        code, doctor = await examined(url, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
    (line,) = (line for line in doctor.out if "TCP and TLS" in line)
    assert line[0] == "\N{CHECK MARK}"
    assert re.search(r"TLSv1\.\d; certificate of .*acme-api\.aswat\.example.*, \d+ days left", line)
    assert code == 4  # and then nobody speaks HTTP
    assert doctor.out[3][0] == "\N{BALLOT X}"
    assert "canary-token" not in doctor.text + doctor.errors


@pytest.mark.parametrize("host", ["127.0.0.1", "other.example"])
async def test_a_certificate_that_cannot_be_trusted(tmp_path: Path, host: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusted = {} if host == "127.0.0.1" else {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    async with tls_server(authority.issue_cert(host)) as url:
        code, doctor = await examined(url, **trusted)
    assert code == 4
    assert doctor.out[2][0] == "\N{BALLOT X}"
    assert re.search("self-signed certificate|unable to get local issuer|not valid for", doctor.out[2])
    assert "may replace the certificate" in doctor.out[3]


async def test_a_server_without_tls() -> None:
    async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0) as server:
        code, doctor = await examined(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert code == 4
    assert doctor.out[2][0] == "\N{BALLOT X}"

"""`ziwo login`, `logout` and `whoami`: where the token is kept, and what becomes of it."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring

from .centre import PASSWORD, Centre, Ziwo
from .keyring_in_a_file import FullKeyring, LockedKeyring
from .kit import ZIWO, finished
from .terminal import on_a_terminal

HERE = Path(__file__).parent


def kept(ziwo: Ziwo) -> dict[str, str]:
    """The login in the keyring."""
    (text,) = json.loads((ziwo.folder / "keyring.json").read_text()).values()
    found: dict[str, str] = json.loads(text)
    return found


def dead_port() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


# --- login ----------------------------------------------------------------------------------------------------------


def test_login_keeps_the_token_and_not_the_password_and_the_session_stays_open(ziwo: Ziwo) -> None:
    said = ziwo.ok("login")
    assert said == f"Logged in as agent5555@acme.example at {ziwo.centre.world.api_url}; the token is in the keyring.\n"
    found = kept(ziwo)
    assert found["token"] in ziwo.centre.tokens
    assert (found["username"], found["api_url"]) == ("agent5555@acme.example", ziwo.centre.world.api_url)
    assert PASSWORD not in (ziwo.folder / "keyring.json").read_text()
    assert ziwo.centre.requests == ["POST /auth/login 200"]


def test_the_other_commands_use_it(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    assert ziwo.json("whoami") == [
        {
            "contactCenter": None,
            "apiUrl": ziwo.centre.world.api_url,
            "username": "agent5555@acme.example",
            "name": "Ann Agent",
            "type": "agent",
            "ccLogin": "5555",
            "status": "Logged Out",
            "login": "keyring",
        }
    ]
    lines = ziwo.ok("whoami", ZIWO_API_URL=ziwo.centre.world.api_url).splitlines()
    assert lines == [
        f"contact centre  {ziwo.centre.world.api_url}",
        "user            agent5555@acme.example",
        "name            Ann Agent",
        "type            agent",
        "ccLogin         5555",
        "status          Logged Out",
        "login from      keyring",
    ]
    # Nobody logged in or out for that.
    assert ziwo.centre.requests.count("POST /auth/login 200") == 1
    assert "POST /auth/logout 200" not in ziwo.centre.requests


async def test_the_backend_that_the_environment_selects_is_used(ziwo: Ziwo) -> None:
    env = {
        **{name: value for name, value in ziwo.env.items() if value is not None},
        "PYTHON_KEYRING_BACKEND": "keyring_in_a_file.FileKeyring",
        "PYTHONPATH": str(HERE),
    }
    code, login = await finished(*ZIWO, "login", env=env)
    assert (code, login.err) == (0, [])
    nobody = {name: value for name, value in env.items() if not name.startswith("ZIWO_")}
    code, who = await finished(*ZIWO, "whoami", env=nobody)
    assert (code, who.err) == (0, [])
    assert "login from      keyring" in who.out
    code, out = await finished(*ZIWO, "logout", env=nobody)
    assert (code, out.out, out.err) == (0, ["Logged out: agent5555@acme.example."], [])


def test_a_file_is_only_made_when_asked_for_and_only_its_owner_can_read_it(ziwo: Ziwo) -> None:
    old = os.umask(0)
    try:
        assert str(ziwo.login_file) in ziwo.ok("login", "--file")
    finally:
        os.umask(old)
    assert stat.S_IMODE(ziwo.login_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ziwo.login_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in ziwo.login_file.parent.iterdir()] == ["login.json"]
    assert PASSWORD not in ziwo.login_file.read_text()
    assert not (ziwo.folder / "keyring.json").exists()
    ziwo.nobody()
    assert f"login from      file {ziwo.login_file}" in ziwo.ok("whoami")


# --- a token that is there already ----------------------------------------------------------------------------------


def given(ziwo: Ziwo, cc_login: str = "5555") -> str:
    """A token from elsewhere."""
    token = "canary-token-from-elsewhere"
    ziwo.centre.do(lambda world: world.simulator.rest.accept_token(token, world.agent(cc_login)))
    return token


def test_a_token_on_stdin_is_kept_and_nobody_logs_in_or_out(ziwo: Ziwo) -> None:
    token = given(ziwo)
    url = ziwo.centre.world.api_url
    said = ziwo.ok("login", "--token-stdin", stdin=f"{token}\n", ZIWO_PASSWORD="canary-wrong")
    assert said == f"Kept the token of agent5555@acme.example at {url} in the keyring.\n"
    assert ziwo.centre.requests == ["GET /profile 200"]
    assert (kept(ziwo)["token"], kept(ziwo)["username"]) == (token, "agent5555@acme.example")
    ziwo.nobody()
    assert ziwo.json("whoami")[0]["ccLogin"] == "5555"
    assert str(ziwo.login_file) in ziwo.ok("login", "--token-stdin", "--file", stdin=token, ZIWO_API_URL=url)


@pytest.mark.parametrize("stdin", ["", "\n", "  \nmore"])
def test_no_token_on_stdin(ziwo: Ziwo, stdin: str) -> None:
    assert "there is no token on stdin" in ziwo.refuses(2, "login", "--token-stdin", stdin=stdin)
    assert ziwo.centre.requests == []


def test_a_token_that_is_not_accepted_is_not_kept(ziwo: Ziwo) -> None:
    assert ziwo.refuses(3, "login", "--token-stdin", stdin="canary-wrong") == "ziwo: the token is not accepted"
    assert not (ziwo.folder / "keyring.json").exists()


def test_a_token_without_a_contact_centre(ziwo: Ziwo) -> None:
    ziwo.nobody()
    assert "no contact centre" in ziwo.refuses(2, "login", "--token-stdin", stdin="canary-token")


def test_at_a_terminal_a_token_is_asked_for_and_not_shown(ziwo: Ziwo) -> None:
    token = given(ziwo)
    env = {name: value for name, value in ziwo.env.items() if value is not None}
    with on_a_terminal("login", "--token-stdin", "--file", **env) as terminal:
        terminal.answer("Access token: ", token)
        assert terminal.process.wait(20) == 0
        terminal.shows("Kept the token of agent5555@acme.example")
        assert token not in terminal.shown


# --- one of them ----------------------------------------------------------------------------------------------------


def test_there_is_one_login_only(ziwo: Ziwo) -> None:
    ziwo.ok("login", "--file")
    ziwo.ok("login")
    assert not ziwo.login_file.exists()
    ziwo.ok("login", "--file")
    assert json.loads((ziwo.folder / "keyring.json").read_text()) == {}


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(ziwo: Ziwo) -> None:
    victim = ziwo.folder / "victim"
    victim.write_text("mine")
    ziwo.login_file.parent.mkdir(parents=True)
    ziwo.login_file.symlink_to(victim)
    assert "cannot be read" in ziwo.refuses(2, "whoami", ZIWO_USERNAME=None, ZIWO_PASSWORD=None)
    ziwo.ok("login", "--file")
    assert victim.read_text() == "mine"
    assert not ziwo.login_file.is_symlink()


def test_a_file_that_others_can_read_is_not_used(ziwo: Ziwo) -> None:
    ziwo.ok("login", "--file")
    ziwo.nobody()
    ziwo.login_file.chmod(0o640)
    line = ziwo.refuses(2, "whoami")
    assert line == f"ziwo: other users of this machine can read {ziwo.login_file}; its mode must be 600"


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"token": 1, "username": "a", "api_url": "b"}', '{"token": "canary', "[" * 9999]
)
def test_a_file_with_something_else_is_one_line(ziwo: Ziwo, text: str) -> None:
    ziwo.login_file.parent.mkdir(parents=True)
    ziwo.login_file.write_text(text)
    ziwo.login_file.chmod(0o600)
    ziwo.nobody()
    assert "cannot be read: run `ziwo login` again" in ziwo.refuses(2, "agents")


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        (NoKeyring, "this machine has no usable keyring: `ziwo login --file`"),
        (LockedKeyring, "the keyring refuses (KeyringLocked): unlock it; or `ziwo login --file`"),
        (NullKeyring, "the keyring did not keep the token: `ziwo login --file`"),
        (FullKeyring, "the keyring refuses (RuntimeError)"),
    ],
)
def test_without_a_usable_keyring_it_says_what_else_can_be_done(ziwo: Ziwo, backend: type, says: str) -> None:
    keyring.set_keyring(backend())
    said = ziwo.refuses(2, "login")
    assert says in said
    assert "no room" not in said  # what follows it is the token
    # A session that nobody knows of is not left open.
    assert ziwo.centre.tokens == set()
    assert ziwo.ok("login", "--file")


async def test_without_the_package_it_says_what_to_install(ziwo: Ziwo) -> None:
    (ziwo.folder / "keyring.py").write_text("raise ModuleNotFoundError(\"No module named 'keyring'\", name='keyring')")
    env = {name: value for name, value in ziwo.env.items() if value is not None} | {"PYTHONPATH": str(ziwo.folder)}
    code, refused = await finished(*ZIWO, "login", env=env)
    assert (code, refused.out) == (2, [])
    (line,) = refused.err
    assert line.startswith('ziwo: the keyring needs a package: pip install "ziwo-async[cli]"; or `ziwo login --file`')
    # The other commands do without it.
    nobody = {name: value for name, value in env.items() if not name.startswith("ZIWO_")}
    code, refused = await finished(*ZIWO, "whoami", env=nobody)
    assert (code, "no contact centre" in refused.errors) == (2, True)


def test_a_wrong_password_is_exit_code_3(ziwo: Ziwo) -> None:
    said = ziwo.refuses(3, "login", ZIWO_PASSWORD="canary-wrong")
    assert said == "ziwo: the server refuses user and password: Invalid credentials"
    ziwo.centre.world.simulator.rest.quirks.errors_with_200 = True
    said = ziwo.refuses(3, "login", ZIWO_PASSWORD="canary-wrong")
    assert said == "ziwo: the server refuses user and password: Invalid credentials"
    assert not (ziwo.folder / "keyring.json").exists()


def test_an_answer_without_a_token_is_exit_code_1(ziwo: Ziwo) -> None:
    for content in ({}, {"access_token": ""}, {"access_token": 7}):
        ziwo.centre.world.faults.next_http(200, body={"result": True, "content": content}, path="/auth/login")
        assert "has no access_token" in ziwo.refuses(1, "login")


def test_no_network_is_exit_code_4(ziwo: Ziwo) -> None:
    assert "no connection to 127.0.0.1" in ziwo.refuses(4, "login", ZIWO_API_URL=dead_port())


def test_what_is_missing_is_said(ziwo: Ziwo) -> None:
    assert "set ZIWO_PASSWORD too" in ziwo.refuses(2, "login", ZIWO_PASSWORD=None)
    ziwo.nobody()
    line = ziwo.refuses(2, "whoami")
    assert "no contact centre" in line
    assert line.endswith("Or log in once: `ziwo login`.")


def test_on_a_terminal_it_asks_and_shows_no_password(centre: Centre, tmp_path: Path) -> None:
    with on_a_terminal("login", "--file", ZIWO_API_URL=centre.world.api_url, XDG_CONFIG_HOME=str(tmp_path)) as terminal:
        terminal.answer("User (e-mail address): ", centre.world.agent("5555").username)
        terminal.answer("Password: ", PASSWORD)
        terminal.shows("Logged in as")
        assert terminal.process.wait(20) == 0
        assert PASSWORD not in terminal.shown
    assert (tmp_path / "ziwo_async" / "login.json").exists()


# --- which login ----------------------------------------------------------------------------------------------------


def test_the_environment_comes_before_what_is_kept(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    (who,) = ziwo.json("whoami", **ziwo.centre.env("0011"))
    assert (who["ccLogin"], who["login"]) == ("0011", "environment")


def test_a_kept_token_goes_only_where_it_came_from(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    assert "no credentials" in ziwo.refuses(2, "whoami", ZIWO_API_URL="http://127.0.0.1:1")
    assert "no credentials" in ziwo.refuses(2, "whoami", ZIWO_CONTACT_CENTER="acme")
    assert "set ZIWO_PASSWORD too" in ziwo.refuses(
        2, "whoami", ZIWO_API_URL=ziwo.centre.world.api_url, ZIWO_USERNAME="somebody@else.example"
    )
    assert "set ZIWO_USERNAME" in ziwo.refuses(
        2, "whoami", ZIWO_API_URL=ziwo.centre.world.api_url, ZIWO_PASSWORD="canary"
    )
    assert ziwo.ok("whoami", ZIWO_USERNAME="Agent5555@ACME.example")


def test_a_token_in_the_environment(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    token = kept(ziwo)["token"]
    ziwo.nobody()
    (who,) = ziwo.json("whoami", ZIWO_API_URL=ziwo.centre.world.api_url, ZIWO_TOKEN=token)
    assert who["login"] == "environment"
    said = ziwo.refuses(3, "whoami", ZIWO_API_URL=ziwo.centre.world.api_url, ZIWO_TOKEN="canary-token")
    assert said.startswith("ziwo: the token in ZIWO_TOKEN is not accepted any more")


@pytest.mark.parametrize("command", [("whoami",), ("history",), ("dial", "9196"), ("listen",), ("status", "1")])
def test_a_kept_token_that_is_refused_is_one_line(ziwo: Ziwo, command: tuple[str, ...]) -> None:
    ziwo.ok("login")
    ziwo.nobody()
    ziwo.centre.do(lambda world: world.faults.expire_tokens())
    said = ziwo.refuses(3, *command)
    assert said == "ziwo: the login in the keyring is not accepted any more: run `ziwo login`"


# --- logout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(), ("--file",)])
def test_logout_ends_the_session_and_forgets_it(ziwo: Ziwo, place: tuple[str, ...]) -> None:
    ziwo.ok("login", *place)
    ziwo.nobody()
    assert ziwo.ok("logout") == "Logged out: agent5555@acme.example.\n"
    assert ziwo.centre.tokens == set()
    assert not ziwo.login_file.exists()
    again = ziwo("logout")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "ziwo: there is no login to forget\n")


def test_logout_forgets_an_expired_token_without_a_word(ziwo: Ziwo) -> None:
    ziwo.ok("login")
    ziwo.centre.do(lambda world: world.faults.expire_tokens())
    assert ziwo.ok("logout") == "Logged out: agent5555@acme.example.\n"


def test_logout_forgets_even_when_the_server_cannot_be_reached(ziwo: Ziwo) -> None:
    ziwo.ok("login", "--file")
    found = json.loads(ziwo.login_file.read_text())
    ziwo.login_file.write_text(json.dumps({**found, "api_url": dead_port()}))
    said = ziwo.refuses(4, "logout")
    assert said.startswith("ziwo: the token is forgotten, but its session was not ended: no connection to 127.0.0.1")
    assert not ziwo.login_file.exists()


def test_logout_ends_a_session_that_others_may_know_of(ziwo: Ziwo) -> None:
    ziwo.ok("login", "--file")
    ziwo.login_file.chmod(0o644)
    assert ziwo.ok("logout") == "Logged out: agent5555@acme.example.\n"
    assert ziwo.centre.tokens == set()


def test_logout_forgets_what_cannot_be_read(ziwo: Ziwo) -> None:
    ziwo.login_file.parent.mkdir(parents=True)
    ziwo.login_file.write_text("?")
    assert "its session was not ended" in ziwo.refuses(2, "logout")
    assert not ziwo.login_file.exists()
    keyring.set_keyring(LockedKeyring())
    assert "the keyring refuses (KeyringLocked)" in ziwo.refuses(2, "logout")

"""`ziwo trackers`: everything that can be done with a call tracker, and no key in any output or argument."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ziwo_async.simulator.trackers import SimTracker

from .centre import PASSWORD, Ziwo
from .terminal import on_a_terminal

START_KEY, END_KEY, HOOK = "canary-start-key", "canary-end-key", "canary-hook-password"
URLS = ("--start-url", "https://crm.example/start", "--end-url", "https://crm.example/end")


@pytest.fixture(autouse=True)
def _canaries(ziwo: Ziwo) -> None:
    ziwo.centre.secrets |= {START_KEY, END_KEY, HOOK}


def add(ziwo: Ziwo, name: str = "Marketing") -> SimTracker:
    return ziwo.centre.do(
        lambda world: world.add_tracker(
            name,
            startRequestURL=f"https://user:{HOOK}@crm.example/start?key={HOOK}",
            startRequestAPIKey=START_KEY,
            startRequestTimeout=2500,
            endRequestURL="http://127.0.0.1:9/end",
        )
    )


def trackers(ziwo: Ziwo) -> list[SimTracker]:
    return ziwo.centre.do(lambda world: list(world.trackers))


def test_list_and_show_say_of_a_key_only_whether_there_is_one(ziwo: Ziwo) -> None:
    add(ziwo)
    add(ziwo, "[red]Sales\x1b[0m")
    header, first, second = ziwo.ok("trackers", "list").splitlines()
    assert re.split("  +", header) == ["id", "name", "status", "start URL", "start key", "end URL", "end key"]
    assert first.split() == [
        "1", "Marketing", "active", "https://***@crm.example/start?***", "set", "http://127.0.0.1:9/end", "none",
    ]  # fmt: skip
    assert second.split()[1] == "[red]Sales\N{REPLACEMENT CHARACTER}[0m"
    shown = ziwo.ok("trackers", "show", "Marketing").splitlines()
    assert shown == [
        "id             1",
        "name           Marketing",
        "status         active",
        "start URL      https://***@crm.example/start?***",
        "start key      set",
        "start timeout  2.5 s",
        "end URL        http://127.0.0.1:9/end",
        "end key        none",
    ]
    assert ziwo.ok("trackers", "show", "1").splitlines() == shown
    (found,) = ziwo.json("trackers", "show", "1")
    assert (found["startRequestAPIKey"], found["endRequestAPIKey"], found["startRequestTimeout"]) == (
        "set",
        None,
        2500,
    )
    assert ziwo.json("trackers", "list")[0] == found
    assert len(ziwo.json("trackers", "list", "--search", "sales")) == 1
    assert ziwo.refuses(2, "trackers", "list", "--search", "").startswith("ziwo: --search is empty")


def test_create_takes_keys_and_secret_addresses_from_the_environment(ziwo: Ziwo) -> None:
    said = ziwo.ok(
        "trackers", "create", "New", "--start-url", "https://crm.example/start", "--start-timeout", "1.5",
        "--welcome", "hash1", "--error", "hash2",
        ZIWO_TRACKER_START_KEY=START_KEY,
        ZIWO_TRACKER_END_URL=f"https://user:{HOOK}@crm.example/end",
    )  # fmt: skip
    assert said == "Created: New, number 1\n"
    (made,) = trackers(ziwo)
    assert made.fields == {
        "startRequestURL": "https://crm.example/start",
        "startRequestAPIKey": START_KEY,
        "startRequestTimeout": 1500,
        "endRequestURL": f"https://user:{HOOK}@crm.example/end",
        "endRequestAPIKey": None,
        "endRequestTimeout": None,
        "welcomePlayback": "hash1",
        "errorPlayback": "hash2",
    }


@pytest.mark.parametrize(
    "address", [f"https://user:{HOOK}@crm.example/", f"https://{HOOK}@crm.example/", f"https://[{HOOK}"]
)
def test_an_address_with_a_password_is_no_argument(ziwo: Ziwo, address: str) -> None:
    said = ziwo.refuses(2, "trackers", "create", "New", *URLS[:2], "--end-url", address)
    assert "put it into the environment as ZIWO_TRACKER_END_URL" in said
    assert ziwo.centre.requests == []


def test_create_needs_addresses_and_a_name_that_is_free(ziwo: Ziwo) -> None:
    assert "needs --start-url and --end-url" in ziwo.refuses(2, "trackers", "create", "New")
    assert "no http or https address" in ziwo.refuses(2, "trackers", "create", "New", *URLS[:3], "ftp://x/")
    add(ziwo)
    assert "already" in ziwo.refuses(1, "trackers", "create", "Marketing", *URLS)
    no_terminal = ziwo.refuses(2, "trackers", "create", "New", *URLS, "--start-key")
    assert no_terminal.endswith("there is none: set ZIWO_TRACKER_START_KEY")


def test_a_key_is_asked_for_on_a_terminal_and_not_shown(ziwo: Ziwo, tmp_path: Path) -> None:
    env = {name: value for name, value in ziwo.env.items() if value is not None}
    with on_a_terminal("trackers", "create", "New", *URLS, "--start-key", "--end-key", **env) as terminal:
        terminal.answer("API key of the start service: ", START_KEY)
        terminal.answer("API key of the end service: ", END_KEY)
        terminal.shows("Created: New")
        assert terminal.process.wait(20) == 0
        assert not {secret for secret in (START_KEY, END_KEY, PASSWORD) if secret in terminal.shown}
    (made,) = trackers(ziwo)
    assert (made.fields["startRequestAPIKey"], made.fields["endRequestAPIKey"]) == (START_KEY, END_KEY)


def test_update_changes_what_is_given(ziwo: Ziwo) -> None:
    add(ziwo)
    assert ziwo.ok("trackers", "update", "Marketing", "--end-timeout", "3", ZIWO_TRACKER_END_KEY=END_KEY) == (
        "Changed: Marketing\n"
    )
    (tracker,) = trackers(ziwo)
    assert (tracker.fields["endRequestTimeout"], tracker.fields["endRequestAPIKey"]) == (3000, END_KEY)
    assert tracker.fields["startRequestAPIKey"] == START_KEY
    ziwo.ok("trackers", "update", "1", "--no-start-key", ZIWO_TRACKER_START_KEY=START_KEY)
    assert trackers(ziwo)[0].fields["startRequestAPIKey"] is None
    assert "nothing is given to change" in ziwo.refuses(2, "trackers", "update", "1")


def test_block_unblock_and_delete(ziwo: Ziwo) -> None:
    add(ziwo)
    assert ziwo.ok("trackers", "block", "Marketing") == "Blocked: Marketing\n"
    assert trackers(ziwo)[0].blocked
    assert ziwo.ok("trackers", "unblock", "1") == "Unblocked: 1\n"
    assert not trackers(ziwo)[0].blocked
    assert ziwo.refuses(2, "trackers", "delete", "1") == "ziwo: 1 would be deleted: say --yes"
    assert ziwo.ok("trackers", "delete", "1", "--yes") == "Deleted: 1\n"
    assert trackers(ziwo) == []


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 1), ("y", 0, 0)])
def test_delete_asks_on_a_terminal(ziwo: Ziwo, answer: str, code: int, left: int) -> None:
    add(ziwo)
    env = {name: value for name, value in ziwo.env.items() if value is not None}
    with on_a_terminal("trackers", "delete", "Marketing", **env) as terminal:
        terminal.answer("Delete the call tracker Marketing? [y/N]: ", answer)
        assert terminal.process.wait(20) == code
    assert len(trackers(ziwo)) == left


def test_the_test_and_its_logs(ziwo: Ziwo) -> None:
    add(ziwo)
    lines = ziwo.ok("trackers", "test", "Marketing").splitlines()
    assert [line.split()[0] for line in lines] == ["callID", "startCall", "endCall"]
    (answer,) = ziwo.json("trackers", "test", "1")
    assert answer["endCall"] == {"tried": True, "status": None, "error": "Cannot connect"}
    (line, _) = ziwo.ok("trackers", "logs").splitlines()
    assert "callTrackerName=Marketing" in line
    assert "url=http://127.0.0.1:9/end" in line
    assert [log["callTrackerId"] for log in ziwo.json("trackers", "logs", "Marketing", "--limit", "1")] == [1]
    then = ("trackers", "logs", "--from", "2020-01-01", "--to", "2020-01-02")
    assert ziwo.json(*then) == []
    assert ziwo.refuses(0, *then) == "ziwo: there are no such requests"
    assert "is no day" in ziwo.refuses(2, "trackers", "logs", "--from", "2020-01-01T10:00")


def test_a_secret_that_a_server_puts_into_a_log_or_a_test_is_hidden(ziwo: Ziwo) -> None:
    add(ziwo)
    content = {"url": f"https://user:{HOOK}@crm.example/", "apiKey": START_KEY, "says": "\x1b[31m[red]"}
    for command, path in (("test", "/admin/callTrackers/1/test"), ("logs", "/admin/callTrackers/logs")):
        ziwo.centre.do(
            lambda world, path=path: world.faults.next_http(  # type: ignore[misc]
                200, body={"result": True, "content": content}, path=path, times=4
            )
        )
        said = ziwo.ok("trackers", command, "1")
        assert "https://***@crm.example/" in said
        assert "\x1b" not in said
        assert ziwo.json("trackers", command, "1")


@pytest.mark.parametrize("command", ["show", "block", "unblock", "test"])
def test_a_tracker_that_does_not_exist(ziwo: Ziwo, command: str) -> None:
    assert "No such call tracker" in ziwo.refuses(1, "trackers", command, "7")


def test_a_name_that_does_not_exist(ziwo: Ziwo) -> None:
    add(ziwo, "Marketing 2")
    assert "there is no call tracker 'Marketing'" in ziwo.refuses(2, "trackers", "show", "Marketing")


def test_without_the_right_it_is_exit_code_3(ziwo: Ziwo) -> None:
    ziwo.centre.do(lambda world: world.agent("5555").rights.discard("admin"))
    for arguments in (
        ("list",),
        ("show", "1"),
        ("create", "x", *URLS),
        ("block", "1"),
        ("delete", "1", "-y"),
        ("logs",),
    ):
        assert "is not allowed for this user" in ziwo.refuses(3, "trackers", *arguments)

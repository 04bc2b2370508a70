"""`ziwo agents`, `queues`, `numbers` and `status`."""

from __future__ import annotations

import pytest

from ziwo_async.testing import ServedWorld

from .centre import Ziwo


def furnish(world: ServedWorld) -> None:
    sales = world.queue("Sales", agents=[world.agent("5555")])
    world.queue("[bold]Support[/bold]\x1b[31m\n", agents=[world.agent("0011")])
    world.add_number("+97140000001", link=sales)
    world.add_status(7, "Prayer")
    world.add_status(8, "Old", enabled=False)
    world.agent("0011").first_name = "\x1b[31mEve\x07"


@pytest.mark.parametrize("admin", [(), ("--admin",)])
def test_agents(ziwo: Ziwo, admin: tuple[str, ...]) -> None:
    ziwo.centre.do(furnish)
    header, first, second = ziwo.ok("agents", *admin).splitlines()
    assert header.split() == ["ccLogin", "name", "user", "status", "state", "id"]
    # Control characters of a server reach no terminal, and columns stay columns.
    assert first.split("  ")[0] == "0011"
    assert "\N{REPLACEMENT CHARACTER}[31mEve\N{REPLACEMENT CHARACTER} 0011" in first
    assert second.startswith("5555     Ann Agent")
    assert first.index("agent0011@") == second.index("agent5555@") == header.index("user")
    found = ziwo.json("agents", *admin)
    assert [agent["ccLogin"] for agent in found] == ["0011", "5555"]
    assert found[0]["firstName"] == "\x1b[31mEve\x07"


@pytest.mark.parametrize("admin", [(), ("--admin",)])
def test_queues(ziwo: Ziwo, admin: tuple[str, ...]) -> None:
    ziwo.centre.do(furnish)
    names = [line.split("  ")[0] for line in ziwo.ok("queues", *admin).splitlines()]
    # What looks like the markup of a terminal library is text.
    hostile = "[bold]Support[/bold]\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}"
    assert names == (["name", "Sales", hostile] if admin else ["name", "Sales"])
    assert ziwo.json("queues", *admin)[0]["name"] == "Sales"


@pytest.mark.parametrize("admin", [(), ("--admin",)])
def test_numbers(ziwo: Ziwo, admin: tuple[str, ...]) -> None:
    ziwo.centre.do(furnish)
    assert ziwo.ok("numbers", *admin).splitlines()[1].split() == ["+97140000001", "Sales", "queue", "active", "1"]
    (number,) = ziwo.json("numbers", *admin)
    assert (number["did"], number["linkType"], number["linkData"]) == ("+97140000001", "queue", "Sales")


def test_a_list_of_nothing_is_a_header_or_nothing(ziwo: Ziwo) -> None:
    assert ziwo.ok("numbers") == "number  leads to  which is a  status  id\n"
    assert ziwo.json("numbers") == []


@pytest.mark.parametrize("command", ["agents", "queues", "numbers"])
def test_without_the_right_it_is_exit_code_3(ziwo: Ziwo, command: str) -> None:
    ziwo.centre.do(lambda world: world.agent("5555").rights.discard("admin"))
    assert "is not allowed for this user" in ziwo.refuses(3, command, "--admin")
    assert ziwo.ok(command)


def test_a_warning_of_the_server_is_a_line_on_stderr(ziwo: Ziwo) -> None:
    ziwo.centre.do(lambda world: world.faults.info_next("deprecated\x1b[31m", times=2))
    result = ziwo("numbers", "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "ziwo: GET /agents/channels/calls/listNumbers: deprecated [31m\n" in result.stderr
    assert "\x1b" not in result.stderr


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_is_shown_and_set_by_name_and_by_number(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    assert "status    Logged Out\n" in ziwo.ok("status")
    assert "status    Meeting\n" in ziwo.ok("status", "meeting")
    assert "status    Prayer\n" in ziwo.ok("status", "7")
    assert "status    Available\n" in ziwo.ok("status", "available", "--comment", "back again")
    (presence,) = ziwo.json("status", "prayer")
    assert (presence["status"], presence["position"]) == ("Prayer", "agent-5555")
    assert ziwo.centre.requests.count("PUT /agents/status 200") == 4


def test_statuses_are_listed(ziwo: Ziwo) -> None:
    ziwo.centre.do(furnish)
    assert ziwo.ok("status", "--list").splitlines()[-1].split() == ["7", "Prayer", "break"]
    assert [one["id"] for one in ziwo.json("status", "--list")] == [0, 1, 2, 3, 4, 7]


def test_an_unknown_status_is_exit_code_2_and_names_the_others(ziwo: Ziwo) -> None:
    assert "there is no status 'Nonsense'; there are 'Logged Out'" in ziwo.refuses(2, "status", "Nonsense")
    assert "there is no status '999" in ziwo.refuses(2, "status", "9" * 5000)


@pytest.mark.parametrize("arguments", [("--list", "1"), ("--list", "--comment", "x"), ("--comment", "x")])
def test_arguments_that_do_not_go_together(ziwo: Ziwo, arguments: tuple[str, ...]) -> None:
    ziwo.refuses(2, "status", *arguments)
    assert ziwo.centre.requests == []

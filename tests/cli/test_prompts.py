"""What is missing in the environment is asked for on a terminal: a real one (a pty)."""

from __future__ import annotations

import asyncio

import pytest

from ziwo_async.testing import serve

from .terminal import on_a_terminal


@pytest.mark.parametrize("asked", [("User", "Password"), ("Password",)])
async def test_user_and_password_are_asked_for_and_the_password_is_not_shown(asked: tuple[str, ...]) -> None:
    async with serve() as world:
        agent = world.agent("5555")

        def dial() -> str:
            env = {"ZIWO_API_URL": world.api_url}
            if "User" not in asked:
                env["ZIWO_USERNAME"] = agent.username
            with on_a_terminal("dial", "9196", **env) as terminal:
                if "User" in asked:
                    terminal.answer("User (e-mail address): ", agent.username)
                terminal.answer("Password: ", agent.password)
                terminal.shows(" active ")
                terminal.process.terminate()
                assert terminal.process.wait(20) == 0
                return terminal.shown

        assert agent.password not in await asyncio.to_thread(dial)


def test_the_contact_centre_is_asked_for_first() -> None:
    with on_a_terminal("listen") as terminal:
        terminal.answer("Contact centre", "not a name!")
        terminal.answer("User", "me")
        terminal.answer("Password: ", "canary-secret")
        terminal.shows("bare name")
        assert terminal.process.wait(20) == 2
        assert "canary-secret" not in terminal.shown

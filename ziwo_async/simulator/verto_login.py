"""The login check of ZIWO's server, in its order (measured, with every odd consequence)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from . import wire

if TYPE_CHECKING:
    from .verto_server import VertoServer
    from .verto_session import VertoSession

__all__ = ["Rejected", "authenticate"]


class Rejected(Exception):
    """The credentials were refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def authenticate(server: VertoServer, session: VertoSession, params: Any) -> None:
    """Check `login` and `passwd` of any request; they may come with any method.

    With `disable_multiple_sessions` a name that any socket bears is refused before its password is looked at: also
    the own socket's, also that of one whose password was wrong, for the name is stored before the password is
    compared.

    Raises:
        Rejected: With the server's code and words. A session that was logged in before stays so.
    """
    if not isinstance(params, (dict, list)):
        raise Rejected(-32001, "Missing params")
    login = wire.get(params, "login")
    if not isinstance(login, str) or not login:
        raise Rejected(-32000, "Authentication Required")
    passwd = wire.get(params, "passwd")
    if not isinstance(passwd, str) or not passwd:
        raise Rejected(-32001, "Missing passwd")
    name = login.partition("@")[0]
    taken = server.options.disable_multiple_sessions and any(s.login_id == name for s in server.sessions())
    if taken or server.faults.take_duplicate(name):
        raise Rejected(-32003, "Duplicate Session")
    agent = server.world.agent_by_login(name)
    if agent is None:
        raise Rejected(-32001, "Login Incorrect")
    session.login_id = name
    session.agent = agent
    if not hmac.compare_digest(passwd.encode(), agent.verto_password.encode()):
        # A logged-in session stays logged in, but the server forgets whose it is: such a socket is not rung.
        session.agent = None
        raise Rejected(-32001, "Authentication Failure")
    session.authenticated = True
    variables = wire.get(params, "userVariables")
    session.user_variables = text_variables(variables, "")
    server.world.agent_changed()


def text_variables(value: Any, prefix: str) -> dict[str, str]:
    """`userVariables` as the server takes them: strings and booleans; numbers, objects and "" are dropped."""
    if not isinstance(value, dict):
        return {}
    taken: dict[str, str] = {}
    for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
        if isinstance(item, bool):
            taken[f"{prefix}{name}"] = "true" if item else "false"
        elif isinstance(item, str) and item:
            taken[f"{prefix}{name}"] = item
    return taken

"""Account: what a phone logs in with, and where it comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Account", "AccountProvider"]


@dataclass(frozen=True, slots=True)
class Account:
    """What a phone logs in with.

    Attributes:
        login: Position name, `agent-<ccLogin>`.
        password_hash: Lower-case hex MD5 of ccLogin + ccPassword. Never shown.
        url: The Verto server, `wss://...`.
        agents: ccLogins of the contact centre's agents, as far as known.
    """

    login: str
    password_hash: str = field(repr=False)
    url: str
    agents: frozenset[str] = frozenset()


AccountProvider = Callable[[bool], Awaitable[Account]]
"""Asked before each connection; the argument says that the last account was refused, so that a fresh one is needed."""

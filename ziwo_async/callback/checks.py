"""What a callback is made of, checked: the visitor's number, the agents, the time limits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ..errors import BadArgument, ConfigError
from .records import Plan

__all__ = ["check_contact", "check_key", "make_plan"]

# What people put between digits. A comma or a slash is not among them: to a switch these mean several destinations.
_SEPARATORS = re.compile(r"[ ().\-\u00a0\u2010-\u2013]")
_TRUNK_ZERO = re.compile(r"\A((?:\+|00).*?)\(0\)")
# At least 7 digits: shorter ones are extensions, services and emergency numbers. Written with [0-9], because \d takes
# the digits of every script.
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{7,17}")
_LONGEST_TEXT = 64
_MOST_EXTENSIONS = 50
_MOST_RETRIES = 20
_LONGEST_KEY = 200


def check_contact(contact: str) -> str:
    """Give a visitor's number without spaces and punctuation.

    Args:
        contact: What the visitor typed, such as `+971 (0)50 123-4567`.

    Raises:
        BadArgument: It is no telephone number: letters, `*`, `#`, `@`, a second number, too short or too long.
    """
    given: object = contact  # a user's type checker may be off
    if not isinstance(given, str):
        raise BadArgument(f"a contact is a text such as '+97150000000', not {type(given).__name__}")
    if len(contact) <= _LONGEST_TEXT:
        bare = _SEPARATORS.sub("", _TRUNK_ZERO.sub(r"\1", contact.strip(" ")))
        if _NUMBER.fullmatch(bare):
            return bare
    raise BadArgument(f"{contact[:40]!r} is no telephone number that can be called back")


def check_key(key: str | None) -> str | None:
    """Check an idempotency key.

    Args:
        key: The key.

    Raises:
        BadArgument: It is no text, empty or too long, or has control characters.
    """
    given: object = key
    if given is None:
        return None
    if not isinstance(given, str) or not given or len(given) > _LONGEST_KEY or not given.isprintable():
        raise BadArgument(f"a key is a text of 1 to {_LONGEST_KEY} printable characters")
    return given


def make_plan(
    extensions: Sequence[str],
    *,
    caller_id: str | None,
    can_show_caller_id: bool,
    retries: int,
    timeout: float,
    extension_timeout: float,
    extension_delay: float,
    resolve_within: float,
    every: float,
) -> Plan:
    """Check how callbacks are done.

    Args:
        extensions: Agents, by ccLogin.
        caller_id: The number that the visitor is to see.
        can_show_caller_id: Whether there is a way to set that.
        retries: How many more rounds.
        timeout: Seconds for the visitor.
        extension_timeout: Seconds for an agent.
        extension_delay: Seconds between two.
        resolve_within: Seconds for looking a call up.
        every: Seconds between two looks.

    Raises:
        BadArgument: A value can never work.
        ConfigError: There is no known way to do it.
    """
    agents = _agents(extensions)
    if caller_id is not None:
        caller_id = check_contact(caller_id)
        if not can_show_caller_id:
            raise ConfigError(
                "caller_id: ZIWO shows no parameter of click to call for the number that the visitor sees. Leave it "
                "out, or pass dial= with the request that your instance's own documentation names"
            )
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= _MOST_RETRIES:
        raise BadArgument(f"retries is a whole number from 0 to {_MOST_RETRIES}, not {retries!r}")
    positive = {
        "timeout": timeout, "extension_timeout": extension_timeout, "resolve_within": resolve_within, "every": every
    }  # fmt: skip
    for name, seconds in positive.items():
        if not _is_time(seconds) or seconds <= 0:
            raise BadArgument(f"{name} is a number of seconds greater than 0, not {seconds!r}")
    if not _is_time(extension_delay) or extension_delay < 0:
        raise BadArgument(f"extension_delay is a number of seconds, 0 or more, not {extension_delay!r}")
    return Plan(
        extensions=agents,
        caller_id=caller_id,
        retries=retries,
        timeout=timeout,
        extension_timeout=extension_timeout,
        extension_delay=extension_delay,
        resolve_within=resolve_within,
        every=every,
    )


def _agents(extensions: Sequence[str]) -> tuple[str, ...]:
    given: object = extensions
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadArgument("extensions is a list of agents by ccLogin, such as ['0011', '0012']")
    agents: list[str] = []
    for extension in extensions:
        each: object = extension
        if not isinstance(each, str):
            raise BadArgument(f"an agent's number (ccLogin) is a text such as '0011', not {each!r}")
        if _NUMBER.fullmatch(_SEPARATORS.sub("", each)) or each.startswith("+"):
            raise BadArgument(
                f"{each[:40]!r} looks like a number of the contact centre. ZIWO's widget takes those too, but no route "
                "is known by which we could: list agents by ccLogin"
            )
        if not each.strip() or len(each) > _LONGEST_TEXT or not each.isprintable():
            raise BadArgument(f"{each[:40]!r} is no agent's number (ccLogin)")
        if each in agents:
            raise BadArgument(f"agent {each} is listed twice")
        agents.append(each)
    if not 1 <= len(agents) <= _MOST_EXTENSIONS:
        raise BadArgument(f"extensions has 1 to {_MOST_EXTENSIONS} agents, not {len(agents)}")
    return tuple(agents)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

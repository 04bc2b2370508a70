"""The spend guard: one optional policy over everything that a program does to ring somebody or to cost money.

It stands in front of `phone.dial`, blind transfers, the consultation call of an attended transfer, click to call (the
agent's own and by api_key) and eavesdrop. Not in front of `ZiwoClient.request` and `Phone.request`, which send what you
say, nor of `verto.dial`: there the server asks our phone to call, which somebody else has decided (a click in ZIWO's
own app, or a click to call that this guard has counted already), and refusing would leave ZIWO with half a call.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .errors import ConfigError, SpendRefused

__all__ = ["SpendGuard", "SpendKind", "SpendPolicy"]

_log = logging.getLogger("ziwo_async.spend")

SpendKind: TypeAlias = Literal["dial", "transfer", "consult", "click to call", "CTI call", "eavesdrop"]
"""What a program is about to do."""

_WINDOW = 60.0
# What people put between digits. A comma or a slash is not among them: to a switch these mean several destinations.
_SEPARATORS = re.compile(r"[ ().\-\u00a0\u2010-\u2013]")
_DIALABLE = re.compile(r"\+?[0-9*#]+|\+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendPolicy:
    """What may be spent. By default everything; a client without a policy has no guard at all.

    Numbers and prefixes are compared without spaces, dots, hyphens and parentheses, and with a leading `00` read as
    `+`: the prefix `+971` allows `00971 50 000-0000`. With prefixes set, a number must be digits, `*` and `#`, after
    one leading `+` or none; anything else (letters, `@`, a second number after a comma) is refused. Internal numbers
    need a prefix as well. The number is sent as given.

    Attributes:
        calls_per_minute: How many of all kinds together may begin within any 60 seconds; None for no limit. What the
            guard let pass counts, whatever became of it; what it refused does not.
        allowed_prefixes: What a number must begin with, one of these; None for any number. Eavesdropping has no number,
            and is not asked for one.
        dry_run: Refuse everything, and log what would have been done.

    Raises:
        ConfigError: A value makes no sense.
    """

    calls_per_minute: int | None = None
    allowed_prefixes: tuple[str, ...] | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        most = self.calls_per_minute
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            raise ConfigError(f"SpendPolicy.calls_per_minute must be a whole number greater than 0, not {most!r}.")
        prefixes = self.allowed_prefixes
        if prefixes is None:
            return
        given: object = prefixes  # a user's type checker may be off
        if isinstance(given, str) or not prefixes:
            # One text would be taken for its letters, and "+" among them would allow the whole world.
            raise ConfigError('SpendPolicy.allowed_prefixes must be texts such as ("+971", "+33"); None allows all.')
        for prefix in prefixes:
            if not isinstance(prefix, str) or _plain(prefix) is None:
                raise ConfigError(f"SpendPolicy.allowed_prefixes: {prefix!r} cannot be the beginning of a number.")
        object.__setattr__(self, "allowed_prefixes", tuple(prefixes))


class SpendGuard:
    """Refuses what a policy forbids. One guard is shared by everything that may spend; safe to use from any thread."""

    def __init__(self, policy: SpendPolicy, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a guard that has let nothing pass yet.

        Args:
            policy: What may be spent.
            clock: Seconds, monotonic.
        """
        self.policy = policy
        self._clock = clock
        given = policy.allowed_prefixes
        self._prefixes = None if given is None else tuple(plain for item in given if (plain := _plain(item)))
        self._passed: deque[float] = deque(maxlen=policy.calls_per_minute or 0)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<SpendGuard {self.policy}>"

    def check(self, kind: SpendKind, number: str | None) -> None:
        """Let one thing pass, and count it, or refuse it. Ask right before it is sent.

        Args:
            kind: What is about to be done.
            number: Whom it calls, as given; None when there is no number.

        Raises:
            SpendRefused: The policy forbids it: for its number, then for the dry run, then for the rate.
        """
        what = kind if number is None else f"{kind} {number[:40]!r}"
        try:
            self._check_prefix(what, number)
            if self.policy.dry_run:
                raise SpendRefused(f"{what} was not sent: this is a dry run", reason="dry run", number=number)
            self._count(what, number)
        except SpendRefused as error:
            _log.info("%s", error)
            raise

    def _check_prefix(self, what: str, number: str | None) -> None:
        if self._prefixes is None or number is None:
            return
        plain = _plain(number)
        if plain is None:
            text = f"{what} was not sent: with allowed prefixes, a number has only digits, +, * and #"
            raise SpendRefused(text, reason="prefix", number=number)
        if not plain.startswith(self._prefixes):
            text = f"{what} was not sent: it begins with none of {', '.join(self._prefixes)}"
            raise SpendRefused(text, reason="prefix", number=number)

    def _count(self, what: str, number: str | None) -> None:
        most = self.policy.calls_per_minute
        if most is None:
            return
        with self._lock:
            now = self._clock()
            wait = self._passed[0] + _WINDOW - now if len(self._passed) == most else 0.0
            if wait <= 0:
                self._passed.append(now)
                return
        text = f"{what} was not sent: {most} a minute are allowed, the next one in {wait:.1f} s"
        raise SpendRefused(text, reason="rate", number=number, retry_after=wait)


def _plain(number: str) -> str | None:
    """Give a number without separators and with `00` as `+`; None when it is no number."""
    bare = _SEPARATORS.sub("", number)
    if _DIALABLE.fullmatch(bare) is None:
        return None
    return f"+{bare[2:]}" if bare.startswith("00") else bare

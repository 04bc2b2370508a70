"""What a call tracker's service is asked and told, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic import Field, JsonValue, model_validator

from ..errors import BadArgument
from ..models.base import Model
from ..models.secret_keys import hide_secrets
from ..rest.models.cdr import Cdr

__all__ = ["Answer", "EndCall", "Rule", "StartCall", "call"]

_CALLER = "callerIDNumber"
_CALL_ID = "callID"
_DEFAULT_TIMEOUT = 20
_LONGEST_TIMEOUT = 3600
_LONGEST_NUMBER = 64
_RULE_KEYS = frozenset({"action", "number", "callerID", "timeout"})
_CONTENT_KEYS = frozenset({"didCalled", "rules"})
_LATE = timedelta(hours=24)


class StartCall(Model):
    """A call has landed, and ZIWO asks where it goes (source: ZIWO docs, whose request has `didCalled` alone).

    Fields that are not known are in `model_extra`, secrets hidden.

    Attributes:
        did_called: Our number that was called (`didCalled`), as ZIWO writes it; in its example `061234567`.
        caller: The caller's number, when the request has it. That it has one is not documented, nor under which name:
            the service's `caller_field` says it, by default `callerIDNumber`, as in ZIWO's CDRs.
        call_id: The call (`callID`), when the request has it; not documented either.
    """

    did_called: str = Field(min_length=1)
    caller: str | None = Field(default=None, validation_alias=_CALLER, serialization_alias=_CALLER)
    call_id: str | None = Field(default=None, validation_alias=_CALL_ID, serialization_alias=_CALL_ID)

    @classmethod
    def of(cls, fields: Mapping[str, JsonValue], *, caller_field: str = _CALLER) -> StartCall:
        """Read the fields of a request. Only `didCalled` has to be right: other oddities must not cost the call.

        Args:
            fields: The fields, in ZIWO's spelling.
            caller_field: Which of them is the caller's number.

        Raises:
            ValidationError: pydantic's. There is no `didCalled`, or it is no text.
        """
        given, kept = dict(fields), dict[str, JsonValue]()
        caller = given.pop(caller_field, None)
        if _CALLER in given:
            kept[_CALLER] = given.pop(_CALLER)
        call_id = given.pop(_CALL_ID, None)
        for name, sent, value in ((_CALLER, caller_field, caller), (_CALL_ID, _CALL_ID, call_id)):
            if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                given[name] = value
            elif value not in (None, ""):
                kept[sent] = value
        start = cls.model_validate(given, by_alias=True, by_name=False)
        if kept and start.model_extra is not None:
            start.model_extra.update(cast("dict[str, JsonValue]", hide_secrets(kept)))
        return start


class EndCall(Cdr):
    """A call has ended: its CDR, with its `call_flows` (source: ZIWO docs).

    As `Cdr`, but the record's `id` may be missing, and is then an empty text.
    """

    @model_validator(mode="before")
    @classmethod
    def _may_have_no_id(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, JsonValue]", value)
        if given.get("id") in (None, ""):
            if not given.get("callID"):
                raise ValueError("neither callID nor id")
            return {**given, "id": ""}
        return given

    @property
    def late(self) -> bool:
        """Whether the call ended more than 24 hours ago, so that this may be an old request sent once more."""
        end = self.end
        return end is not None and datetime.now(UTC) - end > _LATE


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of what becomes of a call: ring a number (source: ZIWO docs). Made with `call`.

    Attributes:
        number: The number to call. ZIWO's examples are in national format; that others work is not documented.
        caller_id: The number to show (`callerID`); None sends none.
        timeout: Seconds until the next rule is tried.
        action: What is done; `call` is the only one that ZIWO shows.
        extra: Further keys of the rule, sent as they are.

    Raises:
        BadArgument: A value could never work, or `extra` has a documented key.
    """

    number: str
    caller_id: str | None = None
    timeout: int = _DEFAULT_TIMEOUT
    action: str = "call"
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def __post_init__(self) -> None:
        _check_number("number", self.number)
        if self.caller_id is not None:
            _check_number("caller_id", self.caller_id)
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, int):
            raise BadArgument(f"the timeout of a rule is a whole number of seconds, not {self.timeout!r}")
        if not 1 <= self.timeout <= _LONGEST_TIMEOUT:
            raise BadArgument(f"the timeout of a rule is 1 to {_LONGEST_TIMEOUT} seconds, not {self.timeout}")
        if not isinstance(self.action, str) or not self.action:
            raise BadArgument("a rule needs an action")
        object.__setattr__(self, "extra", _checked_extra(self.extra, _RULE_KEYS))

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the rule in ZIWO's spelling."""
        found: dict[str, JsonValue] = {"action": self.action, "number": self.number}
        if self.caller_id is not None:
            found["callerID"] = self.caller_id
        found["timeout"] = self.timeout
        found.update(self.extra)
        return found


def call(
    number: str,
    *,
    caller_id: str | None = None,
    timeout: int = _DEFAULT_TIMEOUT,
    extra: Mapping[str, JsonValue] | None = None,
) -> Rule:
    """Make the rule "ring this number".

    Args:
        number: The number to call.
        caller_id: The number to show.
        timeout: Seconds until the next rule is tried.
        extra: Further keys of the rule, for what a contact centre has and ZIWO's page does not show.

    Raises:
        BadArgument: A value could never work, or `extra` has a documented key.
    """
    return Rule(number, caller_id, timeout, extra=extra or {})


@dataclass(frozen=True, slots=True)
class Answer:
    """Rules, tried in order until somebody answers, and what goes beside them.

    Attributes:
        rules: The rules.
        extra: Keys beside `rules`, sent as they are. The flag that sends an unanswered call to the voicemail belongs
            here or into a rule: ZIWO's page tells of it, but neither its name nor its place.

    Raises:
        BadArgument: The rules are none, or `extra` has a documented key.
    """

    rules: Sequence[Rule] = ()
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def __post_init__(self) -> None:
        given: object = self.rules  # a user's type checker may be off
        rules = tuple(cast("Sequence[object]", given)) if isinstance(given, (list, tuple)) else None
        if rules is None or not all(isinstance(rule, Rule) for rule in rules):
            raise BadArgument("an answer is a sequence of rules, each made with call(...)")
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "extra", _checked_extra(self.extra, _CONTENT_KEYS))

    def content(self, did_called: str) -> dict[str, JsonValue]:
        """Give the answer in ZIWO's spelling: the `content` of the envelope.

        Args:
            did_called: The number that was called, which the answer repeats.
        """
        rules: list[JsonValue] = [rule.to_dict() for rule in self.rules]
        return {"didCalled": did_called, "rules": rules, **self.extra}


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise BadArgument(f"the {name} of a rule is a text with a number in it")
    if not value.isprintable() or len(value) > _LONGEST_NUMBER:
        raise BadArgument(f"the {name} of a rule is one printable line of at most {_LONGEST_NUMBER} characters")


def _checked_extra(extra: Mapping[str, JsonValue], documented: frozenset[str]) -> dict[str, JsonValue]:
    if not extra:
        return {}
    if not isinstance(extra, Mapping):
        raise BadArgument("extra is a mapping of keys to JSON values")
    repeated = sorted(documented & extra.keys())
    if repeated:
        raise BadArgument(f"extra repeats {', '.join(repeated)}, for which there is an argument")
    try:
        # A copy, and a proof that it can be sent.
        copy: object = json.loads(json.dumps(dict(extra), allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        raise BadArgument("extra has something that is no JSON") from None
    return cast("dict[str, JsonValue]", copy)

"""The customer data base (CRM): customers, and the numbers and addresses that can be linked to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..verto.frames import JsonObject

__all__ = ["CustomerRecord", "CustomerRecords", "same_number"]

_REMEMBERED = 10_000

EntityKind = Literal["number", "address"]


@dataclass(slots=True, kw_only=True)
class CustomerRecord:
    """What is known of a customer (source of the fields: ZIWO's Android SDK and load tests).

    Attributes:
        id: Identifier, a text.
        first_name: Given name.
        last_name: Family name.
        phone: First phone number.
        email: E-mail address.
        title: Salutation.
        gender: Gender, as given.
        birthday: `YYYY-MM-DD`, or None.
        tags: Names of tags.
        notes: Texts of notes.
        more: What else was given when the profile was created.
        created_at: Seconds since the epoch.
    """

    id: str
    first_name: str
    last_name: str
    phone: str | None
    email: str | None
    title: str | None
    gender: str | None
    birthday: str | None
    tags: tuple[str, ...]
    notes: tuple[str, ...]
    more: JsonObject
    created_at: float

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.first_name} {self.last_name}".strip()

    def matches(self, words: str) -> bool:
        """Whether some words occur in the names, the phone number or the e-mail address."""
        wanted = words.casefold()
        return any(wanted in (text or "").casefold() for text in (self.name, self.phone, self.email))

    def has_phone(self, number: str) -> bool:
        """Whether the phone number is this one, whatever its spelling: the last nine digits decide."""
        tail = _tail(number)
        return bool(tail) and _tail(self.phone) == tail


class CustomerRecords:
    """The newest 10 000 of each entity, oldest first.

    Attributes:
        entities: Numbers and addresses that were created through REST, as they were given, with an `id`.

    Args:
        now: Gives the time of day in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._records: deque[CustomerRecord] = deque(maxlen=_REMEMBERED)
        self._by_phone: dict[str, CustomerRecord] = {}
        self._last = 0
        self.entities: deque[tuple[EntityKind, JsonObject]] = deque(maxlen=_REMEMBERED)

    def __iter__(self) -> Iterator[CustomerRecord]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def add(
        self,
        *,
        first_name: str,
        last_name: str,
        phone: str | None,
        email: str | None,
        title: str | None,
        gender: str | None,
        birthday: str | None,
        tags: Iterable[str] = (),
        notes: Iterable[str] = (),
        more: JsonObject | None = None,
    ) -> CustomerRecord:
        """Create a customer; see `World.add_customer_record`."""
        record = CustomerRecord(
            id=self._new_id(),
            first_name=first_name,
            last_name=last_name,
            phone=phone,
            email=email,
            title=title,
            gender=gender,
            birthday=birthday,
            tags=tuple(tags),
            notes=tuple(notes),
            more=more or {},
            created_at=self._now(),
        )
        if len(self._records) == _REMEMBERED:
            self._by_phone.pop(_tail(self._records[0].phone), None)
        self._records.append(record)
        if phone:
            self._by_phone[_tail(phone)] = record
        return record

    def of_phone(self, number: str) -> CustomerRecord | None:
        """The customer with that phone number, whatever its spelling."""
        tail = _tail(number)
        return self._by_phone.get(tail) if tail else None

    def add_entity(self, kind: EntityKind, fields: JsonObject) -> JsonObject:
        """Create a number or an address; gives it with its id."""
        entity: JsonObject = {"id": self._new_id(), **fields}
        self.entities.append((kind, entity))
        return entity

    def _new_id(self) -> str:
        self._last += 1
        return str(self._last)


def same_number(one: str, other: str) -> bool:
    """Whether two spellings mean one phone number: the last nine digits decide, as integrators compare them."""
    return bool(_tail(one)) and _tail(one) == _tail(other)


def _tail(number: str | None) -> str:
    return "".join(character for character in number or "" if character.isdigit())[-9:]

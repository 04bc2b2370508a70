"""What a contact centre has beside people: numbers, statuses, call trackers, the customer data base, files."""

from __future__ import annotations

import random
from collections.abc import Iterable

from .customers import CustomerRecord, CustomerRecords
from .history import History
from .numbers import SimNumber
from .people import SimAgent
from .problems import SimulatorError
from .queues import SimQueue
from .statuses import STATUSES, SimStatus
from .storage import StoredFiles
from .trackers import SimTracker, Trackers
from .watch import Watch

__all__ = ["Directory"]


class Directory:
    """Everything of a `World` that its directories list.

    Attributes:
        history: The records of the calls (CDRs) and their recordings.
        trackers: The call trackers, and the requests that were made to their services.
        records: The customer data base.
        files: What is served at `/storage/{hash}`.
        caller_id: The number that customers see when an agent calls them, while there is no number.
        cti_key: The `api_key` of the CTI routes.
        watch: Wakes who waits for a change.
    """

    def __init__(self, seed: int) -> None:
        self._numbers: dict[str, SimNumber] = {}
        self._statuses: dict[int, SimStatus] = {status.id: status for status in STATUSES}
        self.watch = Watch()
        self.history = History(self.now, self.watch, seed)
        self.trackers = Trackers(self.now)
        self.records = CustomerRecords(self.now)
        self.files = StoredFiles()
        self.caller_id = "+97140000000"
        # A generator of its own: what is made here does not change the uuids of the calls.
        self.cti_key = f"{random.Random(f'cti {seed}').getrandbits(128):032x}"

    def now(self) -> float:
        """Seconds since the epoch."""
        raise NotImplementedError

    def add_number(
        self, did: str, *, link: SimQueue | SimTracker | None = None, display: str | None = None
    ) -> SimNumber:
        """Add a number (DID) of the contact centre.

        Args:
            did: The number.
            link: What a call to it reaches, for the directory and the records of calls.
            display: How it is shown; None: as it is.

        Raises:
            SimulatorError: There is such a number already.
        """
        if did in self._numbers:
            raise SimulatorError(f"there is a number {did} already")
        kind = "none" if link is None else "queue" if isinstance(link, SimQueue) else "callTracker"
        number = self._numbers[did] = SimNumber(
            id=len(self._numbers) + 1,
            did=did,
            display=display or did,
            link_type=kind,
            link_name=link.name if link is not None else "",
            created_at=self.now(),
        )
        self.watch.poke()
        return number

    def number(self, did: str) -> SimNumber | None:
        """The number with that DID."""
        return self._numbers.get(did)

    def require_number(self, number: SimNumber | str) -> SimNumber:
        """The number, or the one with that DID.

        Raises:
            SimulatorError: There is none.
        """
        found = self._numbers.get(number) if isinstance(number, str) else number
        if found is None:
            known = ", ".join(self._numbers) or "none"
            raise SimulatorError(f"the contact centre has no number {number!r}; it has: {known}")
        return found

    def did_of(self, link: SimQueue | None = None) -> str:
        """A number that leads to a queue; else the first one, or `caller_id` when there is none."""
        for number in self._numbers.values():
            if link is None or (number.link_type == "queue" and number.link_name == link.name):
                return number.did
        return next(iter(self._numbers), self.caller_id)

    @property
    def numbers(self) -> tuple[SimNumber, ...]:
        """All numbers, in the order they were added."""
        return tuple(self._numbers.values())

    def add_status(self, number: int, name: str, behaviour: str = "break", *, enabled: bool = True) -> SimStatus:
        """Add a presence status, or rename one; see `SimStatus`."""
        status = self._statuses[number] = SimStatus(number, name, behaviour, enabled)
        return status

    @property
    def statuses(self) -> tuple[SimStatus, ...]:
        """All presence statuses, by number."""
        return tuple(self._statuses[number] for number in sorted(self._statuses))

    def is_available(self, agent: SimAgent) -> bool:
        """Whether the agent's status is one in which queues ring."""
        return any(status.name == agent.status and status.behaviour == "available" for status in self.statuses)

    def add_tracker(self, name: str, **fields: str | int | None) -> SimTracker:
        """Add a call tracker.

        Args:
            name: Its name.
            fields: Settings in ZIWO's spelling: startRequestURL, startRequestAPIKey, startRequestTimeout (ms),
                endRequestURL, endRequestAPIKey, endRequestTimeout (ms), welcomePlayback, errorPlayback.

        Raises:
            SimulatorError: The name is empty or taken, or there is no such setting.
        """
        return self.trackers.add(name, fields)

    def add_customer_record(
        self,
        *,
        first_name: str = "",
        last_name: str = "",
        phone: str | None = None,
        email: str | None = None,
        title: str | None = None,
        gender: str | None = None,
        birthday: str | None = None,
        tags: Iterable[str] = (),
        notes: Iterable[str] = (),
    ) -> CustomerRecord:
        """Add a customer to the data base (CRM); see `CustomerRecord`. It has nothing to do with who can be called."""
        return self.records.add(
            first_name=first_name,
            last_name=last_name,
            phone=phone,
            email=email,
            title=title,
            gender=gender,
            birthday=birthday,
            tags=tags,
            notes=notes,
        )

    def add_file(self, data: bytes, content_type: str = "application/octet-stream") -> str:
        """Store a file, such as a photo; gives the hash under which `/storage/{hash}` serves it."""
        return self.files.add(data, content_type)

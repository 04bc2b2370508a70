"""The history: what is left of calls that are over, and their recordings."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .audio import mp3, wav
from .problems import SimulatorError

if TYPE_CHECKING:
    from .calls import CallDirection, SimCall
    from .people import SimAgent
    from .queues import SimQueue
    from .watch import Watch

__all__ = ["Cdr", "History"]

_VOICEMAIL_SECONDS = 5.0


@dataclass(eq=False, slots=True, kw_only=True)
class Cdr:
    """The record of a call. Times are seconds, or seconds since the epoch.

    Attributes:
        id: Counts up; not the call's id.
        call_id: UUID of the call's first leg.
        direction: inbound, outbound, internal or service.
        result: `answered`, `no-answer`, `cancel`, `busy` or `failed`.
        started_at: When the call began.
        answered_at: When the two ends could talk; None: never.
        ended_at: When it was over.
        customer: The customer's number; empty when there is none.
        customer_name: The customer's name.
        did: The number that was dialled.
        agent: Who had the call, or was rung last; None: nobody.
        agents: Everybody whose phone took part.
        queue: The queue it came through.
        rang_at: When the agent's phone (for outbound calls the customer's) began to ring; None: never.
        hold: How long it was on hold.
        cause: FreeSWITCH's hangup cause.
        hung_up_by: `originator`, `originatee` or `unknown`.
        voicemail: The caller left a message, which is the recording.
        recording_seconds: Length of the recording; None: there is none.
        recording_ready: The recording can be fetched.
        transferred: It went from one agent to another after somebody had talked.
        position: The number outside that answered a call of ours; None: an agent's position, if any.
        tags: Names of tags.
        notes: Texts of notes.
        deleted: The API does not know it any more.
        overrides: Members of the JSON that are to be as they are given here.
    """

    id: int
    call_id: str
    direction: CallDirection
    result: str
    started_at: float
    answered_at: float | None
    ended_at: float
    customer: str
    customer_name: str
    did: str
    agent: SimAgent | None
    agents: tuple[SimAgent, ...]
    queue: SimQueue | None
    rang_at: float | None
    hold: float
    cause: str
    hung_up_by: str
    voicemail: bool
    recording_seconds: float | None
    recording_ready: bool
    transferred: bool = False
    position: str | None = None
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    deleted: bool = False
    overrides: Mapping[str, object] | None = None

    @property
    def duration(self) -> float:
        """From the beginning to the end."""
        return self.ended_at - self.started_at

    @property
    def talk(self) -> float:
        """How long the two ends could talk."""
        return 0.0 if self.answered_at is None else self.ended_at - self.answered_at

    @property
    def wait(self) -> float:
        """From the beginning to the answer, or to the end."""
        return (self.ended_at if self.answered_at is None else self.answered_at) - self.started_at

    @property
    def ring(self) -> float:
        """How long a phone rang."""
        if self.rang_at is None:
            return 0.0
        return (self.ended_at if self.answered_at is None else self.answered_at) - self.rang_at

    @property
    def has_recording(self) -> bool:
        """Whether a recording can be fetched."""
        return self.recording_seconds is not None and self.recording_ready


class History:
    """The newest records, oldest first: iterating gives those that are not deleted.

    Attributes:
        recordings: Bytes to serve instead of a made recording, by call id.
        listeners: Called with every new record.
        limit: How many records are kept at least.

    Args:
        now: Gives the time of day in seconds since the epoch.
        watch: Wakes who waits for a record.
        seed: Seed of the call ids that are made here.
    """

    def __init__(self, now: Callable[[], float], watch: Watch, seed: int, *, limit: int = 50_000) -> None:
        self._now = now
        self._watch = watch
        self._rng = random.Random(f"history {seed}")
        self._cdrs: list[Cdr] = []
        self._by_id: dict[int, Cdr] = {}
        self._by_call: dict[str, Cdr] = {}
        self._last = 0
        self.limit = limit
        self.recordings: dict[str, bytes] = {}
        self.listeners: list[Callable[[Cdr], None]] = []

    def __iter__(self) -> Iterator[Cdr]:
        return (cdr for cdr in tuple(self._cdrs) if not cdr.deleted)

    def __len__(self) -> int:
        return sum(not cdr.deleted for cdr in self._cdrs)

    def new_call_id(self) -> str:
        """A call id for a record that no call has made."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    # ---- making ----------------------------------------------------------------------------------------------

    def add(
        self,
        *,
        customer: str = "",
        agent: SimAgent | None = None,
        queue: SimQueue | None = None,
        direction: CallDirection = "inbound",
        result: str | None = None,
        started_at: datetime | None = None,
        wait: float = 0.0,
        ring: float = 0.0,
        talk: float = 0.0,
        hold: float = 0.0,
        voicemail: bool = False,
        recording: bool | None = None,
        recording_ready: bool = True,
        customer_name: str = "",
        did: str = "",
        cause: str | None = None,
        hung_up_by: str = "originator",
        call_id: str | None = None,
        id: int | None = None,  # noqa: A002 (the name of ZIWO's field)
        agents: Iterable[SimAgent] | None = None,
        tags: Iterable[str] = (),
        notes: Iterable[str] = (),
        overrides: Mapping[str, object] | None = None,
    ) -> Cdr:
        """Add a record without a call. Times are seconds.

        Args:
            customer: The customer's number.
            agent: Who had the call, or was rung.
            queue: The queue it came through.
            direction: Kind of call.
            result: `answered`, `no-answer`, `cancel`, `busy` or `failed`; None: `answered` when there was talk, else
                `no-answer`.
            started_at: Beginning, with a time zone; None: such that it ends now.
            wait: From the beginning until a phone rings.
            ring: Until the answer, or the end.
            talk: From the answer to the end; of a voicemail: length of the message.
            hold: How long it was on hold.
            voicemail: The caller left a message.
            recording: Whether it was recorded; None: when there is something to hear.
            recording_ready: False: the recording is not ready; set it in the record when it is.
            customer_name: The customer's name.
            did: The number that was dialled.
            cause: Hangup cause; None: the one that fits the result.
            hung_up_by: `originator`, `originatee` or `unknown`.
            call_id: UUID; None: a made one.
            id: Number of the record; None: the next one.
            agents: Everybody whose phone took part; None: the agent.
            tags: Names of tags.
            notes: Texts of notes.
            overrides: Members of the JSON that are to be as they are given here, for odd records.

        Raises:
            SimulatorError: The id is taken, or the time has no time zone.
        """
        if started_at is not None and started_at.tzinfo is None:
            raise SimulatorError("started_at needs a time zone")
        result = result or ("answered" if talk > 0 and not voicemail else "no-answer")
        begin = self._now() - (wait + ring + talk) if started_at is None else started_at.timestamp()
        answer = begin + wait + ring if result == "answered" else None
        heard = (answer is not None and direction != "service") or voicemail
        length = talk or (_VOICEMAIL_SECONDS if voicemail else 0.0)
        cdr = Cdr(
            id=self.next_id() if id is None else id,
            call_id=call_id or self.new_call_id(),
            direction=direction,
            result=result,
            started_at=begin,
            answered_at=answer,
            ended_at=begin + wait + ring + talk,
            customer=customer,
            customer_name=customer_name or customer,
            did=did,
            agent=agent,
            agents=tuple(agents) if agents is not None else (() if agent is None else (agent,)),
            queue=queue,
            rang_at=begin + wait if ring > 0 or answer is not None else None,
            hold=hold,
            cause=cause or _CAUSES.get(result, "NORMAL_TEMPORARY_FAILURE"),
            hung_up_by=hung_up_by,
            voicemail=voicemail,
            recording_seconds=length if (heard if recording is None else recording) else None,
            recording_ready=recording_ready,
            tags=tuple(tags),
            notes=tuple(notes),
            overrides=overrides,
        )
        self.append(cdr)
        return cdr

    def next_id(self) -> int:
        """The number of the next record."""
        return self._last + 1

    def append(self, cdr: Cdr) -> None:
        """Add a finished record (used by the server).

        Raises:
            SimulatorError: Its id is taken.
        """
        if cdr.id in self._by_id:
            raise SimulatorError(f"there is a record {cdr.id} already")
        self._last = max(self._last, cdr.id)
        self._cdrs.append(cdr)
        self._by_id[cdr.id] = cdr
        self._by_call[cdr.call_id] = cdr
        if len(self._cdrs) > self.limit * 1.2:
            self._forget(self._cdrs[: -self.limit])
            del self._cdrs[: -self.limit]
        for listener in tuple(self.listeners):
            listener(cdr)
        self._watch.poke()

    def _forget(self, old: list[Cdr]) -> None:
        for cdr in old:
            del self._by_id[cdr.id]
            if self._by_call.get(cdr.call_id) is cdr:
                del self._by_call[cdr.call_id]
                self.recordings.pop(cdr.call_id, None)

    def delete(self, cdr: Cdr) -> None:
        """The API does not know the record any more."""
        cdr.deleted = True

    # ---- finding ---------------------------------------------------------------------------------------------

    def by_id(self, number: int) -> Cdr | None:
        """The record with that number."""
        cdr = self._by_id.get(number)
        return None if cdr is None or cdr.deleted else cdr

    def by_call_id(self, call_id: str) -> Cdr | None:
        """The newest record of that call."""
        cdr = self._by_call.get(call_id)
        return None if cdr is None or cdr.deleted else cdr

    async def of(self, call: SimCall, timeout: float = 5.0) -> Cdr:
        """Wait for the record of a call; it is made when the call is over.

        Raises:
            WaitedInVain: There is none within `timeout` seconds.
        """
        wanted = call.primary_call_id
        return await self._watch.until(
            lambda: self.by_call_id(wanted), timeout, lambda: f"call {wanted} has no record; it is {call.state}"
        )

    def recording(self, cdr: Cdr, *, as_wav: bool = False) -> bytes | None:
        """The recording of a call; None when there is none (yet).

        Args:
            cdr: The record.
            as_wav: A tone in a WAV file instead of silence in MP3; not for bytes of `recordings`.
        """
        if not cdr.has_recording:
            return None
        given = self.recordings.get(cdr.call_id)
        if given is not None:
            return given
        return (wav if as_wav else mp3)(cdr.recording_seconds or 0.0, cdr.call_id)


_CAUSES = {
    "answered": "NORMAL_CLEARING",
    "no-answer": "NO_ANSWER",
    "cancel": "ORIGINATOR_CANCEL",
    "busy": "USER_BUSY",
}

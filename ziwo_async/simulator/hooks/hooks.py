"""The platform's requests to other people's services: who is asked and told what, and what came of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Literal

from ...verto.frames import JsonObject
from ..journal import Journal, JournalEntry
from ..problems import SimulatorError
from .bodies import StartBody, cdr_hook, end_call, test_record
from .post import NoAnswer, post
from .requests import HookKind, HookRequest, Job, Service, logged_answer
from .target import NoTarget, find_target
from .tracked import TrackedCall
from .variants import PLAIN, Variant

if TYPE_CHECKING:
    from ..calls import SimCall
    from ..clock import Clock
    from ..history import Cdr
    from ..legs import Outside
    from ..routing import Router
    from ..switch import Switch
    from ..trackers import SimTracker
    from ..world import World

__all__ = ["DUMMY_DID", "Hooks"]

DUMMY_DID = "061234567"
"""The number that the tracker's test says was dialled, as in the page's example."""
_TIME_LIMIT = 10.0
_REMEMBERED = 1_000


class Hooks:
    """The requests of one simulator to the services of call trackers, and the CDR web hook (`Simulator.hooks`).

    Every request has a task, which the simulator ends when it closes. Nothing is sent again by itself: what ZIWO does
    about a service that fails is not documented.

    Attributes:
        allowed_hosts: Hosts that are called although they are not this machine; a name is looked up then.
        start_body: How startCall is written. ZIWO's page shows multipart.
        caller_field: Name under which startCall has the caller's number. None: it has none, as on ZIWO's page.
        call_id_field: Name under which startCall has the call's id. None: it has none, as on ZIWO's page.
        voicemail_flag: Name of the member of an answer that asks for the voicemail when it is true; ZIWO does not show
            its own.
        voicemail_seconds: How long a message is.
        playback_seconds: How long the error playback lasts.
        sent: The newest 1 000 requests, oldest first.
    """

    def __init__(self, world: World, switch: Switch, router: Router, clock: Clock, journal: Journal) -> None:
        self.world = world
        self._journal = journal
        self.switch = switch
        self.router = router
        self.clock = clock
        self.allowed_hosts: set[str] = set()
        self.start_body: StartBody = "multipart"
        self.caller_field: str | None = None
        self.call_id_field: str | None = None
        self.voicemail_flag = "voicemail"
        self.voicemail_seconds = 5.0
        self.playback_seconds = 1.0
        self.sent: deque[HookRequest] = deque(maxlen=_REMEMBERED)
        self._cdr_service: Service | None = None
        self._variants: dict[HookKind, deque[Variant]] = {"start": deque(), "end": deque(), "cdr": deque()}
        self._tracked: dict[str, TrackedCall] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}  # in their order: a set has none that can be repeated
        self._closed = False

    # ---- to order --------------------------------------------------------------------------------------------

    def cdr_to(self, url: str | None, *, key: str | None = None, timeout: float = _TIME_LIMIT) -> None:
        """Tell a web hook every new record of the history, as `{"action": "create", "content": {...}}`.

        Args:
            url: Where to; None: nowhere any more.
            key: Sent as `X-API-KEY`.
            timeout: Seconds to wait for the answer.
        """
        self._cdr_service = None if url is None else Service(url, key, timeout)

    def next(self, kind: HookKind, variant: Variant, times: int = 1) -> None:
        """Make the next request of a kind, whichever call it is about, in this way; orders queue up.

        Args:
            kind: `start`, `end` or `cdr`.
            variant: Made by `forged`, `slow`, `repeated`, `broken` or `late`.
            times: For how many requests.

        Raises:
            SimulatorError: Only a startCall can be late.
        """
        if variant.after_end and kind != "start":
            raise SimulatorError("only a startCall can be late: it comes after the endCall")
        self._variants[kind].extend([variant] * times)

    async def send(
        self,
        kind: HookKind,
        tracker: SimTracker | None = None,
        variant: Variant = PLAIN,
        *,
        did: str = DUMMY_DID,
        caller: str = "044508146",
        call_id: str | None = None,
        record: Cdr | None = None,
    ) -> tuple[HookRequest, ...]:
        """Make a request without a call, for tests of the service itself.

        Args:
            kind: `start`, `end` or `cdr`.
            tracker: Whose service; for `start` and `end`.
            variant: In which way.
            did: The number that was dialled.
            caller: The caller's number, where `caller_field` is set.
            call_id: The call's id; None: the record's, or a new one.
            record: For `end` and `cdr`; None: that of a dummy call that ends now.

        Returns:
            What became of each copy; one, unless the variant makes more.

        Raises:
            SimulatorError: There is no tracker, or no CDR web hook.
        """
        call_id = call_id or (self.world.history.new_call_id() if record is None else record.call_id)
        told = test_record(call_id, did, self.world.now()) if record is None else record
        if kind == "cdr":
            if self._cdr_service is None:
                raise SimulatorError("there is no CDR web hook: set it with cdr_to()")
            fields = cdr_hook(told, self.world)
            return await self._deliver(self._cdr_job(self._cdr_service, call_id, fields, variant))
        if tracker is None:
            raise SimulatorError("startCall and endCall go to a tracker")
        if kind == "start":
            fields = self._start_fields(did, caller, call_id)
        else:
            fields = end_call(told, tracker.name, self.world.number(told.did))
        return await self._deliver(self._job(kind, tracker, call_id, fields, variant))

    async def of(self, call: SimCall, kind: HookKind, timeout: float = 5.0) -> HookRequest:
        """Wait until a request about a call is done; the first copy of it, where there are several.

        Raises:
            WaitedInVain: It was not, within `timeout` seconds.
        """
        wanted = call.primary_call_id

        def look() -> HookRequest | None:
            return next((found for found in self.sent if found.kind == kind and found.call_id == wanted), None)

        return await self.world.watch.until(look, timeout, lambda: f"no {kind} request about call {wanted} is done")

    async def settle(self, timeout: float = 5.0) -> None:
        """Wait until no request is under way.

        Raises:
            WaitedInVain: There is one after `timeout` seconds.
        """
        await self.world.watch.until(
            lambda: None if self._tasks else True, timeout, lambda: f"{len(self._tasks)} requests are under way"
        )

    # ---- calls (used by the server) --------------------------------------------------------------------------

    def open(self) -> None:
        """The simulator starts."""
        self.world.history.listeners.append(self._recorded)

    def stop(self) -> None:
        """The simulator ends: no request begins any more, and those under way are cancelled."""
        self._closed = True
        if self._recorded in self.world.history.listeners:
            self.world.history.listeners.remove(self._recorded)
        for task in tuple(self._tasks):
            task.cancel()

    async def close(self) -> None:
        """Wait until the requests that `stop` cancelled have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def track(self, call: SimCall, outside: Outside, tracker: SimTracker) -> TrackedCall:
        """A tracker decides about a call."""
        tracked = call.tracked = self._tracked[call.primary_call_id] = TrackedCall(self, call, outside, tracker)
        return tracked

    async def ask(self, tracked: TrackedCall, variant: Variant) -> HookRequest:
        """Make the startCall of a call; gives what came of it."""
        if tracked.held:
            limit = tracked.tracker.seconds("startRequestTimeout") or _TIME_LIMIT
            await asyncio.sleep(limit)
            return HookRequest(
                kind="start",
                call_id=tracked.call.primary_call_id,
                url="",
                variant=variant.name,
                fields={},
                tried=False,
                error="No answer in time",
            )
        job = self._start_job(tracked, variant)
        for copy in range(1, variant.copies):
            self.spawn(self._copy(job, copy))
        return await self._once(job, 0)

    def _start_job(self, tracked: TrackedCall, variant: Variant) -> Job:
        call = tracked.call
        caller = call.customer.number if call.customer is not None else ""
        fields = self._start_fields(call.did, caller, call.primary_call_id)
        return self._job("start", tracked.tracker, call.primary_call_id, fields, variant)

    def _recorded(self, record: Cdr) -> None:
        """There is a new record."""
        tracked = self._tracked.pop(record.call_id, None)
        if self._closed:
            return
        if tracked is not None and not tracked.tracker.blocked and tracked.tracker in self.world.trackers:
            fields = end_call(record, tracked.tracker.name, self.world.number(record.did))
            self.spawn(self._end(tracked, fields))
        if self._cdr_service is not None:
            job = self._cdr_job(self._cdr_service, record.call_id, cdr_hook(record, self.world), self.take("cdr"))
            self.spawn(self._copies(job))

    async def _end(self, tracked: TrackedCall, fields: JsonObject) -> None:
        call_id = tracked.call.primary_call_id
        if tracked.tracker.text("endRequestURL") is not None:
            await self._deliver(self._job("end", tracked.tracker, call_id, fields, self.take("end")))
        if tracked.held:
            await self._deliver(self._start_job(tracked, Variant(name="late")))

    # ---- requests --------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Start a task that ends with the simulator; what it raises is a bug of the simulator (see `Clock`)."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.clock.failures.append(error)
        self.world.watch.poke()

    def take(self, kind: HookKind) -> Variant:
        """What is ordered for the next request of a kind (used by the server)."""
        ordered = self._variants[kind]
        return ordered.popleft() if ordered else PLAIN

    def _start_fields(self, did: str, caller: str, call_id: str) -> JsonObject:
        fields: JsonObject = {"didCalled": did}
        if self.caller_field is not None:
            fields[self.caller_field] = caller
        if self.call_id_field is not None:
            fields[self.call_id_field] = call_id
        return fields

    def _job(
        self, kind: Literal["start", "end"], tracker: SimTracker, call_id: str, fields: JsonObject, variant: Variant
    ) -> Job:
        limit = tracker.seconds(f"{kind}RequestTimeout")
        service = Service(
            tracker.text(f"{kind}RequestURL"),
            tracker.text(f"{kind}RequestAPIKey"),
            _TIME_LIMIT if limit is None else limit,
        )
        encoding: StartBody = self.start_body if kind == "start" else "json"
        return Job(kind, service, call_id, fields, variant, encoding, tracker if variant.genuine else None)

    def _cdr_job(self, service: Service, call_id: str, fields: JsonObject, variant: Variant) -> Job:
        return Job("cdr", service, call_id, fields, variant, "json", None)

    async def _deliver(self, job: Job) -> tuple[HookRequest, ...]:
        """Make a request, in as many copies as its variant wants."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._once(job, copy)) for copy in range(job.variant.copies)]
        return tuple(task.result() for task in tasks)

    async def _copies(self, job: Job) -> None:
        await self._deliver(job)

    async def _copy(self, job: Job, copy: int) -> None:
        await self._once(job, copy)

    async def _once(self, job: Job, copy: int) -> HookRequest:
        """Make one copy of a request, when its time has come."""
        if copy and job.variant.apart > 0:
            await asyncio.sleep(copy * job.variant.apart)
        began = self.clock.monotonic()
        shown, status, body, error, tried = "", None, b"", "", True
        outgoing = job.outgoing()
        try:
            target = find_target(job.service.url, self.allowed_hosts)
            if any(set(key) & {0, 10, 13} for key in outgoing.keys):
                raise NoTarget("The API key is no header")
            shown = target.shown
            reply = await post(target, outgoing, job.service.limit)
            status, body = reply.status, reply.body
        except NoTarget as problem:
            tried, error = False, str(problem)
        except NoAnswer as problem:
            error = str(problem)
        done = HookRequest(
            kind=job.kind,
            call_id=job.call_id,
            url=shown,
            variant=job.variant.name,
            fields=job.fields,
            tried=tried,
            status=status,
            body=body,
            error=error,
            seconds=self.clock.monotonic() - began,
        )
        self._note(done, job.logged)
        return done

    def _note(self, done: HookRequest, logged: SimTracker | None) -> None:
        self.sent.append(done)
        came = done.error or f"{done.status}"
        text = f"hook: {done.kind}, {done.variant}, POST {done.url} {came}"
        self._journal.add(JournalEntry(self.clock.monotonic(), "note", "", "", text))
        if logged is not None and done.tried and done.kind != "cdr":
            self.world.trackers.log(
                logged,
                done.kind,
                call_id=done.call_id,
                url=done.url,
                status=done.status,
                error=done.error,
                request=done.fields,
                response=logged_answer(done.body),
            )
        self.world.watch.poke()

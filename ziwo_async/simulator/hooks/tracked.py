"""A call to a number that a call tracker decides about: it is asked, its rules are tried in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..legs import Outside, Party
from ..people import SimCustomer
from ..problems import WaitedInVain
from ..routing import OUTBOUND_NAME, arm_hang_up
from .answer import BadAnswer, Rule, read_rules

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from ..calls import SimCall
    from ..people import SimAgent
    from ..routing import Hunt
    from ..trackers import SimTracker
    from .hooks import Hooks
    from .variants import Variant

__all__ = ["Playback", "TrackedCall", "TrackedState", "Tried"]

TrackedState: TypeAlias = Literal["asking", "trying", "talking", "voicemail", "failed", "over"]


class Playback(NamedTuple):
    """Something that was played to the caller.

    Attributes:
        kind: Which of the tracker's two.
        file: Storage hash.
    """

    kind: Literal["welcome", "error"]
    file: str


@dataclass(slots=True)
class Tried:
    """A rule that was tried.

    Attributes:
        rule: The rule.
        at: When, in seconds of the event loop.
        outcome: `ringing`, `answered`, or the cause for which the next one was tried.
    """

    rule: Rule
    at: float
    outcome: str = "ringing"


@dataclass(slots=True)
class _Extras:
    """What the caller wants of the agents' legs; see `SimCustomer.dials`."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    variables: Mapping[str, str] | None = None
    call_id: str | None = None
    ring_timeout: float | None = None


class TrackedCall:
    """What becomes of a call by the word of a tracker's service (`SimCall.tracked`).

    ZIWO documents that the rules are tried in order, each for its own time, that a flag sends callers whom nobody
    answered to the voicemail, and that a file is played when the service fails. The rest is the simulator's: that any
    answer but the documented one is a failure, that the call is hung up after the file, and how long that takes.

    Attributes:
        call: The call.
        tracker: Whose service decides.
        state: `asking` the service, `trying` its rules, `talking`, leaving a message (`voicemail`), hearing the error
            playback (`failed`), `over`.
        playbacks: What the caller heard, oldest first. Nothing sounds.
        rules: What the service wants.
        tried: The rules that were tried, oldest first.
        problem: Why the service's answer was of no use; empty: it was of use, or there is none yet.
        held: The startCall goes out after the endCall (see `late`).
    """

    def __init__(self, hooks: Hooks, call: SimCall, outside: Outside, tracker: SimTracker) -> None:
        self.call = call
        self.tracker = tracker
        self.state: TrackedState = "asking"
        self.playbacks: list[Playback] = []
        self.rules: tuple[Rule, ...] = ()
        self.tried: list[Tried] = []
        self.problem = ""
        self.held = False
        self._hooks = hooks
        self._outside = outside
        self._extras = _Extras()
        self._voicemail = False
        self._asking: asyncio.Task[None] | None = None
        self._hunt: Hunt | None = None

    def __repr__(self) -> str:
        return f"TrackedCall({self.call.primary_call_id!r}, {self.state!r}, {len(self.tried)} tried)"

    @property
    def waits(self) -> bool:
        """The caller is on the line, and the tracker is not done with the call."""
        return self.state in ("asking", "trying", "voicemail", "failed")

    async def reaches(self, state: TrackedState, timeout: float = 5.0) -> None:
        """Wait until the call is in a state; at once when it is.

        Raises:
            WaitedInVain: Not within `timeout` seconds, or it is over and cannot get there any more.
        """

        def look() -> bool | None:
            if self.state == state:
                return True
            if self.state == "over":
                raise WaitedInVain(f"{self!r} should become {state}: {self.problem or self.call.cause}")
            return None

        await self._hooks.world.watch.until(look, timeout, lambda: f"{self!r} is not {state}")

    # ---- the service is asked --------------------------------------------------------------------------------

    def begin(
        self,
        headers: Mapping[str, str],
        variables: Mapping[str, str] | None,
        call_id: str | None,
        ring_timeout: float | None,
    ) -> None:
        """The call lands."""
        self._extras = _Extras(headers, variables, call_id, ring_timeout)
        self._outside.on_end = self._caller_gone
        self._play("welcome")
        if self.tracker.blocked:
            self._fail("the tracker is blocked")
        else:
            variant = self._hooks.take("start")
            self.held = variant.after_end
            self._asking = self._hooks.spawn(self._ask(variant))

    async def _ask(self, variant: Variant) -> None:
        answer = await self._hooks.ask(self, variant)
        if self.state != "asking":
            return
        if answer.status is None:
            self._fail(answer.error)
            return
        try:
            found = read_rules(answer.status, answer.body, self._hooks.voicemail_flag)
        except BadAnswer as problem:
            self._fail(f"the answer of the service is of no use: {problem}")
            return
        self.rules, self._voicemail = found.rules, found.voicemail
        self.state = "trying"
        self._hooks.world.watch.poke()
        self._next("NO_ROUTE_DESTINATION")

    def _play(self, kind: Literal["welcome", "error"]) -> bool:
        file = self.tracker.text(f"{kind}Playback")
        if file is not None:
            self.playbacks.append(Playback(kind, file))
        return file is not None

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.state = "failed"
        self._hooks.world.watch.poke()
        seconds = self._hooks.playback_seconds if self._play("error") else 0.0
        self._hooks.switch.later(self._outside, seconds, lambda: self._drop("NORMAL_TEMPORARY_FAILURE"))

    # ---- its rules are tried ---------------------------------------------------------------------------------

    def _next(self, cause: str) -> None:
        """Try the rest of the rules, up to one that rings."""
        for rule in self.rules[len(self.tried) :]:
            now = Tried(rule, self._hooks.clock.monotonic())
            self.tried.append(now)
            target = self._hooks.world.destination(rule.number)
            if target is None:
                cause = now.outcome = "UNALLOCATED_NUMBER"
            elif isinstance(target, SimCustomer):
                self._call_outside(rule, target)
                return
            elif self._ring(rule, target[0]):
                return
            else:
                cause = now.outcome = "USER_NOT_REGISTERED"
        if self._voicemail:
            self._leave_message()
        else:
            # Not from here: what ends the last rule is not through with it yet.
            self._hooks.switch.later(self._outside, 0.0, lambda: self._drop(cause))

    def _ring(self, rule: Rule, agent: SimAgent) -> bool:
        extras, party, headers = self._extras, self._outside.party, dict(self.call.headers)
        if rule.caller_id is not None:
            # What the agent sees is the rule's number, wherever a client looks for it.
            party = Party(rule.caller_id, rule.caller_id)
            headers["verto_h_originalCallerIdNumber"] = rule.caller_id
        hunt = self._hooks.router.ring(
            agent,
            self._outside,
            party,
            {**headers, **extras.headers},
            ring_timeout=extras.ring_timeout if rule.timeout is None else rule.timeout,
            call=self.call,
            call_id=extras.call_id,
            variables=extras.variables,
        )
        if hunt is None:
            return False
        extras.call_id = None
        hunt.on_answer = self._answered
        self._hunt = hunt
        return True

    def not_reached(self, cause: str) -> bool:
        """An agent did not answer. False: it was not for a rule."""
        if self.state != "trying":
            return False
        self.tried[-1].outcome = cause
        self._next(cause)
        return True

    def _answered(self) -> None:
        self.tried[-1].outcome = "answered"
        self.state = "talking"
        self._hooks.world.watch.poke()

    # ---- somebody outside ------------------------------------------------------------------------------------

    def _call_outside(self, rule: Rule, customer: SimCustomer) -> None:
        self._hunt = None
        switch, script = self._hooks.switch, customer.script
        far = Outside(
            uuid=switch.new_uuid(),
            party=Party(OUTBOUND_NAME, customer.number),
            service=customer.service,
            customer=customer,
            call=self.call,
        )
        far.on_end = lambda cause: self._far_gone(far, cause)
        self.call.forward = far
        customer.called(self.call)
        seconds = self._extras.ring_timeout if rule.timeout is None else rule.timeout
        switch.later(
            far,
            switch.options.ring_timeout if seconds is None else seconds,
            lambda: None if far.answered else switch.end_outside(far, "NO_ANSWER"),
        )
        if script.refuse is not None:
            refusal = script.refuse
            switch.later(far, script.refuse_after, lambda: switch.end_outside(far, refusal))
        elif script.answer_after is not None:
            switch.later(far, script.ring + script.answer_after, lambda: self._far_answers(far))
        switch.log.changed(far)
        switch.watch.poke()

    def _far_answers(self, far: Outside) -> None:
        switch = self._hooks.switch
        far.answered = self._outside.answered = True
        self._answered()
        switch.log.changed(far)
        arm_hang_up(switch, self._outside)
        arm_hang_up(switch, far)

    def _far_gone(self, far: Outside, cause: str) -> None:
        if self.state == "over":
            return
        if far.answered:
            self._hooks.switch.end_outside(self._outside, cause)
        else:
            self.not_reached(cause)

    # ---- the end ---------------------------------------------------------------------------------------------

    def _leave_message(self) -> None:
        self.state = "voicemail"
        self.call.voicemail_since = self._hooks.clock.epoch()
        switch = self._hooks.switch
        seconds = self._hooks.voicemail_seconds
        switch.later(self._outside, seconds, lambda: switch.end_outside(self._outside, "NORMAL_CLEARING"))
        switch.watch.poke()

    def _drop(self, cause: str) -> None:
        self.call.dropped = True
        self._hooks.switch.end_outside(self._outside, cause)

    def _caller_gone(self, cause: str) -> None:
        trying, self.state = self.state == "trying", "over"
        if trying and self.tried and self.tried[-1].outcome == "ringing":
            # Whoever answers in this very moment is not joined to the caller yet, but has answered.
            answered = self._hunt is not None and any(leg.answered for leg in self._hunt.legs)
            self.tried[-1].outcome = "answered" if answered else "ORIGINATOR_CANCEL"
        if self._asking is not None:
            self._asking.cancel()
        if self.call.forward is not None:
            self._hooks.switch.end_outside(self.call.forward, cause)

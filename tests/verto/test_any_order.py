"""Everything in any order: rules pick frames, commands, losses and time-outs; the invariants hold after every step."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ziwo_async.errors import CallError
from ziwo_async.events import DialogEvent, DialogState
from ziwo_async.verto.effects import Effect, Publish, Refused, Send, Settled
from ziwo_async.verto.flow import Verdict, check_flow
from ziwo_async.verto.frames import decode
from ziwo_async.verto.ledger import Ledger as Stored
from ziwo_async.verto.session import SessionMachine

from .support import error, events_of, ready_session, reconnect, request, result

IDS = ("a", "b", "c", "never")
ids = st.sampled_from(IDS)
id_lists = st.lists(ids, max_size=4)
SERVER_METHODS = (
    "verto.invite", "verto.attach", "verto.media", "verto.answer", "verto.display", "verto.bye", "verto.pickup",
    "verto.dial", "verto.send", "verto.sendToAgentOnCall", "verto.info", "verto.announce", "verto.ping", "verto.punt",
    "verto.event", "verto.prompt", "verto.mediaParams", "verto.clientReady", "verto.nobody",
)  # fmt: skip


class Ledger:
    """Takes every effect and checks what must hold of it at once."""

    def __init__(self) -> None:
        self.flows: dict[str, list[DialogEvent]] = {}
        self.ended: list[list[DialogEvent]] = []
        self.sent: Counter[int] = Counter()
        self.done: Counter[int] = Counter()

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.sent[effect.request_id] += 1
            elif isinstance(effect, Settled | Refused):
                self.done[effect.request_id] += 1
            elif isinstance(effect, Publish) and isinstance(effect.event, DialogEvent):
                self.dialog(effect.event)
        assert all(count == 1 for count in self.sent.values())
        assert all(count == 1 for count in self.done.values())
        assert set(self.done) <= set(self.sent)

    def dialog(self, event: DialogEvent) -> None:
        flow = self.flows.setdefault(event.call_id, [])
        flow.append(event)
        # The event's own flow begins with this call: nothing of an earlier call with the same id, nothing left out.
        assert [step.state for step in event.state_flow] == [earlier.state for earlier in flow]
        assert check_flow(event.state_flow).verdict is not Verdict.VIOLATION
        dates = [step.date_unix for step in event.state_flow]
        assert dates == sorted(dates)
        assert isinstance(event.state, DialogState)
        assert event.state in list(DialogState)
        if event.state == "destroy":
            assert flow[-2].state == "hangup"
            self.ended.append(self.flows.pop(event.call_id))


class AnyOrder(RuleBasedStateMachine):
    """A session under a server, a user and a network that do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.session = SessionMachine(login="agent-0011", sessid="s", agents={"0012"})
        self.now = 0.0
        self.ledger.sent[self.login()] += 1

    @initialize(asks_again=st.booleans())
    def the_phone_is_made(self, asks_again: bool) -> None:
        self.session.asks_again = asks_again

    def login(self) -> int:
        self.session.connected()
        return self.session.log_in("hash").request_id

    def tick(self) -> float:
        self.now += 0.25
        return self.now

    def receive(self, method: str, **params: Any) -> None:
        self.ledger.take(self.session.receive(request(method, params), self.tick()))

    @rule(call_id=ids, number=st.sampled_from(["+971", "0012", "agent-1"]))
    def server_offers(self, call_id: str, number: str) -> None:
        self.receive("verto.invite", callID=call_id, sdp="v=0", caller_id_number=number)

    @rule(call_id=ids, shown=st.sampled_from(["inbound", "outbound"]))
    def server_attaches(self, call_id: str, shown: str) -> None:
        self.receive("verto.attach", callID=call_id, sdp="v=0", display_direction=shown)

    @rule(call_id=ids, method=st.sampled_from(["verto.media", "verto.answer", "verto.display", "verto.pickup"]))
    def server_tells(self, call_id: str, method: str) -> None:
        self.receive(method, callID=call_id, sdp="v=0")

    @rule(call_id=ids)
    def server_ends(self, call_id: str) -> None:
        self.receive("verto.bye", callID=call_id, cause="USER_BUSY", causeCode=17)

    @rule(listed=id_lists)
    def server_is_ready(self, listed: list[str]) -> None:
        self.receive("verto.clientReady", reattached_sessions=listed)

    @rule(data=st.data(), hold=st.sampled_from(["held", "active"]))
    def server_accepts_a_request(self, data: st.DataObject, hold: str) -> None:
        known = [*sorted(self.ledger.sent), 7_777_777]
        frame = result(data.draw(st.sampled_from(known)), holdState=hold)
        self.ledger.take(self.session.receive(frame, self.tick()))

    @rule(data=st.data(), words=st.sampled_from(["CALL DOES NOT EXIST", "CODEC ERROR", ""]))
    def server_refuses_a_request(self, data: st.DataObject, words: str) -> None:
        known = [*sorted(self.ledger.sent), 7_777_777]
        frame = error(data.draw(st.sampled_from(known)), message=words, code=-32002)
        self.ledger.take(self.session.receive(frame, self.tick()))

    @rule(
        call_id=ids,
        command=st.sampled_from(["dial", "answer", "attach", "hang_up", "hang_up_unsent", "hold", "dtmf", "mute"]),
    )
    def user_commands(self, call_id: str, command: str) -> None:
        session, at = self.session, self.tick()
        before = (dict(session.open_requests), dict(session.calls))
        try:
            effects = {
                "dial": lambda: session.dial(call_id, "1", "v=0", at),
                "answer": lambda: session.answer(call_id, "v=0", at),
                "attach": lambda: session.attach(call_id, "v=0"),
                "hang_up": lambda: session.hang_up(call_id, "NORMAL_CLEARING", 16, at),
                "hang_up_unsent": lambda: session.hang_up_unsent(call_id, "NORMAL_CLEARING", 16, at),
                "hold": lambda: session.modify(call_id, "hold"),
                "dtmf": lambda: session.dtmf(call_id, "1"),
                "mute": lambda: session.mute(call_id, muted=True),
            }[command]()
        except CallError:
            assert before == (session.open_requests, session.calls)
        else:
            self.ledger.take(effects)

    @rule(call_id=ids)
    def the_bye_times_out(self, call_id: str) -> None:
        self.ledger.take(self.session.bye_timed_out(call_id, self.tick()))

    @rule(data=st.data())
    def a_waiter_gives_up(self, data: st.DataObject) -> None:
        self.session.forget(data.draw(st.sampled_from(sorted(self.ledger.sent))))

    @rule()
    def the_socket_is_lost(self) -> None:
        self.ledger.take(self.session.disconnected("lost", self.tick()))
        assert self.session.open_requests == {}

    @rule(call_id=ids)
    def the_phone_asks_for_a_call(self, call_id: str) -> None:
        if call_id in self.session.calls and self.session.calls[call_id].detached:
            self.ledger.take([self.session.ask(call_id)])

    @rule(call_id=ids, exists=st.booleans())
    def the_phone_gives_a_call_up(self, call_id: str, exists: bool) -> None:
        self.ledger.take(self.session.lose(call_id, self.tick(), exists=exists))

    @rule()
    def the_process_is_killed_and_another_takes_over(self) -> None:
        old = self.session
        left = Stored.from_json(old.ledger(self.now).to_json())
        self.ledger.done.update(dict.fromkeys(old.open_requests, 1))
        next_id = max(self.ledger.sent) + 1
        self.session = SessionMachine(
            login=old.login, sessid="another", agents={"0012"}, first_id=next_id, asks_again=old.asks_again
        )
        effects = self.session.restore(left, self.tick())
        for call in self.session.calls.values():
            assert call.detached
            assert call.data == old.calls[call.call_id].data
        self.ledger.take(effects)
        assert self.session.sessid == "s"
        self.ledger.sent[self.login()] += 1

    @rule()
    def a_new_socket_logs_in(self) -> None:
        self.ledger.take(self.session.disconnected("lost", self.tick()))
        self.ledger.sent[self.login()] += 1

    @invariant()
    def the_machine_and_the_published_events_agree(self) -> None:
        assert set(self.session.calls) == set(self.ledger.flows)
        for call_id, call in self.session.calls.items():
            assert call.state is self.ledger.flows[call_id][-1].state

    @invariant()
    def open_requests_are_the_sent_ones_that_were_not_answered(self) -> None:
        assert set(self.session.open_requests) == set(self.ledger.sent) - set(self.ledger.done)

    def teardown(self) -> None:
        began = len(self.ledger.ended) + len(self.ledger.flows)
        self.ledger.take(self.session.disconnected("drain", self.tick()))
        login = self.login()
        self.ledger.sent[login] += 1
        self.ledger.take(self.session.receive(result(login), self.tick()))
        self.receive("verto.clientReady", reattached_sessions=[])
        for call_id in list(self.session.calls):
            self.ledger.take(self.session.lose(call_id, self.tick(), exists=False))
            self.ledger.take(self.session.bye_timed_out(call_id, self.tick()))
        assert self.session.calls == {}
        assert {request.method for request in self.session.open_requests.values()} <= {"verto.bye"}
        assert self.session.unsaid == {}
        assert self.ledger.flows == {}
        assert len(self.ledger.ended) == began
        for flow in self.ledger.ended:
            assert [event.state for event in flow].count(DialogState.DESTROY) == 1


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


# -- frames nobody would write -----------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ids,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([
    "callID", "sdp", "cause", "causeCode", "reattached_sessions", "variables", "msg", "txt", "data", "number", "uuid",
    "serno", "auth-expires", "verto_h_x", "caller_id_number", "display_direction", "holdState", "message", "code",
])  # fmt: skip
PARAMS = st.dictionaries(KEYS, VALUES, max_size=6)
FRAMES = st.one_of(
    st.builds(
        lambda method, params, id_: {"jsonrpc": "2.0", "method": method, "params": params, "id": id_},
        st.sampled_from(SERVER_METHODS), PARAMS | VALUES, VALUES,
    ),
    st.builds(
        lambda kind, body, id_: {"jsonrpc": "2.0", kind: body, "id": id_},
        st.sampled_from(["result", "error"]), PARAMS | VALUES, st.integers(0, 12) | VALUES,
    ),
    VALUES,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAMES, max_size=6), st.booleans())
def test_no_frame_whatever_it_holds_makes_the_session_raise(frames: list[Any], batched: bool) -> None:
    session, ledger = ready_session(), Ledger()
    for send in (session.dial("a", "1", "v=0", 1.0), [session.ping()], session.dial("b", "1", "v=0", 1.0)):
        ledger.take(send)
    for index, frame in enumerate([frames] if batched else frames):
        ledger.take(session.receive(decode(json.dumps(frame)), 2.0 + index))
    ledger.take(session.disconnected("drain", 90.0))
    for event in events_of(reconnect(session, at=91.0)):
        event.model_dump_json(by_alias=True)
    assert session.calls == {}

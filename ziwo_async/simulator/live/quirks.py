"""How live sockets differ from each other, to be switched on one by one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LiveQuirks"]


@dataclass(slots=True, kw_only=True)
class LiveQuirks:
    """Ways of telling; change them at any time (`sim.live.quirks`).

    Attributes:
        text_payloads: The envelope is sent as JSON text in a string, as the Android SDK expects it.
        null_payloads: Every envelope is preceded by the same event with null (the Zendesk app ignores such).
        lists: Collections are lists instead of objects keyed by id (Zendesk app).
        empty_as_list: An empty collection is `[]`, whatever it is otherwise (ZIWO Manager app).
        empty_live_info: `liveInfo` of an agent who is logged out is `[]` (ZIWO Manager app).
        calls_of_queues: Calls of a queue are in `calls`, as in 2018, instead of `liveCalls`.
        keep_answered: `GET /live/queueCalls` keeps answered calls until they end, with `bridgeEPOCH` and the agent,
            as mod_callcenter's table of members does.
        push_unasked: Every event is pushed to whoever may see it, subscribed or not, as servers of 2017-18 did.
    """

    text_payloads: bool = False
    null_payloads: bool = False
    lists: bool = False
    empty_as_list: bool = True
    empty_live_info: bool = False
    calls_of_queues: bool = False
    keep_answered: bool = False
    push_unasked: bool = False

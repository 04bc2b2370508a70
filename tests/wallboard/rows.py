"""Rows as the page draws them, for tests of the page alone."""

from __future__ import annotations

import time
from typing import Any

from ziwo_async.wallboard.board import Board


def agent(name: str, login: str = "5555", **more: Any) -> dict[str, Any]:
    row = {"name": name, "login": login, "status": "Available", "state": "Waiting", "tone": "good"}
    return {**row, "since": time.time() - 65, "order": name, **more}


def queue(name: str, waiting: int = 0, longest: float | None = None) -> dict[str, Any]:
    since = None if longest is None else time.time() - longest
    return {"name": name, "waiting": waiting, "longest": since, "order": name}


def call(customer: str, *steps: tuple[str, float], where: str = "Ann Agent", **more: Any) -> dict[str, Any]:
    """A call; each step is a state and how many seconds ago it began."""
    now = time.time()
    flow = [{"state": state, "at": now - ago, "inferred": False} for state, ago in steps]
    first = flow[0]["at"] if flow else 0
    return {"customer": customer, "where": where, "flow": flow, "over": False, "order": f"{first:020.3f}", **more}


def figure(name: str, text: str, *, main: bool = True, order: int = 0) -> dict[str, Any]:
    return {"name": name, "text": text, "main": main, "order": order}


_NAMES = (
    "Ann Agent, Bilal Khan, Chloe Martin, Dana Haddad, Emil Novak, Fatima Noor, George Wu, Hana Sato, Ivan Petrov, "
    "Jana Kral, Karim Aziz, Lea Dubois, Mona Said, Nils Berg"
)
_STATUSES = (
    ("Available", "good", "Waiting"),
    ("Available", "good", "In a queue call"),
    ("On Break", "rest", ""),
    ("Meeting", "busy", ""),
    ("Logged Out", "off", ""),
    ("Outgoing", "busy", ""),
    ("Training", "other", ""),
)
_FIGURES = (
    ("Service level", "92"),
    ("Average wait", "0:14"),
    ("Answer speed", "0:09"),
    ("Answered", "418"),
    ("Abandoned", "12"),
    ("Abandoned %", "2.8"),
    ("Voicemails", "4"),
    ("Outgoing", "97"),
)


def a_busy_day(board: Board) -> None:
    """What a board may look like, for pictures."""
    agents = {}
    for number, name in enumerate(_NAMES.split(", ")):
        status, tone, state = _STATUSES[number % len(_STATUSES)]
        since = time.time() - (number * 977 + 5) % 8000
        agents[str(number)] = agent(name, str(5550 + number), status=status, tone=tone, state=state, since=since)
    board.put("agents", agents)
    waiting = {"1": queue("Support", 3, 154), "2": queue("Sales", 1, 12), "3": queue("Billing"), "4": queue("VIP")}
    board.put("queues", waiting)
    talk = (("ringing", 95), ("answering", 88), ("active", 87), ("held", 40), ("active", 20))
    out = (("requesting", 30), ("trying", 29), ("early", 27), ("active", 15))
    calls = {
        "1": call("+971500000101", *talk, where="inbound, Ann Agent, Support"),
        "2": call("+33123456789", *out, where="outbound, George Wu"),
        "3": call("+971500000102", ("ringing", 6), where="inbound, Bilal Khan, Sales"),
        "4": call("+971500000104", where="inbound, Support", state="Waiting", order="9"),
    }
    board.put("calls", calls)
    board.put("kpis", {name: figure(name, text, order=n) for n, (name, text) in enumerate(_FIGURES)})

"""Rows as the page draws them, for tests of the page alone."""

from __future__ import annotations

import time
from typing import Any


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

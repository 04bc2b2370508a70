"""`ziwo history`: calls that are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import typer

from .. import EXIT_CODES, BadArgument, Cdr, ZiwoClient
from .account import Account, ask
from .output import Column, Form, local, seconds, show_with, span, told, utc
from .period import period
from .running import fail

__all__ = ["history"]


def _agent(cdr: Cdr) -> str | None:
    return None if cdr.agent_cc_login == "unknown" else cdr.agent_cc_login


def _sound(cdr: Cdr) -> str:
    return "voicemail" if cdr.voicemail else "recording" if cdr.recording_file else ""


def _seconds(length: timedelta | None) -> str:
    return "" if length is None else str(seconds(length))


_TABLE: Sequence[Column[Cdr]] = (
    Column("start", lambda cdr: local(cdr.start), 19),
    Column("direction", lambda cdr: cdr.direction, 9),
    Column("result", lambda cdr: cdr.result, 9),
    Column("customer", lambda cdr: cdr.customer_number, 15),
    Column("agent", _agent, 7),
    Column("queue", lambda cdr: cdr.queue_name, 12),
    Column("talk", lambda cdr: span(cdr.talk_time), 7),
    Column("sound", _sound, 9),
    Column("callID", lambda cdr: cdr.call_id, 36),
)
_CSV: Sequence[Column[Cdr]] = (
    Column("start", lambda cdr: utc(cdr.start)),
    Column("answer", lambda cdr: utc(cdr.answer)),
    Column("end", lambda cdr: utc(cdr.end)),
    Column("direction", lambda cdr: cdr.direction),
    Column("result", lambda cdr: cdr.result),
    Column("missed", lambda cdr: "true" if cdr.missed else "false"),
    Column("customerNumber", lambda cdr: cdr.customer_number),
    Column("callerIDName", lambda cdr: cdr.caller_id_name),
    Column("callerIDNumber", lambda cdr: cdr.caller_id_number),
    Column("didCalled", lambda cdr: cdr.did_called),
    Column("agentCCLogin", _agent),
    Column("queueName", lambda cdr: cdr.queue_name),
    Column("duration", lambda cdr: _seconds(cdr.duration)),
    Column("talkTime", lambda cdr: _seconds(cdr.talk_time)),
    Column("ringTime", lambda cdr: _seconds(cdr.ring_time)),
    Column("queueWaitTime", lambda cdr: _seconds(cdr.queue_wait_time)),
    Column("holdTime", lambda cdr: _seconds(cdr.hold_time)),
    Column("sound", _sound),
    Column("hangupCause", lambda cdr: cdr.hangup_cause),
    Column("hangupBy", lambda cdr: cdr.hangup_by),
    Column("id", lambda cdr: str(cdr.id)),
    Column("callID", lambda cdr: cdr.call_id),
)


def history(
    *,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, or a moment such as 2026-03-01T08:30.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, or a moment.")] = None,
    last: Annotated[str | None, typer.Option(metavar="2h|7d", help="The time until now: m, h, d or w.")] = None,
    agent: Annotated[
        list[str] | None, typer.Option(metavar="CCLOGIN", help="Only calls of this agent; again for more.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only calls of this queue; again for more.")
    ] = None,
    number: Annotated[str | None, typer.Option(metavar="N", help="Only calls with this customer.")] = None,
    missed: Annotated[bool, typer.Option("--missed", help="Only inbound calls that nobody answered.")] = False,
    own: Annotated[bool, typer.Option("--own", help="Only your own calls; needs no admin.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, in the server's spelling.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header; times in UTC, lengths in seconds.")] = False,
) -> None:
    """Show the calls that are over, the newest first: those of the last 24 hours, unless you say which.

    Without --own you need to be an admin.
    """
    if json and as_csv:
        fail("choose one of --json and --csv", EXIT_CODES["configuration"])
    if own and (agent or queue):
        fail("--own are your calls: --agent and --queue do not go with it", EXIT_CODES["configuration"])
    if number is not None and not number.strip():
        fail("--number is empty: leave it out, or say which customer", EXIT_CODES["configuration"])
    try:
        since, until = period(begin, end, last)
    except BadArgument as error:
        fail(str(error), EXIT_CODES["configuration"])
    form: Form = "json" if json else "csv" if as_csv else "table"

    async def work(ziwo: ZiwoClient, account: Account) -> int:
        del account
        if own:
            calls = ziwo.calls.own(since, until, contact_number=number)
        else:
            calls = ziwo.calls.history(
                since,
                until,
                agents=[await _agent_id(ziwo, cc_login) for cc_login in agent or ()],
                queues=await _queue_ids(ziwo, queue or ()),
                contact_number=number,
                newest_first=True,
            )
        shown = show_with(_CSV if form == "csv" else _TABLE, form, whole=_whole)
        count = 0
        async for cdr in calls:
            if missed and not cdr.missed:
                continue
            shown.row(cdr)
            count += 1
            if count == limit:
                break
        shown.end()
        return EXIT_CODES["stopped"]

    ask(work)


def _whole(cdr: Cdr) -> Mapping[str, object]:
    """Give what JSON shows: the server's fields, without the one that the model adds to them."""
    return {name: value for name, value in told(cdr).items() if name != "resultText"}


async def _agent_id(ziwo: ZiwoClient, cc_login: str) -> int:
    found = await ziwo.agents.by_cc_login(cc_login)
    if found is None:
        raise BadArgument(f"there is no agent {cc_login!r}: see `ziwo agents`")
    return found.id


async def _queue_ids(ziwo: ZiwoClient, names: Sequence[str]) -> list[int]:
    if not names:
        return []
    ids = {queue.name: queue.id async for queue in ziwo.queues.list_all()}
    for name in names:
        if name not in ids:
            raise BadArgument(f"there is no queue {name!r}: see `ziwo queues --admin`")
    return [ids[name] for name in names]

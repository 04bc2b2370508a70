"""`ziwo doctor`: what works, step by step, and what to do about the first thing that does not."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from .. import EXIT_CODES, ConfigError
from .account import Account, find
from .checks import Checks, Finding, examine
from .output import show_json_object
from .running import fail, plain, run
from .screen import Screen

__all__ = ["doctor"]

_ONE_PHONE = (
    "ziwo: now the agent's phone logs in for a moment. An agent has one phone: meanwhile calls may ring here, and"
    " ZIWO's web phone may be refused. --no-phone leaves this check out.\n"
)


def doctor(
    phone: Annotated[bool, typer.Option("--phone/--no-phone", help="Whether the phone logs in, too.")] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each check.")] = False,
) -> None:
    """Check name, network, login and phone, in this order, and say what is wrong and what to do.

    Ends with 0, or with the exit code of the first check that failed.
    """
    try:
        account = find()
    except ConfigError as error:
        fail(str(error), EXIT_CODES["configuration"])
    run(_doctor(account, phone, json), interrupted=EXIT_CODES["failed"])


async def _doctor(account: Account, phone: bool, json: bool) -> int:
    code = EXIT_CODES["stopped"]
    console = Screen()
    async with Checks(account, before_the_phone=lambda: sys.stderr.write(_ONE_PHONE)) as checks:
        async for finding in examine(checks.all(phone=phone)):
            code = code or finding.code
            if json:
                show_json_object(_as_json(finding))
            else:
                _show(console, finding)
    return code


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.name,
        "ok": finding.ok,
        "seconds": finding.seconds if finding.seconds is None else round(finding.seconds, 4),
        "says": finding.says,
        "advice": finding.advice or None,
    }


def _show(console: Console, finding: Finding) -> None:
    fancy = console.encoding.lower().startswith("utf")
    mark, style = {
        True: ("\N{CHECK MARK}" if fancy else "+", "green"),
        False: ("\N{BALLOT X}" if fancy else "x", "bold red"),
        None: ("-", "dim"),
    }[finding.ok]
    line = Text(f"{mark} ", style=style)
    line.append(f"{finding.name:<16}", style="bold")
    line.append("        " if finding.seconds is None else f"{finding.seconds * 1000:5.0f} ms", style="dim")
    line.append(f"  {plain(finding.says)}", style="default")
    console.print(line, soft_wrap=True, highlight=False)
    if finding.advice:
        console.print(Text(f"{'':<28}{plain(finding.advice)}"), soft_wrap=True, highlight=False)

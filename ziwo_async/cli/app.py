"""The command line as a whole: what `ziwo --help` shows."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from .. import __version__
from .demo import demo
from .dial import dial
from .directories import agents, numbers, queues
from .doctor import doctor
from .eavesdrop import eavesdrop
from .embed import embed
from .flow import flow
from .history import history
from .listen import listen
from .live import live
from .login import login
from .logout import logout
from .ping import ping
from .recording import recording
from .replay import replay
from .simulate import simulate
from .status import status
from .trackers import trackers
from .wallboard import wallboard
from .whoami import whoami

__all__ = ["app"]


class _DemoFirst(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:
        return ["demo", *(name for name in self.commands if name != "demo")]


app = typer.Typer(
    name="ziwo",
    cls=_DemoFirst,
    help="A ZIWO contact centre from the command line. `ziwo demo` needs no account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_START, _LOGIN, _PHONE, _CENTRE, _FLOWS = "Without an account", "Account", "Phone", "Contact centre", "Flows"
for _panel, _commands in (
    (_START, (simulate,)),
    (_LOGIN, (login, logout, whoami, ping, doctor)),
    (_PHONE, (listen, dial, eavesdrop, status)),
    (_CENTRE, (history, agents, queues, numbers, wallboard)),
    (_FLOWS, (flow, replay)),
):
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(demo, name="demo", rich_help_panel=_START)
app.add_typer(embed, name="embed", rich_help_panel=_START)
app.add_typer(live, name="live", rich_help_panel=_CENTRE)
app.add_typer(recording, name="recording", rich_help_panel=_CENTRE)
app.add_typer(trackers, name="trackers", rich_help_panel=_CENTRE)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ziwo_async {__version__}")
        raise typer.Exit


@app.callback()
def _ziwo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and stop.")
    ] = False,
) -> None:
    del version

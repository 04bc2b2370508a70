"""The command line as a whole: what `ziwo --help` shows."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .demo import demo
from .dial import dial
from .flow import flow
from .listen import listen
from .replay import replay
from .simulate import simulate

__all__ = ["app"]

app = typer.Typer(
    name="ziwo",
    help="A ZIWO contact centre from the command line. `ziwo demo` needs no account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (demo, simulate, listen, dial, flow, replay):
    app.command()(_command)


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

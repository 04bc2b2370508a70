"""`ziwo wallboard`: one page on this machine that shows agents, queues and calls as they are now."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from .. import EXIT_CODES
from .account import Account, signed_in
from .running import fail, run

__all__ = ["wallboard"]

_PORT = 8066


def wallboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where the page is; 0: any free port.")] = _PORT,
) -> None:
    """Serve a wallboard on 127.0.0.1 until Ctrl-C. Takes nobody's phone; needs an admin.

    It prints an address with a token in it; a new one at each start. Whoever has it sees the board.
    """
    who = signed_in()
    run(_serve(who, port), expired=who.expired)


async def _serve(who: Account, port: int) -> int:
    from ..wallboard.board import Board
    from ..wallboard.server import WallboardServer
    from ..wallboard.watcher import Watcher

    board = Board()
    async with who.client() as ziwo, ziwo.live:
        watcher = Watcher(ziwo.live, board)
        server = WallboardServer(board, watcher, title=_title(who), port=port)
        try:
            await server.__aenter__()
        except OSError as error:
            fail(f"cannot listen on port {port}: {error.strerror or error}; try --port 0", EXIT_CODES["connection"])
        try:
            sys.stdout.write(
                f"The wallboard: {server.link}\n"
                "The part after # is the token: whoever has it sees the board. Ctrl-C ends it.\n"
            )
            sys.stdout.flush()
            await watcher.run()
        finally:
            await server.__aexit__(None, None, None)
    return EXIT_CODES["stopped"]


def _title(who: Account) -> str:
    settings = who.settings()
    return who.contact_center or urlsplit(settings.base_url).hostname or "ZIWO"

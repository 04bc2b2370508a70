"""The live socket: Socket.IO of both generations, small, over the same world as REST and Verto.

`server` speaks HTTP and websocket, `engine` is a connection of Engine.IO 3 or 4, `connection` is Socket.IO on it, and
`hub` decides who is told what and when; `floor` and `kpis` make what is told. The hub needs no network, so
that a world in virtual time can be watched too.
"""

from __future__ import annotations

from .connection import LiveConnection
from .hub import Hub, Member
from .quirks import LiveQuirks
from .server import LiveServer

__all__ = ["Hub", "LiveConnection", "LiveQuirks", "LiveServer", "Member"]

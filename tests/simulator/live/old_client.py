"""A Socket.IO client of 2020, driven through standard input and output: run with an old python-socketio on the path.

It takes one JSON list a line, `["emit", <event>, <arguments>...]`, and says what happens, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import socketio  # type: ignore[import-untyped, unused-ignore]


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def main(url: str, transports: str, names: list[str]) -> None:
    client: Any = socketio.AsyncClient(reconnection=False)
    over = asyncio.Event()

    def heard(name: str) -> Any:
        return lambda *arguments: say(kind="event", name=name, arguments=arguments)

    for name in names:
        client.on(name, heard(name))

    @client.event
    async def connect() -> None:
        say(kind="connect", carrier=client.transport())

    @client.event
    async def connect_error(*arguments: Any) -> None:
        say(kind="error", arguments=[str(argument) for argument in arguments])

    @client.event
    async def disconnect() -> None:
        say(kind="disconnect")
        over.set()

    try:
        await client.connect(url, transports=transports.split(","), socketio_path="socket")
    except socketio.exceptions.ConnectionError as problem:
        say(kind="refused", arguments=[str(problem)])
        return
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _, name, *arguments = json.loads(line)
        await client.emit(name, *arguments)
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""A program that asks for a callback, runs it, and is killed: python dying.py API_URL USER PASSWORD KEY FILE NUMBER."""

from __future__ import annotations

import asyncio
import sys

from ziwo_async import ZiwoClient
from ziwo_async.callback import CallbackService, SqliteCallbacks


async def main() -> None:
    api_url, username, password, api_key, path, number = sys.argv[1:]
    store = SqliteCallbacks(path)
    ziwo = ZiwoClient(api_url=api_url, username=username, password=password, api_key=api_key)
    async with ziwo, CallbackService(ziwo, ["5555"], store=store, retries=0, every=0.1) as service:
        asked = await service.request(number, key="form-1")
        print(asked.id, flush=True)
        while True:
            now = await service.get(asked.id)
            assert now is not None
            print(now.state, flush=True)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())

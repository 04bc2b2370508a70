"""Media without sound and without chance: `NullMedia` with its random parts replaced, sometimes slow or broken."""

from __future__ import annotations

import asyncio
import random
import re

from ziwo_async import MediaError, MediaSession, NullMedia

_RANDOM = re.compile(r"(o=ziwo_async |a=ice-ufrag:|a=ice-pwd:|a=fingerprint:sha-256 )\S+")


class SeededMedia:
    def __init__(self, rng: random.Random, *, slow: float = 0.0, broken: float = 0.0) -> None:
        self._rng = rng
        self._slow = slow
        self._broken = broken
        self._made = NullMedia()
        self.open_sessions = 0

    async def open(self, call_id: str) -> MediaSession:
        session = await self._made.open(call_id)
        self.open_sessions += 1
        return _Session(self, session, call_id)

    async def work(self, what: str, call_id: str) -> None:
        if self._slow and self._rng.random() < 0.3:
            await asyncio.sleep(self._rng.uniform(0, self._slow))
        if self._broken and self._rng.random() < self._broken:
            raise MediaError(f"{what}: the engine is broken today", call_id=call_id)


class _Session:
    def __init__(self, engine: SeededMedia, session: MediaSession, call_id: str) -> None:
        self._call_id = call_id
        self._engine = engine
        self._session = session

    async def offer(self) -> str:
        await self._engine.work("offer", self._call_id)
        return _RANDOM.sub(r"\g<1>0", await self._session.offer())

    async def answer(self, offer: str) -> str:
        await self._engine.work("answer", self._call_id)
        return _RANDOM.sub(r"\g<1>0", await self._session.answer(offer))

    async def accept(self, answer: str) -> None:
        await self._engine.work("accept", self._call_id)
        await self._session.accept(answer)

    async def mute(self, muted: bool) -> None:
        await self._session.mute(muted)

    async def close(self) -> None:
        self._engine.open_sessions -= 1
        await self._session.close()

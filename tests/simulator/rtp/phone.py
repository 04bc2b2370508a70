"""An agent's phone: the raw Verto client with the bare media client; and what is heard there, and by a customer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self

from ziwo_async.simulator import SimAgent, SimCall
from ziwo_async.simulator.rtp import HOLD_MUSIC, RINGBACK, Heard, Tone

from ..client import RawClient
from .bare import BareClient, Cures

NUMBER = "+97150000000"
AGENT, CUSTOMER = 880, 600
STRETCH = 0.2


class Phone:
    """One call at a time. `media` is the peer connection of the present call."""

    def __init__(
        self, verto: RawClient, agent: SimAgent, *, says: int = 880, cures: Cures | None = None, sessid: str = ""
    ) -> None:
        self.verto = verto
        self.agent = agent
        self.voice = Tone(says)
        self.cures = cures
        self.stack = AsyncExitStack()
        self.call_id = ""
        self.sessid = sessid or f"session of {agent.ccLogin}"
        self.media = self.new_media()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    def new_media(self, cures: Cures | None = None) -> BareClient:
        media = BareClient(cures or self.cures, says=self.voice)
        self.stack.push_async_callback(media.close)
        return media

    async def log_in(self) -> dict[str, Any]:
        return await self.verto.login(self.agent, self.sessid)

    async def until(self, method: str) -> dict[str, Any]:
        """The params of the next such request; others before it are passed over."""
        while (frame := await self.verto.get()).get("method") != method:
            pass
        params: dict[str, Any] = frame["params"]
        return params

    async def ask(self, method: str, **more: Any) -> dict[str, Any]:
        return await self.verto.ask(method, dialogParams={"callID": self.call_id}, **more)

    # ---- calls ---------------------------------------------------------------------------------------------------

    async def dial(self, number: str, call_id: str = "dialled") -> None:
        """Dial; returns when CALL CREATED came."""
        self.call_id = call_id
        self.media = self.new_media()
        reply = await self.verto.ask(
            "verto.invite",
            sdp=await self.media.offer(),
            dialogParams={"callID": call_id, "destination_number": number},
        )
        assert reply["result"]["message"] == "CALL CREATED"

    async def is_answered(self) -> None:
        """Wait for `verto.answer`, take its description if it has one."""
        params = await self.until("verto.answer")
        if "sdp" in params:
            await self.media.accept(params["sdp"])

    async def has_early_media(self) -> None:
        """Wait for `verto.media`."""
        await self.media.accept((await self.until("verto.media"))["sdp"])

    async def calls(self, number: str, call_id: str = "dialled") -> None:
        """Dial, be answered, have media."""
        await self.dial(number, call_id)
        await self.is_answered()
        await self.media.connected()

    async def picks_up(self, cures: Cures | None = None) -> dict[str, Any]:
        """Answer the ringing call; gives its invite."""
        invite = await self.until("verto.invite")
        self.call_id = invite["callID"]
        self.media = self.new_media(cures)
        reply = await self.ask("verto.answer", sdp=await self.media.answer(invite["sdp"]))
        assert "result" in reply, reply
        return invite

    async def takes_over(self, offer: str, method: str = "verto.attach", cures: Cures | None = None) -> None:
        """Answer a `verto.attach`."""
        self.media = self.new_media(cures)
        reply = await self.ask(method, sdp=await self.media.answer(offer))
        assert "result" in reply, reply


# ---- what is heard ------------------------------------------------------------------------------------------------


def tones(heard: Heard, *of: int) -> set[int]:
    return {hz for hz in of if heard.has(hz)}


async def comes(phone: Phone | SimCall, *wanted: int, of: tuple[int, ...] = ()) -> None:
    """Wait until a party hears exactly these tones: what was under way before a change may still arrive."""
    everything = {AGENT, CUSTOMER, HOLD_MUSIC, RINGBACK, *wanted, *of}
    heard: set[int] = set()
    for _ in range(5):
        stretch = await (phone.heard_by_customer(STRETCH) if isinstance(phone, SimCall) else phone.media.heard(STRETCH))
        heard = tones(stretch, *everything)
        if heard == set(wanted):
            return
    raise AssertionError(f"{heard} is heard, not {set(wanted)}")


async def silent(phone: Phone) -> None:
    """Nothing arrives any more, not even silence."""
    async with asyncio.timeout(20):
        while (await phone.media.heard(1, timeout=0.2)).frames:
            pass

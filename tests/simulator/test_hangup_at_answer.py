from __future__ import annotations

from ziwo_async import Call, Hangup, Ringing, Router, ZiwoClient
from ziwo_async.testing import serve


async def test_a_hangup_right_after_the_answer_is_no_cancel() -> None:
    """What a test of a bot does first: wait until the call is active, then let the customer hang up."""
    router = Router()

    @router.on(Ringing)
    async def answer(call: Call, event: Ringing) -> None:
        await call.answer()

    async with serve() as world:
        agent = world.agent("5555")
        ziwo = ZiwoClient(username=agent.username, password=agent.password, api_url=world.api_url, router=router)
        async with ziwo, ziwo.phone:
            call = await world.customer("+97150000000").dials(agent)
            await call.reaches("active")
            async with ziwo.expect(Hangup, timeout=5) as hangup:
                await call.hangs_up()
            assert hangup.event.cause == "NORMAL_CLEARING"

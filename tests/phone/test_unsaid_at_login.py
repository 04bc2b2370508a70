"""A hang-up while the phone logs in again: nothing is sent before the login was accepted."""

from __future__ import annotations

import asyncio

from ziwo_async import Hangup, Recovering, SessionLost, SessionRestored

from .kit import Desk, Line, Rogue, Rogues, until, within
from .test_recovery import params_of


async def test_a_hangup_during_the_login_is_said_after_it(desk: Desk, rogue: Rogues) -> None:
    go_on = asyncio.Event()
    asked = asyncio.Event()
    frames: list[str] = []

    async def script(server: Rogue, line: Line) -> None:
        if len(server.lines) == 1:
            await line.log_in()
            await line.send(id=5, method="verto.invite", params=params_of("c"))
            return
        login = await line.next()
        asked.set()
        await go_on.wait()
        await line.result(login, message="logged in")
        await line.send(id=3, method="verto.clientReady", params={"reattached_sessions": []})
        while True:
            request = await line.next()
            frames.append(request["method"])
            await line.result(request, message="CALL ENDED")

    server = await rogue(script)
    phone = desk.phone(url=server.url)
    await phone.start()
    await until(lambda: phone.call("c"))
    call = phone.call("c")
    assert call is not None
    await within(call.answer())
    server.lines[0].cut()
    await desk.seen.wait(SessionLost)
    await within(asked.wait())
    await within(call.hangup())
    assert call.is_over
    assert [request.method for request in phone._core.session.open_requests.values()] == ["login"]
    go_on.set()
    await desk.seen.wait(SessionRestored)
    await until(lambda: frames == ["verto.bye"])
    assert desk.seen.of(Recovering) == []
    assert [event.by for event in desk.seen.of(Hangup)] == ["local"]

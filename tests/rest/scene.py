"""A contact centre with something of everything, and what calls each route of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ziwo_async import Ringing, ZiwoClient
from ziwo_async.simulator import SimCall, Simulator, World

RECORDED = "5d2f3c1a-7f0e-4f6e-9d8b-0a1b2c3d4e5f"


@dataclass
class Scene:
    """A contact centre with something of everything, and a client whose phone is connected."""

    simulator: Simulator
    ziwo: ZiwoClient
    folder: Path

    @property
    def world(self) -> World:
        return self.simulator.world

    @property
    def queue_id(self) -> int:
        return self.world.queue("sales").id

    async def in_a_call(self) -> SimCall:
        async with self.ziwo.expect(Ringing, timeout=5.0) as ringing:
            call = await self.world.customer("+97150000000").dials(self.world.agent("0011"))
        handle = self.ziwo.phone.call(ringing.event.call_id)
        assert handle is not None
        await handle.answer()
        await call.reaches("active")
        return call


@asynccontextmanager
async def scene_in(folder: Path, world: World | None = None, **options: object) -> AsyncIterator[Scene]:
    """Serve a world that has something of everything, and start the phone of agent 0011 in it."""
    world = world or World()
    world.queue("sales", agents=[world.agent("0011")])
    world.add_number("061234567", link=world.queue("sales"))
    world.add_tracker("CT")
    world.add_status(7, "Prayer", "break")
    world.add_customer_record(first_name="Ada", phone="+97150000000")
    async with Simulator(world) as simulator:
        world.history.add(id=46, customer="+97150000000", agent=world.agent("0011"), talk=2.0, call_id=RECORDED)
        agent = world.agent("0011")
        async with ZiwoClient(
            api_url=simulator.api_url,
            username=agent.username,
            password=agent.password,
            api_key=world.cti_key,
            **options,  # type: ignore[arg-type]
        ) as ziwo:
            await ziwo.phone.start()
            yield Scene(simulator, ziwo, folder)


Do = Callable[[Scene], Awaitable[object]]


async def _sign_out(scene: Scene) -> None:
    await scene.ziwo.session.profile()
    await scene.ziwo.session.logout()


async def _current_call(scene: Scene) -> object:
    await scene.in_a_call()
    return await scene.ziwo.cti.current_call("0011")


async def _whisper(scene: Scene) -> None:
    call = await scene.ziwo.eavesdrops.create("5555")
    await scene.ziwo.eavesdrops.update(call.call_id, whisper="both")


AT_WORK: dict[str, Do] = {
    "GET /admin/agents/": lambda s: s.ziwo.agents.list_all().all(),
    "POST /admin/callTrackers": lambda s: s.ziwo.trackers.create(
        "two", start_url="https://ct.example.com/start", end_url="https://ct.example.com/end"
    ),
    "GET /admin/callTrackers/": lambda s: s.ziwo.trackers.list().all(),
    "GET /admin/callTrackers/logs": lambda s: s.ziwo.trackers.logs().all(),
    "DELETE /admin/callTrackers/{id}": lambda s: s.ziwo.trackers.delete("CT"),
    "GET /admin/callTrackers/{id}": lambda s: s.ziwo.trackers.get(1),
    "PUT /admin/callTrackers/{id}": lambda s: s.ziwo.trackers.update(
        1, start_url="https://ct.example.com/start", end_url="https://ct.example.com/end"
    ),
    "PUT /admin/callTrackers/{id}/block": lambda s: s.ziwo.trackers.block("CT"),
    "PUT /admin/callTrackers/{id}/test": lambda s: s.ziwo.trackers.test(1),
    "PUT /admin/callTrackers/{id}/unblock": lambda s: s.ziwo.trackers.unblock(1),
    "GET /admin/numbers/": lambda s: s.ziwo.numbers.list_all().all(),
    "GET /admin/queues/": lambda s: s.ziwo.queues.list_all().all(),
    "POST /admin/skills/agents/{agentId}/": lambda s: s.ziwo.skills.add(s.world.agent("5555").id, s.queue_id),
    "DELETE /admin/skills/agents/{agentId}/{queueId}": lambda s: s.ziwo.skills.remove(
        s.world.agent("0011").id, s.queue_id
    ),
    "GET /admin/skills/listQueues/": lambda s: s.ziwo.skills.queues(),
    "GET /admin/users/": lambda s: s.ziwo.users.list().all(),
    "GET /agent/agents": lambda s: s.ziwo.agents.list().all(),
    "GET /agent/crm/customers": lambda s: s.ziwo.crm.customers().all(),
    "GET /agent/queues": lambda s: s.ziwo.queues.list().all(),
    "GET /agent/statuses": lambda s: s.ziwo.agent.statuses(),
    "PUT /agents": lambda s: s.ziwo.agent.update_profile(first_name="Ada"),
    "PUT /agents/autologin": lambda s: s.ziwo.agent.autologin(),
    "PUT /agents/autologin/{position}": lambda s: s.ziwo.agent.autologin("agent-0011"),
    "PUT /agents/autologout": lambda s: s.ziwo.agent.autologout(),
    "GET /agents/channels/calls/": lambda s: s.ziwo.calls.own().all(),
    "GET /agents/channels/calls/listAgents": lambda s: s.ziwo.agent.colleagues(),
    "GET /agents/channels/calls/listNumbers": lambda s: s.ziwo.agent.numbers(),
    "GET /agents/channels/calls/listQueues": lambda s: s.ziwo.agent.queues(),
    "PUT /agents/logout": lambda s: s.ziwo.agent.logout(),
    "PUT /agents/status": lambda s: s.ziwo.agent.set_status("Meeting"),
    "PUT /auth/device": lambda s: s.ziwo.session.register_device("device"),
    "POST /auth/login": lambda s: s.ziwo.session.login(),
    "POST /auth/logout": _sign_out,
    "GET /callHistory/": lambda s: s.ziwo.calls.history().all(),
    "GET /callHistory/listAgents": lambda s: s.ziwo.agents.in_history(),
    "GET /callHistory/{callID}/recording": lambda s: s.ziwo.recordings.download(RECORDED, s.folder, route="history"),
    "GET /callHistory/{callID}/recording/signed-url": lambda s: s.ziwo.recordings.signed_url(RECORDED),
    "GET /callHistory/{id}": lambda s: s.ziwo.calls.get(46),
    "POST /crm/addresses": lambda s: s.ziwo.crm.create_address(address_line1="1 Road", city="Dubai"),
    "POST /crm/numbers": lambda s: s.ziwo.crm.create_number("+97150000001"),
    "POST /crm/profiles": lambda s: s.ziwo.crm.create_profile(first_name="Ada"),
    "GET /fs/webrtc/config": lambda s: s.ziwo.session.webrtc_config(),
    "POST /integrations/cti/agents/call/{number}": lambda s: s.ziwo.agent.click_to_call("+97150000000"),
    "GET /integrations/cti/agents/{ccLogin}/call": _current_call,
    "POST /integrations/cti/agents/{ccLogin}/call": lambda s: s.ziwo.cti.call("0011", "+97150000000", in_form=True),
    "POST /integrations/cti/agents/{ccLogin}/call/{number}": lambda s: s.ziwo.cti.call("0011", "+97150000000"),
    "POST /integrations/cti/agents/{ccLogin}/login/{position}": lambda s: s.ziwo.cti.agent_login("0011"),
    "POST /live/calls/eavesdrop/{agent}": lambda s: s.ziwo.eavesdrops.create("5555"),
    "PUT /live/calls/eavesdrop/{callID}": _whisper,
    "GET /monitor/ping": lambda s: s.ziwo.monitor.ping(),
    "GET /profile": lambda s: s.ziwo.session.profile(),
    "GET /static/callRecordingsEndpoint": lambda s: s.ziwo.static.recordings_endpoint(RECORDED),
    "GET /static/countries": lambda s: s.ziwo.static.countries(),
    "GET /static/storageEndpoint": lambda s: s.ziwo.static.storage_endpoint(),
    "GET /statistics/resources/agents/": lambda s: s.ziwo.statistics.agents(date(2026, 1, 1), date(2026, 1, 2)),
    "GET /statistics/resources/agents/by/agents": lambda s: s.ziwo.statistics.today_by_agent(),
    "GET /statistics/summary/": lambda s: s.ziwo.statistics.summary(date(2026, 1, 1), date(2026, 1, 2)),
    "GET /storage/{hash}": lambda s: s.ziwo.static.storage(s.world.add_file(b"\xff\xd8jpeg", "image/jpeg")),
    "GET /surveillance/recordings/{callID}.mp3": lambda s: s.ziwo.recordings.download(RECORDED, s.folder),
    "POST /users/password/reset": lambda s: s.ziwo.session.reset_password("agent0011@acme.example"),
}

"""No secret is shown by anything of the REST layer, whatever succeeds or fails: canaries in, everything searched."""

from __future__ import annotations

import gc
import logging
import secrets
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ziwo_async import ApiWarning, Cdr, RetryPolicy, SqlitePlaces, ZiwoError
from ziwo_async.simulator import World

from .scene import AT_WORK, RECORDED, Scene, scene_in


class Canaries:
    """Random secrets, and what was seen where none may turn up."""

    def __init__(self) -> None:
        kinds = ("password", "cc", "cti", "startkey", "endkey", "hook", "device", "newpw", "oldpw")
        self.by_kind = {kind: f"{kind}-{secrets.token_hex(12)}" for kind in kinds}
        self.handed_out: set[str] = set()
        self.shown: list[str] = []
        self.errors = 0

    def __getitem__(self, kind: str) -> str:
        return self.by_kind[kind]

    def show(self, *things: object) -> None:
        for thing in things:
            self.shown += [repr(thing), str(thing)]
            if hasattr(thing, "model_dump_json"):
                self.shown += [thing.model_dump_json(by_alias=True), repr(thing.model_dump()), repr(thing.model_extra)]

    def failed(self, error: BaseException) -> None:
        self.errors += 1
        self.show(error, error.args, vars(error))
        self.shown.append("".join(traceback.format_exception(error)))

    def hits(self, texts: Iterable[str]) -> list[str]:
        every = [*self.by_kind.values(), *self.handed_out]
        return [text[:300] for text in texts for secret in every if secret in text]


async def one_by_one(scene: Scene, canaries: Canaries) -> None:
    """Each route once; what is given back, and each record of it, is shown."""
    for route, do in AT_WORK.items():
        if route == "POST /auth/logout":
            continue
        try:
            given = await do(scene)
        except ZiwoError as error:
            canaries.failed(error)
        else:
            canaries.show(given, *(given if isinstance(given, list) else ()))
        canaries.handed_out |= set(scene.simulator.rest._tokens)


async def with_secrets_in_their_arguments(scene: Scene, canaries: Canaries) -> None:
    ziwo = scene.ziwo
    hook = f"https://user:{canaries['hook']}@ct.example.com/end?key={canaries['hook']}"
    made = await ziwo.trackers.create(
        "secret",
        start_url="https://ct.example.com/start",
        end_url=hook,
        start_api_key=canaries["startkey"],
        end_api_key=canaries["endkey"],
    )
    canaries.show(made, *(await ziwo.trackers.list().all()))
    tracker = next(t for t in await ziwo.trackers.list().all() if t.name == "secret")
    assert tracker.start_api_key is not None
    assert tracker.start_api_key.get_secret_value() == canaries["startkey"]  # there, for those who ask
    await ziwo.session.register_device(canaries["device"])
    canaries.show(*(await ziwo.calls.history().all()), await ziwo.agents.list_all().all())
    signed = await ziwo.recordings.signed_url(RECORDED)
    canaries.handed_out.add(signed.url.get_secret_value())
    canaries.show(signed)


async def failing(scene: Scene, canaries: Canaries) -> None:
    """Servers that repeat what they were given, in each way an answer can be wrong."""
    ziwo, faults = scene.ziwo, scene.simulator.faults
    tokens = list(scene.simulator.rest._tokens)
    target = scene.folder / "voicemail.mp3"

    async def fails(work: Awaitable[object]) -> None:
        try:
            await work
        except ZiwoError as error:
            canaries.failed(error)

    requests: list[tuple[str, bool, str, Callable[[], Awaitable[object]]]] = [
        ("/profile", True, "", ziwo.session.profile),
        (
            "/agents",
            False,
            "newpw oldpw",
            lambda: ziwo.agent.update_profile(password=canaries["newpw"], current_password=canaries["oldpw"]),
        ),
        ("/auth/device", False, "device", lambda: ziwo.session.register_device(canaries["device"])),
        ("/integrations/cti/agents/0011/call/1", False, "", lambda: ziwo.cti.call("0011", "1")),
        (f"/surveillance/recordings/{RECORDED}.mp3", True, "", lambda: ziwo.voicemails.download(RECORDED, target)),
        (
            "/admin/callTrackers/1",
            False,
            "startkey endkey hook",
            lambda: ziwo.trackers.update(
                1,
                end_url=f"https://user:{canaries['hook']}@ct.example.com/",
                start_api_key=canaries["startkey"],
                end_api_key=canaries["endkey"],
            ),
        ),
    ]
    for path, reads, kinds, make in requests:
        # What the request carried, and what any request carries.
        sent = " ".join([*(canaries[kind] for kind in kinds.split()), canaries["cti"], *tokens])
        for status, body in (
            (400, {"result": False, "error": {"message": f"you sent {sent}"}}),
            (403, {"result": False, "info": {"message": f"you sent {sent}"}}),
            (500, {"message": sent}),
            (200, {"result": False, "error": {"message": sent}}),
            (200, {"result": True, "content": {"id": sent, "ccPassword": canaries["cc"]}}),
            (200, f"<html>{sent}"),
            (302, None),
        ):
            headers = {"Location": f"https://example.com/?t={sent.replace(' ', '+')}"} if status == 302 else {}
            faults.next_http(status, body=body, headers=headers, path=path, times=2 if status == 500 and reads else 1)
            await fails(make())
    faults.info_next(f"deprecated; your token is {tokens[0]} and your key {canaries['cti']}")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await ziwo.session.profile()
    assert [one.category for one in told] == [ApiWarning]
    canaries.show(*(one.message for one in told))
    await fails(ziwo.request("GET", "/nowhere"))
    await fails(ziwo.request("GET", "/x", params={"password": canaries["newpw"]}))


async def test_no_secret_is_shown_by_the_rest_layer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = Canaries()
    world = World(agents=())
    world.add_agent("0011", password=canaries["password"], cc_password=canaries["cc"])
    world.add_agent("5555", cc_password=canaries["cc"])
    world.cti_key = canaries["cti"]
    places = tmp_path / "places.sqlite"
    retry = RetryPolicy(attempts=2, base=0.001, cap=0.002)
    async with scene_in(tmp_path, world, retry=retry) as scene:
        await one_by_one(scene, canaries)
        await with_secrets_in_their_arguments(scene, canaries)
        async for cdr in _one_missed(scene, places):
            canaries.show(cdr)
        await failing(scene, canaries)
        canaries.show(scene.ziwo, scene.ziwo._transport, scene.ziwo.calls, scene.ziwo.cti, vars(scene.ziwo.agent))
    assert canaries.handed_out
    assert canaries.errors > 20
    gc.collect()
    logged = [
        f"{record.name} {record.getMessage()} {record.exc_text or ''}"
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)  # type: ignore[arg-type]
        if not record.name.startswith("websockets.server")
    ]
    assert any("ziwo_async.rest GET /callHistory/" in line for line in logged), "nothing was logged: proves nothing"
    out, err = capfd.readouterr()
    files = contents(tmp_path)
    assert files
    assert canaries.hits(logged) == []
    assert canaries.hits(canaries.shown) == []
    assert canaries.hits([out, err]) == []
    assert canaries.hits(files) == []


def contents(folder: Path) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]


async def _one_missed(scene: Scene, places: Path) -> AsyncIterator[Cdr]:
    scene.world.history.add(customer="+97150000009", agent=scene.world.agent("0011"), ring=5.0, result="no-answer")
    store = SqlitePlaces(places)
    feed = scene.ziwo.calls.missed(since=datetime(2020, 1, 1, tzinfo=UTC), store=store)
    async for cdr in feed:
        yield cdr
        break

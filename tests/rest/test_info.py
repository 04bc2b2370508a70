"""What a server says beside its answer."""

from __future__ import annotations

import warnings

import pytest
from pydantic import SecretStr

from ziwo_async.errors import ApiWarning
from ziwo_async.rest.agents import AgentsResource
from ziwo_async.rest.cti import CtiResource
from ziwo_async.rest.envelope import Reply
from ziwo_async.rest.own_agent import OwnAgentResource
from ziwo_async.rest.session import SessionResource


async def test_a_message_is_a_warning_and_stands_on_the_result(kit, ziwo):
    ziwo.answers("GET", "/old", lambda: kit.ok({"x": 1}, message="deprecated,\n use /new", totalRecords=7))
    with pytest.warns(ApiWarning, match="GET /old: deprecated, use /new"):
        reply = await kit.transport(ziwo.url).request("GET", "/old")
    assert reply.content == {"x": 1}
    assert reply.warnings == ("deprecated, use /new",)
    assert reply.total == 7


async def test_numbers_and_states_are_no_warning(kit, ziwo):
    ziwo.answers("GET", "/list", lambda: kit.ok([], total="12", status="ok", limit=50, skip=0, order="~did"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = await kit.transport(ziwo.url).request("GET", "/list")
    assert (reply.warnings, reply.total) == ((), 12)


async def test_a_secret_in_a_message_is_not_repeated(kit, ziwo):
    transport = kit.transport(ziwo.url)
    await transport.login()
    token = next(iter(ziwo.tokens))
    ziwo.answers("GET", "/old", lambda: kit.ok({}, warnings=[f"your token {token} is old", 5, " "]))
    with pytest.warns(ApiWarning) as caught:
        await transport.request("GET", "/old")
    assert [str(item.message) for item in caught] == ["GET /old: your token *** is old"]


def test_all_messages_are_kept_in_order():
    reply = Reply(content=None, info={"warnings": ["a", "b"], "deprecated": "c", "total": 1}, status=200)
    assert reply.warnings == ("a", "b", "c")


async def test_a_typed_result_has_the_words_too(kit, ziwo):
    ziwo.answers("GET", "/profile", lambda: kit.ok(kit.PROFILE, deprecated="use /me"))
    ziwo.answers("GET", "/agents/channels/calls/listQueues", lambda: kit.ok([{"id": 1}, {"id": 2}], message="old"))
    transport = kit.transport(ziwo.url)
    with pytest.warns(ApiWarning, match="use /me"):
        profile = await SessionResource(transport).profile()
    assert profile.warnings == ("use /me",)
    with pytest.warns(ApiWarning, match="old"):
        queues = await OwnAgentResource(transport).queues()
    assert [queue.warnings for queue in queues] == [("old",), ("old",)]


async def test_a_result_without_words_has_nothing_of_it(kit, ziwo):
    ziwo.answers("GET", "/profile", lambda: kit.ok({"id": 1, "warnings": "the server's own field"}, total=1))
    profile = await SessionResource(kit.transport(ziwo.url)).profile()
    assert profile.warnings == ()
    assert profile.model_extra == {"warnings": "the server's own field"}


async def test_a_call_that_was_made_is_not_lost_where_warnings_are_errors(kit, ziwo, caplog):
    path = "/integrations/cti/agents/0011/call/1"
    ziwo.answers("POST", path, lambda: kit.ok({"callID": "c-1"}, message="deprecated"))
    cti = CtiResource(kit.transport(ziwo.url, api_key=SecretStr("CANARY-key")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call = await cti.call("0011", "1")
    assert (call.call_id, call.warnings) == ("c-1", ("deprecated",))
    assert f"POST {path}: deprecated" in caplog.text
    ziwo.answers("GET", "/profile", lambda: kit.ok(kit.PROFILE, message="deprecated"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ApiWarning):
            await SessionResource(kit.transport(ziwo.url)).profile()


@pytest.mark.parametrize(
    "ask",
    [
        lambda transport: transport.request("GET", "/profile"),
        lambda transport: SessionResource(transport).profile(),
        lambda transport: AgentsResource(transport).list().first(),
    ],
)
async def test_a_warning_points_at_the_code_that_asked(kit, ziwo, ask):
    for path in ("/profile", "/agent/agents"):
        ziwo.answers("GET", path, lambda: kit.ok({"id": 1}, message="deprecated"))
    transport = kit.transport(ziwo.url)
    with pytest.warns(ApiWarning) as caught:
        await ask(transport)
    assert caught[0].filename == __file__

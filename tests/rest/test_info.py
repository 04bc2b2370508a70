"""What a server says beside its answer."""

from __future__ import annotations

import warnings

import pytest

from ziwo_async.errors import ApiWarning
from ziwo_async.rest.envelope import Reply


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

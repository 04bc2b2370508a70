"""Call trackers: what is sent, what is read, and that nothing shows the secrets in them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from ziwo_async.errors import ApiError, BadArgument, ConfigError, DecodeError, Forbidden, NotFound
from ziwo_async.rest.models.tracker import CallTracker, CallTrackerLog, HookUrl, hide_addresses
from ziwo_async.rest.trackers import CallTrackersResource

# ZIWO's own example, as far as its page shows it.
DOCUMENTED = {
    "id": 1,
    "name": "CT",
    "startRequestURL": "http://127.0.0.1:7000/callTrackers/example/startCall",
    "endRequestURL": "http://127.0.0.1:7000/callTrackers/example/endCall",
    "startRequestAPIKey": None,
    "endRequestAPIKey": None,
    "startRequestTimeout": None,
    "endRequestTimeout": None,
}
START = "https://ct.example.com/start.php"
END = "https://CANARY-user:CANARY-pass@ct.example.com:8080/end.php"


@pytest.fixture
def trackers(kit, ziwo) -> CallTrackersResource:
    return CallTrackersResource(kit.transport(ziwo.url))


def takes(kit, ziwo, method: str, path: str, content: object = None) -> list[dict[str, str]]:
    """Let a route answer, and note the forms it gets; every field as often as it came."""
    forms: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        fields = await request.post()
        assert len(fields) == len(set(fields))
        forms.append({key: str(value) for key, value in fields.items()})
        return kit.ok({} if content is None else content)

    ziwo.on(method, path, handler)
    return forms


# --- reading --------------------------------------------------------------------------------------------------------


async def test_get_reads_the_documented_tracker(kit, ziwo, trackers):
    ziwo.answers("GET", "/admin/callTrackers/1", lambda: kit.ok(DOCUMENTED))
    tracker = await trackers.get(1)
    assert (tracker.id, tracker.name) == (1, "CT")
    assert tracker.start_url == HookUrl(DOCUMENTED["startRequestURL"])
    assert str(tracker.end_url) == DOCUMENTED["endRequestURL"]  # nothing to hide in it
    assert tracker.start_api_key is None
    assert tracker.start_timeout is None


async def test_a_list_of_one_object_is_a_list(kit, ziwo, trackers):
    ziwo.answers("GET", "/admin/callTrackers/", lambda: kit.ok(DOCUMENTED))
    assert [tracker.name for tracker in await trackers.list(page_size=1).all()] == ["CT"]


async def test_the_list_is_read_page_by_page_with_its_filters(kit, ziwo, trackers):
    queries: list[dict[str, str]] = []

    async def page(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        skip, limit = int(request.query["skip"]), int(request.query["limit"])
        return kit.ok([{"id": n, "name": f"ct-{n}"} for n in range(skip, min(skip + limit, 120))], totalRecords=120)

    ziwo.on("GET", "/admin/callTrackers/", page)
    found = await trackers.list(search="ct", order="~did").all()
    assert [tracker.id for tracker in found] == list(range(120))
    assert queries[0] == {"search": "ct", "order": "~did", "limit": "50", "skip": "0"}
    assert [query["skip"] for query in queries] == ["0", "50", "100"]
    assert "search" not in (await first_query(trackers, queries))


async def first_query(trackers, queries) -> dict[str, str]:
    queries.clear()
    await trackers.list().first()
    return queries[0]


async def test_a_tracker_hides_its_secrets_wherever_it_is_shown(kit, ziwo, trackers):
    content = {
        **DOCUMENTED,
        "startRequestURL": "https://CANARY-1:CANARY-2@ct.example.com:8080/start.php?key=CANARY-3#CANARY-4",
        "endRequestURL": ["https://CANARY-5@x"],
        "startRequestAPIKey": "CANARY-6",
        "endRequestAPIKey": 777123,
        "startRequestTimeout": 10000,
        "endRequestTimeout": "2500",
        "welcomePlayback": "",
        "createdAt": "2016-07-10T11:37:03.944Z",
        "voicemailURL": "ask https://CANARY-7:CANARY-8@vm.example.com/x?CANARY-9 or http://plain.example.com/y",
        "more": {"startRequestAPIKey": "CANARY-A", "list": ["ftp://CANARY-B@h"]},
    }
    ziwo.answers("GET", "/admin/callTrackers/1", lambda: kit.ok(content))
    tracker = await trackers.get(1)
    for shown in (
        repr(tracker), str(tracker), f"{tracker.start_url}", tracker.model_dump_json(by_alias=True),
        repr(tracker.model_dump()), repr(tracker.model_dump(mode="json")), repr(tracker.unreadable),
    ):  # fmt: skip
        assert "CANARY" not in shown
        assert "777123" not in shown
    assert str(tracker.start_url) == "https://***@ct.example.com:8080/start.php?***"
    assert tracker.start_url is not None
    assert tracker.start_url.get_secret_value() == content["startRequestURL"]
    assert tracker.start_api_key == SecretStr("CANARY-6")
    assert tracker.end_api_key == SecretStr("777123")
    assert tracker.end_url is None
    assert list(tracker.unreadable) == ["endRequestURL"]
    assert (tracker.start_timeout, tracker.end_timeout) == (timedelta(seconds=10), timedelta(seconds=2.5))
    assert tracker.created_at == datetime(2016, 7, 10, 11, 37, 3, 944000, tzinfo=UTC)
    assert tracker.model_extra is not None
    assert tracker.model_extra["voicemailURL"] == "ask https://***@vm.example.com/x?*** or http://plain.example.com/y"
    assert json.loads(tracker.model_dump_json(by_alias=True))["startRequestTimeout"] == 10000


@pytest.mark.parametrize("value", ["x", 1.5, {}, -1, 10**13, "1e3"])
async def test_a_time_limit_that_cannot_be_read_costs_no_tracker(kit, ziwo, trackers, value):
    ziwo.answers("GET", "/admin/callTrackers/1", lambda: kit.ok({**DOCUMENTED, "startRequestTimeout": value}))
    tracker = await trackers.get(1)
    assert tracker.start_timeout is None
    assert tracker.unreadable == {"startRequestTimeout": value}


@pytest.mark.parametrize("content", [{}, [], None, "text", {"id": 1}, {"name": "x"}, {"id": "a", "name": "x"}])
async def test_what_is_no_tracker(kit, ziwo, trackers, content):
    ziwo.answers("GET", "/admin/callTrackers/1", lambda: kit.ok(content))
    with pytest.raises(DecodeError):
        await trackers.get(1)


async def test_trackers_are_frozen_and_take_python_names():
    tracker = CallTracker(id=1, name="a", start_timeout=timedelta(seconds=3), start_url=HookUrl(START))
    assert tracker.model_dump(by_alias=True)["startRequestTimeout"] == 3000
    with pytest.raises(ValidationError):
        tracker.name = "b"


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://username:password@ct.example.com:8080/end.php", "https://***@ct.example.com:8080/end.php"),
        ("https://token@ct.example.com/", "https://***@ct.example.com/"),
        ("https://:password@ct.example.com/", "https://***@ct.example.com/"),
        ("https://a:b@c:d@ct.example.com/", "https://***@ct.example.com/"),
        ("https://ct.example.com/start.php?token=x", "https://ct.example.com/start.php?***"),
        ("http://[::1]:7000/start", "http://[::1]:7000/start"),
        # What cannot be taken apart for certain is not shown at all.
        ("https://username%3Apassword%40ct.example.com%3A8080/end.php", "**********"),
        ("https://user:pass/word@ct.example.com/", "**********"),
        ("https://user:12/34@ct.example.com/", "**********"),
        ("https://user:12?34@ct.example.com/", "**********"),
        ("https://user:12#34@ct.example.com/", "**********"),
        ("https://user:pass\\@ct.example.com/", "**********"),
        ("https:/user:pass@ct.example.com/", "**********"),
        ("user:pass@ct.example.com", "**********"),
        ("https://u:p@[::1/x", "**********"),
        ("https://u:p@h/\r\nx", "**********"),
        ("", "**********"),
    ],
)
def test_what_an_address_shows(address, shown):
    url = HookUrl(address)
    assert (str(url), repr(url)) == (shown, f"HookUrl({shown!r})")
    assert url.get_secret_value() == address


@given(st.text(alphabet="abz019:/@?#%.[]\\&= \n", max_size=20), st.sampled_from(["https://", "http://", "", "//"]))
def test_nothing_before_an_at_sign_is_ever_shown(text, scheme):
    url = HookUrl(f"{scheme}user:SECRET{text}@host/x")
    assert "SECRET" not in f"{url} {url!r}"
    assert "SECRET" not in str(hide_addresses(f"x {scheme or 'ftp://'}user:SECRET@host/{text}"))


# --- writing --------------------------------------------------------------------------------------------------------


async def test_create_sends_what_ziwos_example_sends(kit, ziwo, trackers):
    forms = takes(kit, ziwo, "POST", "/admin/callTrackers")
    made = await trackers.create(
        "calltracker-01", start_url=START, end_url=END, start_timeout=10, end_timeout=timedelta(seconds=10)
    )
    assert made is None  # the answer has none in it
    assert forms == [
        {
            "name": "calltracker-01",
            "startRequestURL": START,
            "startRequestAPIKey": "",
            "startRequestTimeout": "10000",
            "endRequestURL": END,
            "endRequestAPIKey": "",
            "endRequestTimeout": "10000",
            "welcomePlayback": "",
            "errorPlayback": "",
        }
    ]


async def test_create_with_everything(kit, ziwo, trackers):
    forms = takes(kit, ziwo, "POST", "/admin/callTrackers", {"id": 7, "startRequestURL": START})
    made = await trackers.create(
        "ct",
        start_url=HookUrl(START),
        end_url=END,
        start_api_key="CANARY-start",
        end_api_key=SecretStr("CANARY-end"),
        start_timeout=0.25,
        welcome_playback="hash1",
        error_playback="hash2",
        extra={"voicemail": True},
    )
    assert made is not None
    assert (made.id, made.name) == (7, "ct")
    form = forms[0]
    assert "endRequestTimeout" not in form
    assert (form["startRequestAPIKey"], form["endRequestAPIKey"]) == ("CANARY-start", "CANARY-end")
    assert (form["startRequestTimeout"], form["voicemail"]) == ("250", "true")
    assert (form["welcomePlayback"], form["errorPlayback"]) == ("hash1", "hash2")


async def test_a_creation_is_never_sent_twice(kit, ziwo, trackers):
    ziwo.answers("POST", "/admin/callTrackers", lambda: kit.failed(503, "later"))
    with pytest.raises(ApiError):
        await trackers.create("ct", start_url=START, end_url=END)
    assert ziwo.count("POST", "/admin/callTrackers") == 1


async def test_a_server_that_repeats_what_it_got_does_not_put_it_into_the_error(kit, ziwo, trackers):
    async def repeats(request: web.Request) -> web.Response:
        return kit.failed(400, " ".join(str(value) for value in (await request.post()).values()))

    ziwo.on("POST", "/admin/callTrackers", repeats)
    with pytest.raises(ApiError) as caught:
        await trackers.create("ct", start_url=START, end_url=END, start_api_key="CANARY-key")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "  "},
        {"start_url": ""},
        {"start_url": "CANARY-x"},
        {"start_url": "ftp://CANARY-x@h/"},
        {"end_url": "https://CANARY-u:CANARY-p@"},
        {"end_url": "https://CANARY-u:CANARY-p@h:99999/"},
        {"end_url": "https://h/\r\nX"},
        {"end_url": "https://h/a b"},
        {"start_timeout": 0},
        {"start_timeout": 0.0001},
        {"end_timeout": timedelta(seconds=-1)},
        {"end_timeout": float("inf")},
        {"end_timeout": float("nan")},
        {"extra": {"startRequestURL": "https://CANARY@x"}},
    ],
)
async def test_what_no_tracker_can_be_is_refused_before_anything_is_sent(ziwo, trackers, wrong):
    given = {"name": "ct", "start_url": START, "end_url": END, **wrong}
    with pytest.raises(BadArgument) as caught:
        await trackers.create(given.pop("name"), **given)
    assert "CANARY" not in str(caught.value)
    assert ziwo.seen == []


async def test_update_sends_only_what_is_given(kit, ziwo, trackers):
    forms = takes(kit, ziwo, "PUT", "/admin/callTrackers/1")
    await trackers.update(1, end_timeout=3, end_api_key="", welcome_playback="")
    await trackers.update(1, start_url=START, extra={"voicemail": "1"})
    assert forms == [
        {"endRequestTimeout": "3000", "endRequestAPIKey": "", "welcomePlayback": ""},
        {"startRequestURL": START, "voicemail": "1"},
    ]
    for nothing in ({}, {"extra": {}}, {"extra": {"x": None}}):
        with pytest.raises(BadArgument, match="nothing"):
            await trackers.update(1, **nothing)
    with pytest.raises(BadArgument, match="address"):
        await trackers.update(1, start_url="")
    assert len(forms) == 2


async def test_what_was_read_can_be_written_back(kit, ziwo, trackers):
    content = {**DOCUMENTED, "endRequestURL": END, "startRequestAPIKey": "CANARY-k", "startRequestTimeout": 1234}
    ziwo.answers("GET", "/admin/callTrackers/1", lambda: kit.ok(content))
    forms = takes(kit, ziwo, "PUT", "/admin/callTrackers/1")
    tracker = await trackers.get(1)
    await trackers.update(
        1, end_url=tracker.end_url, start_api_key=tracker.start_api_key, start_timeout=tracker.start_timeout
    )
    assert forms == [{"endRequestURL": END, "startRequestAPIKey": "CANARY-k", "startRequestTimeout": "1234"}]


@pytest.mark.parametrize("name", ["calltracker-01", 1, "a/b?c#d", "ä x", "..%2F"])
async def test_block_unblock_and_delete_by_id_or_name(kit, ziwo, trackers, name):
    for suffix in ("/block", "/unblock"):
        forms = takes(kit, ziwo, "PUT", f"/admin/callTrackers/{name}{suffix}")
        await (trackers.block if suffix == "/block" else trackers.unblock)(name)
        assert forms == [{}]
    await trackers.delete(name)
    assert ziwo.seen[-1] == ("DELETE", f"/admin/callTrackers/{name}")
    assert ziwo.raw_paths[-1].count("/") == 3  # one segment on the wire
    assert "?" not in ziwo.raw_paths[-1]


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb"])
async def test_a_name_that_would_lead_elsewhere(ziwo, trackers, name):
    for command in (trackers.block, trackers.unblock, trackers.delete):
        with pytest.raises(ConfigError):
            await command(name)
    assert ziwo.seen == []


async def test_errors_have_their_class(kit, ziwo, trackers):
    ziwo.answers("DELETE", "/admin/callTrackers/9", lambda: kit.failed(404, "No such call tracker"))
    ziwo.answers("PUT", "/admin/callTrackers/9/block", lambda: kit.failed(403, "no admin"))
    with pytest.raises(NotFound, match="No such call tracker"):
        await trackers.delete(9)
    with pytest.raises(Forbidden, match="no admin"):
        await trackers.block(9)


# --- logs and the test ----------------------------------------------------------------------------------------------


async def test_logs_are_asked_for_as_documented_and_read_to_the_end(kit, ziwo, trackers):
    queries: list[list[tuple[str, str]]] = []

    async def page(request: web.Request) -> web.Response:
        queries.append(list(request.query.items()))
        first, size = int(request.query["fetchStart"]), int(request.query["fetchStop"])
        return kit.ok([{"id": n, "url": f"https://CANARY:x@h/{n}"} for n in range(first, min(first + size, 120))])

    ziwo.on("GET", "/admin/callTrackers/logs", page)
    logs = trackers.logs(from_date=date(2015, 1, 1), to_date=date(2017, 1, 1), trackers=[1, 2])
    found = await logs.all()
    assert [(log.model_extra or {})["id"] for log in found] == list(range(120))
    assert sorted(queries[0]) == [
        ("callTrackers[]", "1"),
        ("callTrackers[]", "2"),
        ("fetchStart", "0"),
        ("fetchStop", "50"),
        ("fromDate", "2015-01-01"),
        ("toDate", "2017-01-01"),
    ]
    assert [dict(query)["fetchStart"] for query in queries] == ["0", "50", "100", "120"]
    assert "CANARY" not in repr(found)
    queries.clear()
    await trackers.logs().first()
    assert sorted(dict(queries[0])) == ["fetchStart", "fetchStop"]


async def test_logs_without_an_id_are_told_apart_by_what_they_say(kit, ziwo, trackers):
    rows = [{"when": 1, "status": 200}, {"when": 2, "status": 200}, {"when": 1, "status": 200}]
    ziwo.answers("GET", "/admin/callTrackers/logs", lambda: kit.ok(rows))
    assert [(log.model_extra or {})["when"] for log in await trackers.logs().all()] == [1, 2]


def test_a_log_is_open_data_with_its_secrets_hidden():
    log = CallTrackerLog.model_validate(
        {"request": {"url": "https://CANARY:1@h/x", "headers": {"X-API-KEY": "CANARY-2", "api_key": "CANARY-3"}}}
    )
    assert log.model_extra is not None
    assert log.model_extra["request"]["url"] == "https://***@h/x"
    assert "CANARY-3" not in repr(log)


async def test_logs_of_a_time_that_runs_backwards(ziwo, trackers):
    with pytest.raises(BadArgument):
        trackers.logs(from_date=date(2017, 1, 1), to_date=date(2015, 1, 1))
    trackers.logs(from_date=datetime(2017, 1, 1, 9, tzinfo=UTC), to_date=date(2017, 1, 1))  # the same day
    assert ziwo.seen == []


async def test_the_test_of_a_tracker_gives_what_the_server_says(kit, ziwo, trackers):
    forms = takes(kit, ziwo, "PUT", "/admin/callTrackers/2/test", {"start": {"url": END, "status": 200}, "end": None})
    assert await trackers.test(2) == {
        "start": {"url": "https://***@ct.example.com:8080/end.php", "status": 200},
        "end": None,
    }
    assert forms == [{}]


# --- against the simulator ------------------------------------------------------------------------------------------


async def test_the_life_of_a_tracker(kit, ziwo, ziwo_world, ziwo_client):
    async def rules(request: web.Request) -> web.Response:
        assert request.headers["X-API-KEY"] == "CANARY-start"
        return kit.ok({"didCalled": "061234567", "rules": []})

    ziwo.on("POST", "/start.php", rules)
    ziwo.answers("POST", "/end.php", lambda: kit.failed(503, "asleep"))
    trackers = ziwo_client.trackers
    with_user = ziwo.url.replace("://", "://CANARY-user:CANARY-pass@")
    made = await trackers.create(
        "ct 01/a",
        start_url=f"{ziwo.url}/start.php",
        end_url=f"{with_user}/end.php",
        start_api_key="CANARY-start",
        start_timeout=5,
    )
    assert made is not None
    assert made.start_timeout == timedelta(seconds=5)
    ziwo_world.add_tracker("other")
    assert [t.name for t in await trackers.list(page_size=1, order="~name").all()] == ["other", "ct 01/a"]
    await trackers.update(made.id, end_timeout=2)
    again = await trackers.get(made.id)
    assert again.end_timeout == timedelta(seconds=2)
    assert again.end_url is not None
    assert again.end_url.get_secret_value() == f"{with_user}/end.php"  # what was not sent stayed
    await trackers.block("ct 01/a")
    assert (await trackers.get(made.id)).status == "blocked"
    await trackers.unblock("ct 01/a")
    assert (await trackers.get(made.id)).status == "active"

    told = await trackers.test(made.id)
    assert isinstance(told, dict)
    assert ("POST", "/start.php") in ziwo.seen
    assert ("POST", "/end.php") in ziwo.seen
    logs = [log.model_extra or {} for log in await trackers.logs(trackers=[made.id], page_size=1).all()]
    assert [(log["type"], log["status"]) for log in logs] == [("end", 503), ("start", 200)]
    assert "CANARY" not in f"{told} {logs}"

    await trackers.delete("ct 01/a")
    with pytest.raises(NotFound):
        await trackers.get(made.id)
    with pytest.raises(ApiError):
        await trackers.create("other", start_url=START, end_url=END)

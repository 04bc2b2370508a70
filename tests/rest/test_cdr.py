"""CDRs: every known field, the three families of times, results in any spelling, and what must stay hidden."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziwo_async.errors import DecodeError
from ziwo_async.events import Direction
from ziwo_async.rest.envelope import Reply
from ziwo_async.rest.models.base import parse
from ziwo_async.rest.models.cdr import CallResult, Cdr

START = datetime(2026, 3, 10, 12, 0, 0, tzinfo=UTC)

END_CALL = {
    "callID": "fdf893f5-ff46-44a9-ac63-7491e7b09dce",
    "answeredRawTime": 1468150607,
    "hangupBy": "originatee",
    "audioQuality": "100",
    "duration": 28,
    "createdAt": "2016-07-10T11:37:03.944Z",
    "callerIDName": "044508146",
    "recordingFile": "fdf893f5-ff46-44a9-ac63-7491e7b09dce.mp3",
    "direction": "inbound",
    "updatedAt": "2016-07-10T11:37:03.944Z",
    "callerIDNumber": "044508146",
    "endRawTime": 1468150623,
    "endDateTime": "2016-07-10T11:37:03.000Z",
    "holdTime": 0,
    "startRawTime": 1468150595,
    "callLegSide": "unknown",
    "hangupCause": "NORMAL_CLEARING",
    "disposition": "ANSWER",
    "agentCCLogin": "unknown",
    "startDateTime": "2016-07-10T11:36:35.000Z",
    "answeredDateTime": "2016-07-10T11:36:47.000Z",
    "didCalled": "061234567",
    "channelName": "sofia/internal/0044508146",
    "position": "0505874603",
    "gateway": "external",
    "status": "active",
    "id": "46:5196",
    "version": "3",
    "extendedInfo": {"numbers": {"linkData": "callTracker-01", "linkType": "callTracker", "id": "19:8278"}},
    "callFlows": [
        {
            "callID": "fdf893f5-ff46-44a9-ac63-7491e7b09dce",
            "transfered": False,
            "extensionName": "general_incoming",
            "createdAt": "2016-07-10T11:37:03.953Z",
            "extensionNumber": "061234567",
            "step": 1,
            "hangup": True,
            "updatedAt": "2016-07-10T11:37:03.953Z",
            "status": "active",
            "id": "50:2071",
            "version": "2",
        }
    ],
}

FIELDS = """id callID direction result disposition hangupCause hangupBy startedAt answeredAt endedAt startDateTime
    answeredDateTime endDateTime startRawTime answeredRawTime endRawTime duration talkTime ringTime queueTalkTime
    queueWaitTime agentWaitTime holdTime ivrTime callerIDName callerIDNumber didCalled channelName agentId
    agentCCLogin agentRingStartedAt agentRingStartDateTime queueId queueName queueEnteredAt queueEnterDateTime
    queueAnsweredAt queueAnsweredDateTime position positionId numberId gateway otherSideUserId customerId
    recordingFile voicemail lostInIVR nonWorkingHours nonFCRRepeats flags audioQuality ivrFile status createdAt
    updatedAt version extendedInfo emotions callFlows tags notes customer agent"""


def cdr(**fields: object) -> Cdr:
    return Cdr.model_validate({"id": 1, **fields})


def test_the_documented_end_call():
    call = Cdr.model_validate(END_CALL)
    assert call.id == "46:5196"
    assert call.key == call.call_id == "fdf893f5-ff46-44a9-ac63-7491e7b09dce"
    assert call.start == datetime(2016, 7, 10, 11, 36, 35, tzinfo=UTC)
    assert call.answered_raw_time == datetime(2016, 7, 10, 11, 36, 47, tzinfo=UTC)
    assert call.duration == timedelta(seconds=28)
    assert call.hold_time == timedelta()
    assert call.audio_quality == 100
    assert call.answered
    assert not call.missed
    assert call.customer_number == "044508146"
    assert call.call_flows[0].extension_name == "general_incoming"
    assert call.call_flows[0].transfered is False
    assert call.unreadable == {}
    assert call.model_extra == {}  # every field of the documented example has a name


def test_every_field_of_the_history_has_a_name():
    names = FIELDS.split()
    assert set(names) - {field.alias for field in Cdr.model_fields.values()} == set()


def test_a_record_of_the_history_with_its_datasets():
    call = cdr(
        callID="c",
        agentCCLogin="0011",
        customerId="c-1",
        tags=[{"id": 1}],
        notes=[],
        customer={"id": 55, "firstName": "Ada", "extra": 1},
        agent={"id": 7, "ccLogin": "0011", "ccPassword": "CANARY-1"},
        emotions={"chunks": {"0": {"anger": 0.25}}, "full": {"happiness": 0.5, "error": None}},
        lostInIVR=True,
        nonFCRRepeats=2,
    )
    assert call.customer is not None
    assert call.customer.id == "55"
    assert call.agent is not None
    assert call.agent.cc_login == "0011"
    assert call.emotions is not None
    assert call.emotions.chunks[0].anger == 0.25
    assert call.emotions.full is not None
    assert call.emotions.full.happiness == 0.5
    assert (call.lost_in_ivr, call.non_fcr_repeats) == (True, 2)
    assert "CANARY" not in repr(call)
    assert "CANARY" not in call.model_dump_json()


@pytest.mark.parametrize("nothing", [[], {}, None, ""])
def test_nothing_where_something_is_expected(nothing):
    call = cdr(emotions=nothing, callFlows=nothing, customer=nothing, agent=nothing, startedAt=None, talkTime=None)
    assert (call.emotions, call.call_flows, call.customer, call.agent) == (None, (), None, None)
    assert call.unreadable == {}


def test_the_passwords_of_snapshots_are_hidden():
    info = {
        "agents": {"ccPassword": "CANARY-1", "ccLogin": "0011"},
        "positions": [{"agent": {"ccPassword": "CANARY-2"}}],
        "queues": {"agents": [{"ccPassword": 33377}]},
    }
    call = cdr(extendedInfo=info)
    for shown in (repr(call), str(call), call.model_dump_json(), json.dumps(call.model_dump(mode="json"))):
        assert "CANARY" not in shown
        assert "33377" not in shown
    assert call.extended_info["agents"]["ccLogin"] == "0011"


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("startedAt", "answeredAt", "endedAt"), "2026-03-10T12:00:00.000Z"),
        (("startDateTime", "answeredDateTime", "endDateTime"), "2026-03-10T12:00:00Z"),
        (("startRawTime", "answeredRawTime", "endRawTime"), int(START.timestamp())),
        (("startRawTime", "answeredRawTime", "endRawTime"), str(int(START.timestamp()))),
        (("startedAt", "answeredAt", "endedAt"), "2026-03-10T16:00:00+04:00"),
        (("startedAt", "answeredAt", "endedAt"), "2026-03-10 12:00:00"),
    ],
)
def test_each_family_of_times(names, found):
    call = cdr(**dict.fromkeys(names, found))
    assert (call.start, call.answer, call.end) == (START, START, START)
    assert call.start is not None
    assert call.start.tzinfo is UTC


def test_the_first_family_wins():
    call = cdr(startedAt="2026-03-10T12:00:00Z", startDateTime="2026-03-10T12:00:01Z", startRawTime=5)
    assert call.start == START
    assert call.start_date_time == START + timedelta(seconds=1)


@pytest.mark.parametrize("zero", [0, "0", None, ""])
def test_a_raw_time_of_zero_is_none(zero):
    call = cdr(answeredRawTime=zero)
    assert call.answer is None
    assert call.unreadable == {}


# --- results --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["no-answer", "NO-ANSWER", "No Answer", "no_answer", "noanswer", " No--Answer "])
def test_results_in_any_spelling(text):
    call = cdr(result=text)
    assert call.result is CallResult.NO_ANSWER
    assert call.result_text == text
    assert Cdr.model_validate_json(call.model_dump_json(by_alias=True)) == call


def test_a_result_that_is_not_known_stays():
    call = cdr(result="Teleported")
    assert call.result is not None
    assert call.result == "Teleported"
    assert call.result not in list(CallResult)
    assert call.result_text == "Teleported"


@given(st.text())
def test_any_result_is_read(text):
    assert cdr(result=text).result_text == text


@pytest.mark.parametrize("member", list(CallResult))
def test_every_known_result(member):
    assert cdr(result=member.value).result is member
    assert cdr(result=member).result is member
    assert cdr(result=member.value.upper().replace("-", " ")).result is member


@pytest.mark.parametrize(
    ("fields", "answered", "missed"),
    [
        ({"direction": "inbound", "result": "answered"}, True, False),
        ({"direction": "inbound", "result": "Answered"}, True, False),
        ({"direction": "inbound", "result": "no-answer"}, False, True),
        ({"direction": "inbound", "result": "cancel"}, False, True),
        ({"direction": "inbound", "result": "unheard of"}, False, True),
        ({"direction": "Inbound", "result": "busy"}, False, True),
        ({"direction": "inbound", "result": "answered", "voicemail": True}, False, True),
        ({"direction": "inbound", "voicemail": True, "answeredAt": "2026-03-10T12:00:00Z"}, False, True),
        ({"direction": "inbound", "result": "no-answer", "answeredAt": "2026-03-10T12:00:00Z"}, False, True),
        ({"direction": "inbound", "answeredAt": "2026-03-10T12:00:00Z"}, True, False),
        ({"direction": "inbound"}, False, True),
        ({"direction": "outbound", "result": "no-answer"}, False, False),
        ({"direction": "internal", "result": "no-answer"}, False, False),
        ({"direction": "service", "result": "no-answer"}, False, False),
        ({"result": "no-answer"}, False, False),
    ],
)
def test_answered_and_missed(fields, answered, missed):
    call = cdr(**fields)
    assert (call.answered, call.missed) == (answered, missed)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("inbound", "caller"), ("outbound", "dialled"), ("internal", None), ("service", None), (None, None), ("x", None)],
)
def test_the_customers_number(direction, expected):
    assert cdr(direction=direction, callerIDNumber="caller", didCalled="dialled").customer_number == expected


# --- ids and broken records -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("record", "key"), [({"callID": "a"}, "a"), ({"callID": ""}, "#1"), ({}, "#1")])
def test_the_key(record, key):
    assert cdr(**record).key == key


@pytest.mark.parametrize("number", [46, "46:5196", "46"])
def test_the_number_of_a_record_stays_as_it_is(number):
    assert cdr(id=number).id == number
    assert type(cdr(id=number).id) is type(number)


@pytest.mark.parametrize("record", [{}, {"id": None}, {"id": 1, "callID": {}}, {"id": 1, "direction": 5}])
def test_a_record_that_would_mislead_is_refused(record):
    with pytest.raises(DecodeError):
        parse(Cdr, Reply(content=record, info={}, status=200), method="GET", path="/x")


def test_a_field_of_another_type_does_not_cost_the_record():
    content = {"id": 1, "talkTime": "long", "startedAt": "yesterday", "flags": {}, "callFlows": [5]}
    call = parse(Cdr, Reply(content=content, info={}, status=200), method="GET", path="/x")
    assert (call.talk_time, call.started_at, call.flags, call.call_flows) == (None, None, None, ())
    assert call.unreadable == {"talkTime": "long", "startedAt": "yesterday", "flags": {}, "callFlows": [5]}


def test_directions_are_those_of_events():
    assert cdr(direction="internal").direction is Direction.INTERNAL
    assert str(cdr(direction="sideways").direction) == "sideways"

"""The params of every method: read with tolerance, written exactly as mod_verto takes them."""

from __future__ import annotations

from typing import Any

import pytest

from ziwo_async.verto import messages as m
from ziwo_async.verto import params as p

NEEDS_CALL_ID = [m.Invite, m.Attach, m.Media, m.Answer, m.Display, m.Bye, m.Pickup, m.SendToAgentOnCall]


@pytest.mark.parametrize("message", NEEDS_CALL_ID)
@pytest.mark.parametrize("call_id", [None, "", 5, ["a"], {}])
def test_a_message_about_a_call_is_malformed_without_the_call_id(message: Any, call_id: object) -> None:
    with pytest.raises(m.MalformedMessage, match=r"verto\.\w+ without a callID"):
        message.read({} if call_id is None else {"callID": call_id})


@pytest.mark.parametrize("message", [m.Invite, m.Attach])
def test_an_offered_call_needs_no_more_than_its_id(message: Any) -> None:
    assert message.read({"callID": "a"}) == ("a", "", "", "", "", "", "", {}, {})


@pytest.mark.parametrize("message", [m.Invite, m.Attach])
def test_an_offered_call_tells_its_parties_its_headers_and_its_own_variables(message: Any) -> None:
    read = message.read({
        "callID": "a", "sdp": "v=0", "caller_id_name": "Sales", "caller_id_number": "+971", "callee_id_name": 5,
        "callee_id_number": "agent-0011", "display_direction": "outbound",
        "verto_h_primaryCallID": "p", "Verto_H_Crm": 7, "verto_x": "no",
        "variables": {"verto_svar_a": True, "Event-Name": "CHANNEL_DATA", "FreeSWITCH-IPv4": "10.0.0.1"},
    })  # fmt: skip
    assert read == message(
        "a", "v=0", "Sales", "+971", "", "agent-0011", "outbound",
        {"verto_h_primaryCallID": "p", "Verto_H_Crm": "7"}, {"verto_svar_a": "True"},
    )  # fmt: skip


def test_a_server_that_invents_names_is_read_right_and_does_not_make_the_process_grow() -> None:
    for number in range(3):
        names = {f"verto_h_{number}_{index}": index for index in range(2_000)}
        others = {f"x_{number}_{index}": index for index in range(2_000)}
        read = m.Invite.read({"callID": "a", **names, **others})
        assert read.headers == {name: str(index) for name, index in names.items()}
    caches = [value for value in vars(m).values() if isinstance(value, dict) and hasattr(type(value), "__missing__")]
    assert all(len(cache) <= 2_000 for cache in caches)


def test_mistyped_variables_are_no_variables() -> None:
    assert m.Media.read({"callID": "a", "sdp": 5, "variables": ["x"]}) == m.Media("a", "", {})
    assert m.Answer.read({"callID": "a", "variables": {"verto_svar_a": "1"}}) == m.Answer(
        "a", "", {"verto_svar_a": "1"}
    )


def test_a_display_tells_the_party_and_later_headers() -> None:
    read = m.Display.read({"callID": "a", "display_name": "Bob", "display_number": "55", "verto_h_y": "z"})
    assert read == m.Display("a", "Bob", "55", {"verto_h_y": "z"})


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (16, 16), (806, 806), ("17", 17), (16.0, 16), (None, None), (True, None), ("x", None), ("-1", None),
        ("²", None), ([], None), (1e308, int(1e308)), ("9" * 18, 10**18 - 1), ("9" * 19, None),
    ],
)  # fmt: skip
def test_cause_codes_are_read_from_numbers_and_digits(code: object, number: int | None) -> None:
    assert m.Bye.read({"callID": "a", "cause": "X", "causeCode": code}) == m.Bye("a", "X", number)


@pytest.mark.parametrize("code", [pytest.param("9" * 5_000, id="digits"), float("inf"), float("-inf")])
def test_an_absurd_cause_code_is_no_code_and_no_crash(code: object) -> None:
    assert m.Bye.read({"callID": "a", "causeCode": code}).cause_code is None


@pytest.mark.parametrize(
    ("params", "listed"),
    [
        ({"reattached_sessions": ["a", 5, "b", None]}, ("a", "b")),
        ({"reattached_session": ["a"]}, ("a",)),
        ({"reattached_sessions": "abc"}, ()),
        ({}, ()),
    ],
)
def test_client_ready_lists_call_ids(params: dict[str, Any], listed: tuple[str, ...]) -> None:
    assert m.ClientReady.read(params).reattached_sessions == listed


def test_info_is_a_chat_message_or_real_time_text_or_nothing() -> None:
    msg = {"body": "hi", "from": "a@x", "to": "b@x", "from_user": "a"}
    assert m.Info.read({"msg": msg}) == m.Info("", "hi", "a@x", "b@x")
    assert m.Info.read({"callID": "c", "txt": {"chars": "h"}}) == m.Info("c", "h", "", "")
    assert m.Info.read({"msg": "hi", "txt": "hi"}) == m.Info("", "", "", "")


def test_the_small_messages_are_read_as_the_server_writes_them() -> None:
    assert m.Ping.read({"serno": 1795366551, "auth-expires": "1795369023"}) == m.Ping(1795366551, 1795369023)
    assert m.Punt.read({}) == m.Punt()
    assert m.Announce.read({"msg": ["hello", "everybody", 5]}) == m.Announce("hello everybody 5")
    assert m.Announce.read({"msg": "hello"}) == m.Announce("hello")
    assert m.Announce.read({}) == m.Announce("")
    assert m.Prompt.read({"callID": "a", "type": "dtmf", "text": "?", "regex": "."}) == m.Prompt("a", "dtmf", "?", ".")
    assert m.MediaParams.read({"callID": "a", "mediaParams": {"x": 1}}) == m.MediaParams("a", {"x": 1})
    event = {"eventChannel": "presence", "data": {"a": 1}, "eventSerno": 0, "subscribedChannel": "presence"}
    assert m.PubSubEvent.read(event) == m.PubSubEvent("presence", {"a": 1}, 0)


def test_the_messages_of_ziwo_are_read_and_leaked_members_are_left_out() -> None:
    assert m.Pickup.read({"callID": "a"}) == m.Pickup("a")
    assert m.Dial.read({"number": "+1 555 123", "uuid": "call_42"}) == m.Dial("+1 555 123", "call_42")
    assert m.Send.read({"data": {"event": "popup"}, "position_name": "agent-0011"}) == m.Send({"event": "popup"})
    assert m.SendToAgentOnCall.read({"callID": "a", "data": {"b": 1}}) == m.SendToAgentOnCall("a", {"b": 1})


@pytest.mark.parametrize("data", [[1], "text", None])
@pytest.mark.parametrize("message", [m.Send, m.SendToAgentOnCall])
def test_application_data_are_an_object_as_the_server_demands(message: Any, data: object) -> None:
    with pytest.raises(m.MalformedMessage, match="without an object as data"):
        message.read({"callID": "a", "data": data})


@pytest.mark.parametrize("params", [{}, {"number": "1"}, {"uuid": "a"}, {"number": "", "uuid": "a"}, {"number": 1}])
def test_a_wish_to_dial_needs_number_and_uuid(params: dict[str, Any]) -> None:
    with pytest.raises(m.MalformedMessage, match="without a number or a uuid"):
        m.Dial.read(params)


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_login_carries_variables_only_when_there_are_some() -> None:
    plain = p.login_params(login="agent-0011", password_hash="h", sessid="s")
    assert plain == {"login": "agent-0011", "passwd": "h", "sessid": "s"}
    more = p.login_params(login="agent-0011", password_hash="h", sessid="s", user_variables={"crm": "1"})
    assert more == {**plain, "userVariables": {"crm": "1"}}


def test_an_invite_names_the_number_and_may_forbid_recovery() -> None:
    dialog = {
        "callID": "a",
        "destination_number": "55",
        "remote_caller_id_name": "Outbound Call",
        "remote_caller_id_number": "55",
    }
    plain = p.invite_params(call_id="a", number="55", sdp="v=0", sessid="s")
    assert plain == {"sdp": "v=0", "dialogParams": dialog, "sessid": "s"}
    full = p.invite_params(call_id="a", number="55", sdp="v=0", sessid="s", user_variables={"vip": True}, recover=False)
    assert full["dialogParams"] == {**dialog, "userVariables": {"vip": True}, "recoverCall": False}


def test_the_other_requests_put_the_call_id_into_dialog_params_and_the_rest_beside_it() -> None:
    dialog = {"callID": "a"}
    answer = {"sdp": "v=0", "dialogParams": dialog, "sessid": "s"}
    assert p.answer_params(call_id="a", sdp="v=0", sessid="s") == answer
    assert p.attach_params(call_id="a", sdp="v=0", sessid="s") == answer
    bye = {"dialogParams": dialog, "cause": "USER_BUSY", "sessid": "s"}
    assert p.bye_params(call_id="a", cause="USER_BUSY", cause_code=None, sessid="s") == bye
    assert p.bye_params(call_id="a", cause="USER_BUSY", cause_code=17, sessid="s") == {**bye, "causeCode": 17}
    transfer = {"action": "transfer", "dialogParams": dialog, "destination": "55", "sessid": "s"}
    assert p.modify_params(call_id="a", action="transfer", sessid="s", destination="55") == transfer
    assert p.dtmf_params(call_id="a", digits="12#", sessid="s") == {
        "dtmf": "12#",
        "dialogParams": dialog,
        "sessid": "s",
    }
    to_call = {"action": "setVariables", "dialogParams": {**dialog, "userVariables": {"k": "v"}}, "sessid": "s"}
    assert p.send_to_call_params(call_id="a", variables={"k": "v"}, sessid="s") == to_call


def test_messages_and_channels_are_written_as_the_server_takes_them() -> None:
    text = {"msg": {"to": "b", "body": "hi", "from": "a"}, "sessid": "s"}
    assert p.text_params(to="b", body="hi", sender="a", sessid="s") == text
    assert p.subscribe_params(channels=("x", "y"), sessid="s") == {"eventChannel": ["x", "y"], "sessid": "s"}
    cast = {"eventChannel": "x", "data": {"a": 1}, "localBroadcast": True, "sessid": "s"}
    assert p.broadcast_params(channel="x", data={"a": 1}, sessid="s") == cast

"""The bytes both benchmark sides read: inbound calls of six frames each, as a FreeSWITCH sends them."""

from __future__ import annotations

import json
import random
import uuid

FRAMES_PER_CALL = 6
_TOGETHER = 10

_SDP = "\r\n".join(
    [
        "v=0",
        "o=FreeSWITCH 1795337525 1795337526 IN IP4 198.51.100.7",
        "s=FreeSWITCH",
        "c=IN IP4 198.51.100.7",
        "t=0 0",
        "a=msid-semantic: WMS {mark}",
        "m=audio {port} RTP/SAVPF 102 0 8 103 101",
        "a=rtpmap:102 opus/48000/2",
        "a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:103 telephone-event/48000",
        "a=fmtp:103 0-15",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=silenceSupp:off - - - -",
        "a=ptime:20",
        "a=sendrecv",
        "a=fingerprint:sha-256 3D:FB:61:B8:BF:2E:D2:6F:41:88:C2:F1:B9:EC:71:3E:85:EF:93:EC:72:10:79:D8:D7:AB:87:42",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=rtcp:{port} IN IP4 198.51.100.7",
        "a=ice-ufrag:{mark}",
        "a=ice-pwd:{mark}{mark}",
        "a=candidate:6303309279 1 udp 2130706431 198.51.100.7 {port} typ host generation 0",
        "a=candidate:6303309279 2 udp 2130706430 198.51.100.7 {port} typ host generation 0",
        "a=end-of-candidates",
        "a=ssrc:2668039797 cname:{mark}",
        "a=ssrc:2668039797 msid:{mark} a0",
        "a=ssrc:2668039797 mslabel:{mark}",
        "a=ssrc:2668039797 label:{mark}a0",
        "",
    ]
)
_VARIABLES = {
    "Event-Name": "CHANNEL_DATA",
    "Core-UUID": "9e488d7c-cf3d-4039-8c06-de14ff60d96b",
    "FreeSWITCH-Hostname": "pbx",
    "FreeSWITCH-Switchname": "pbx",
    "FreeSWITCH-IPv4": "198.51.100.7",
    "Event-Date-Local": "2026-11-22 17:28:29",
    "Event-Date-GMT": "Sun, 22 Nov 2026 17:28:29 GMT",
    "Event-Date-Timestamp": "1795368509690558",
    "Event-Calling-File": "mod_verto.c",
    "Event-Sequence": "462",
}


def frames(calls: int) -> list[bytes]:
    """Make the frames of so many calls, about ten of them interleaved.

    Args:
        calls: How many calls.
    """
    rng = random.Random(7)
    serial = iter(range(1, calls * FRAMES_PER_CALL + 1))
    waiting = [_call(rng, number) for number in range(calls)]
    live: list[list[dict[str, object]]] = []
    found: list[bytes] = []
    while waiting or live:
        while waiting and len(live) < _TOGETHER:
            live.append(waiting.pop())
        chosen = rng.randrange(len(live))
        method = live[chosen].pop(0)
        found.append(json.dumps({"jsonrpc": "2.0", "id": next(serial), **method}, separators=(",", ":")).encode())
        if not live[chosen]:
            del live[chosen]
    return found


def _call(rng: random.Random, number: int) -> list[dict[str, object]]:
    call_id = str(uuid.UUID(int=rng.getrandbits(128)))
    mark = f"{rng.getrandbits(128):032x}"
    headers = {"verto_h_primaryCallID": str(uuid.UUID(int=rng.getrandbits(128)))}
    headers["verto_h_originalCallerIdNumber"] = f"+9715{number:08d}"
    headers |= {f"verto_h_x_header_{index}": f"value {rng.getrandbits(40):x}" for index in range(14)}
    party = {
        "caller_id_name": "Sales",
        "caller_id_number": f"+9715{number:08d}",
        "callee_id_name": "Outbound Call",
        "callee_id_number": "agent-5555",
        "display_direction": "outbound",
        **headers,
    }
    sdp = _SDP.format(mark=mark, port=rng.randrange(20_000, 40_000))
    display = {"callID": call_id, "display_name": "Sales", "display_number": f"+9715{number:08d}", **party}
    info = {"callID": call_id, "msg": {"from": "sales@acme.example", "to": "agent-5555", "body": f"note {number}"}}
    bye = {"callID": call_id, "causeCode": 16, "cause": "NORMAL_CLEARING"}
    return [
        {"method": "verto.invite", "params": {"callID": call_id, "variables": _VARIABLES, "sdp": sdp, **party}},
        {"method": "verto.display", "params": display},
        {"method": "verto.info", "params": info},
        {"method": "verto.display", "params": display},
        {"method": "verto.info", "params": info},
        {"method": "verto.bye", "params": bye},
    ]

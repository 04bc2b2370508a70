"""People, queues, numbers and call trackers as the API writes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...verto.frames import JsonObject

if TYPE_CHECKING:
    from ..customers import CustomerRecord
    from ..numbers import SimNumber
    from ..people import SimAgent
    from ..queues import SimQueue
    from ..statuses import SimStatus
    from ..trackers import SimTracker, TrackerLog

__all__ = [
    "agent_in_list",
    "agent_short",
    "customer",
    "iso",
    "live_info",
    "number",
    "queue",
    "status",
    "tracker",
    "tracker_log",
    "user",
]


def iso(epoch: float) -> str:
    """A time as the API writes it: ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(agent: SimAgent) -> JsonObject:
    """The user object of the login and the profile."""
    created = iso(agent.created_at)
    is_agent = agent.type == "agent"
    return {
        "id": agent.id,
        "firstName": agent.first_name,
        "lastName": agent.last_name,
        "username": agent.username,
        "status": "active",
        "type": agent.type,
        "photo": agent.photo,
        "roleId": 2 if is_agent else 1,
        "role": {
            "id": 2 if is_agent else 1,
            "name": "Agent" if is_agent else "Admin",
            "permissions": dict.fromkeys(sorted(agent.rights), True),
        },
        "lastLoginAt": created,
        "createdAt": created,
        "updatedAt": created,
        "contactNumber": None,
        "profileType": "users",
        "ccLogin": agent.ccLogin if is_agent else None,
        "ccPassword": agent.cc_password if is_agent else None,
        "wrapUpTime": 0,
        "noAnswerTimeout": 20,
        "noAnswerDelayTime": None,
        "roamingTimeout": 20,
        "roamingContactNumber": None,
        "outboundRoaming": False,
        "autoAnswer": False,
        "languageCode": agent.language_code,
        "countryCode": agent.country_code,
    }


def live_info(agent: SimAgent) -> JsonObject:
    """Presence; every value is a string (source: ZIWO's Android SDK)."""
    return {
        "callsAnswered": "0",
        "contactString": f"verto.rtc/{agent.position}",
        "lastBridgeEPOCH": "0",
        "lastStatusChangeEPOCH": "0",
        "lastUnBridgeEPOCH": "0",
        "noAnswerCount": "0",
        "position": agent.position,
        "state": "In a queue call" if agent.on_call else "Waiting",
        "status": agent.status,
        "talkTime": "0",
        "wrapUpTime": "0",
    }


def agent_short(agent: SimAgent) -> JsonObject:
    """An agent in the agents' own directory."""
    return {
        "id": agent.id,
        "firstName": agent.first_name,
        "lastName": agent.last_name,
        "ccLogin": agent.ccLogin,
        "username": agent.username,
    }


def agent_in_list(agent: SimAgent) -> JsonObject:
    """A user in the admins' directories: the profile without its secret half, with the presence."""
    row = {name: value for name, value in user(agent).items() if name != "ccPassword"}
    live = live_info(agent) if agent.type == "agent" else None
    return {**row, "plan": None, "internal": False, "liveInfo": live}


def queue(found: SimQueue, *, agents: bool = False) -> JsonObject:
    """A queue (source: official web client, Android SDK)."""
    created = iso(found.created_at)
    row: JsonObject = {
        "id": found.id,
        "name": found.name,
        "extension": found.extension,
        "announcementType": None,
        "callerIDNumber": None,
        "createdAt": created,
        "deletedAt": None,
        "enableCookies": False,
        "image": None,
        "language": "en",
        "maxWaitTime": 0,
        "moh": "",
        "nonWorkingHoursDID": "",
        "priority": 1,
        "status": "active",
        "strategyType": "top-down",
        "surveyRequired": False,
        "timeslots": "",
        "updatedAt": created,
        "urgentMessage": None,
        "waitTimeoutDID": "",
    }
    if agents:
        row["agents"] = [agent_short(agent) for agent in found.agents]
    return row


def number(found: SimNumber) -> JsonObject:
    """A number (source: official web client)."""
    created = iso(found.created_at)
    return {
        "id": found.id,
        "did": found.did,
        "didCalled": found.did,
        "didDisplay": found.display,
        "linkType": found.link_type,
        "linkData": found.link_name,
        "status": "active",
        "timeslots": [],
        "beyondTimeslotsLinkType": "",
        "beyondTimeslotsLinkData": None,
        "urgentMessage": None,
        "type": "did",
        "storage": {"originalName": "", "category": ""},
        "createdAt": created,
        "updatedAt": created,
        "deletedAt": None,
    }


def status(found: SimStatus) -> JsonObject:
    """A presence status."""
    return {"id": found.id, "name": found.name, "behaviour": found.behaviour, "enabled": found.enabled}


def tracker(found: SimTracker) -> JsonObject:
    """A call tracker. The page shows the fields up to endRequestTimeout; those after it are the simulator's guess."""
    return {
        "id": found.id,
        "name": found.name,
        "startRequestURL": found.fields["startRequestURL"],
        "endRequestURL": found.fields["endRequestURL"],
        "startRequestAPIKey": found.fields["startRequestAPIKey"],
        "endRequestAPIKey": found.fields["endRequestAPIKey"],
        "startRequestTimeout": found.fields["startRequestTimeout"],
        "endRequestTimeout": found.fields["endRequestTimeout"],
        "welcomePlayback": found.fields["welcomePlayback"],
        "errorPlayback": found.fields["errorPlayback"],
        "status": "blocked" if found.blocked else "active",
        "createdAt": iso(found.created_at),
        "updatedAt": iso(found.updated_at),
    }


def tracker_log(found: TrackerLog) -> JsonObject:
    """A request to a tracker's service; no source shows such a row."""
    return {
        "id": found.id,
        "callTrackerId": found.tracker_id,
        "callTrackerName": found.tracker_name,
        "type": found.kind,
        "callID": found.call_id,
        "url": found.url,
        "status": found.status,
        "error": found.error or None,
        "request": found.request,
        "response": found.response,
        "createdAt": iso(found.at),
    }


def customer(record: CustomerRecord, datasets: Collection[str] = ()) -> JsonObject:
    """A customer of the data base (source: ZIWO's Android SDK)."""
    created = iso(record.created_at)
    row: JsonObject = {
        "id": record.id,
        "firstName": record.first_name,
        "lastName": record.last_name,
        "title": record.title,
        "gender": record.gender,
        "phone": record.phone,
        "email": record.email,
        "dob": record.birthday,
        "hasOptedOutMarketing": False,
        "timezoneId": None,
        "tagsCount": len(record.tags),
        "createdAt": created,
        "updatedAt": created,
        "deletedAt": None,
    }
    if "tags" in datasets:
        row["tags"] = [{"id": index, "name": name} for index, name in enumerate(record.tags, 1)]
    if "notes" in datasets:
        row["notes"] = [{"id": index, "content": text} for index, text in enumerate(record.notes, 1)]
    return row

"""Resource: call trackers, which let an external service decide what becomes of an incoming call."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Hashable, Iterable
from datetime import date, timedelta
from typing import TypeAlias
from urllib.parse import urlsplit

from pydantic import JsonValue, SecretStr
from pydantic_core import to_json

from ..errors import BadArgument
from .auth import FormValue
from .envelope import Reply, as_object
from .models.base import parse
from .models.tracker import CallTracker, CallTrackerLog, HookUrl, hide_addresses
from .paging import PAGE_SIZE, Listing, pages
from .prepared import Form, segment
from .resource import Resource

__all__ = ["CallTrackersResource"]

_Limit: TypeAlias = timedelta | float
_Field: TypeAlias = FormValue | None
_PATH = "/admin/callTrackers"


class CallTrackersResource(Resource):
    """Call trackers: ZIWO asks an external service for the rules of an incoming call, and tells it when it ended."""

    def list(
        self, *, search: str | None = None, order: str | None = None, page_size: int = PAGE_SIZE
    ) -> Listing[CallTracker]:
        """Retrieve all the call trackers. Needs: an admin.

        (`GET /admin/callTrackers/`; source: ZIWO docs)

        Args:
            search: Keyword to filter by.
            order: Field to sort by; `~name` for the reverse.
            page_size: How many to ask for at a time; ZIWO allows 50.
        """
        return self._listing(
            CallTracker,
            f"{_PATH}/",
            key=lambda tracker: tracker.id,
            params={"search": search, "order": order},
            page_size=page_size,
        )

    async def get(self, tracker_id: int) -> CallTracker:
        """Retrieve a specific call tracker by id. Needs: an admin.

        (`GET /admin/callTrackers/{id}`; source: ZIWO docs)

        Args:
            tracker_id: Its number.

        Raises:
            NotFound: There is none.
        """
        return await self._one(CallTracker, "GET", f"{_PATH}/{segment(tracker_id)}")

    async def create(
        self,
        name: str,
        *,
        start_url: str | HookUrl,
        end_url: str | HookUrl,
        start_api_key: str | SecretStr | None = None,
        end_api_key: str | SecretStr | None = None,
        start_timeout: _Limit | None = None,
        end_timeout: _Limit | None = None,
        welcome_playback: str | None = None,
        error_playback: str | None = None,
        extra: Form | None = None,
    ) -> CallTracker | None:
        """Create a new call tracker. Never sent twice. Needs: an admin.

        As in ZIWO's example, API keys and playbacks that are not given are sent empty. A time limit that is not given
        is left out. (`POST /admin/callTrackers`; source: ZIWO docs)

        Args:
            name: Its name; it cannot be changed later.
            start_url: Asked during the start of a call; it answers with the rules. May hold `user:password@`.
            end_url: Told at the end of the call. May hold `user:password@`.
            start_api_key: Sent to the start address as `X-API-KEY`.
            end_api_key: Sent to the end address as `X-API-KEY`.
            start_timeout: How long to wait for the start address: a timedelta, or seconds. ZIWO gets milliseconds.
            end_timeout: How long to wait for the end address; likewise.
            welcome_playback: Storage hash of what is played when the call lands.
            error_playback: Storage hash of what is played when the start address fails.
            extra: Further fields, sent as they are. The switch for voicemail that ZIWO's page tells of has no known
                name.

        Returns:
            The new tracker. ZIWO's page shows no answer: None when there is no tracker in it.

        Raises:
            BadArgument: The name is empty, an address is none, a time limit is less than a millisecond, or `extra`
                repeats a field.
            DecodeError: The answer has a tracker that cannot be read; it may have been created.
        """
        # First of all, so that no frame of ours shows what is secret.
        start_url, end_url = _hook(start_url), _hook(end_url)
        start_api_key, end_api_key = _hidden(start_api_key or ""), _hidden(end_api_key or "")
        if not name.strip():
            raise BadArgument("a call tracker needs a name")
        form = _with_extra(
            {
                "name": name,
                "startRequestURL": _checked(start_url),
                "startRequestAPIKey": start_api_key,
                "startRequestTimeout": _milliseconds(start_timeout),
                "endRequestURL": _checked(end_url),
                "endRequestAPIKey": end_api_key,
                "endRequestTimeout": _milliseconds(end_timeout),
                "welcomePlayback": welcome_playback or "",
                "errorPlayback": error_playback or "",
            },
            extra,
        )
        reply = await self._transport.request("POST", _PATH, form=form)
        found = as_object(reply.content) or {}
        if "id" not in found:
            return None
        whole = Reply(content={"name": name, **found}, info=reply.info, status=reply.status)
        return parse(CallTracker, whole, method="POST", path=_PATH)

    async def update(
        self,
        tracker_id: int,
        *,
        start_url: str | HookUrl | None = None,
        end_url: str | HookUrl | None = None,
        start_api_key: str | SecretStr | None = None,
        end_api_key: str | SecretStr | None = None,
        start_timeout: _Limit | None = None,
        end_timeout: _Limit | None = None,
        welcome_playback: str | None = None,
        error_playback: str | None = None,
        extra: Form | None = None,
    ) -> None:
        """Update the call tracker by id. Only what is given is sent. Needs: an admin.

        ZIWO's example sends all eight fields, API keys and playbacks empty. That a field which is left out stays as it
        is, is likely but not documented: give all of them where it matters. An API key or playback that is an empty
        text is sent empty. (`PUT /admin/callTrackers/{id}`; source: ZIWO docs)

        Args:
            tracker_id: Its number.
            start_url: As for `create`.
            end_url: As for `create`.
            start_api_key: As for `create`; empty for none.
            end_api_key: As for `create`; empty for none.
            start_timeout: As for `create`.
            end_timeout: As for `create`.
            welcome_playback: As for `create`; empty for none.
            error_playback: As for `create`; empty for none.
            extra: As for `create`.

        Raises:
            BadArgument: Nothing is given, or as for `create`.
            NotFound: There is none.
        """
        start_url = None if start_url is None else _hook(start_url)
        end_url = None if end_url is None else _hook(end_url)
        start_api_key = None if start_api_key is None else _hidden(start_api_key)
        end_api_key = None if end_api_key is None else _hidden(end_api_key)
        form = _with_extra(
            {
                "startRequestURL": None if start_url is None else _checked(start_url),
                "startRequestAPIKey": start_api_key,
                "startRequestTimeout": _milliseconds(start_timeout),
                "endRequestURL": None if end_url is None else _checked(end_url),
                "endRequestAPIKey": end_api_key,
                "endRequestTimeout": _milliseconds(end_timeout),
                "welcomePlayback": welcome_playback,
                "errorPlayback": error_playback,
            },
            extra,
        )
        if all(value is None for value in form.values()):
            raise BadArgument("nothing is given to change")
        await self._transport.request("PUT", f"{_PATH}/{segment(tracker_id)}", form=form)

    async def block(self, id_or_name: int | str) -> None:
        """Block a call tracker by id or name. Needs: an admin.

        (`PUT /admin/callTrackers/{id}/block`; source: ZIWO docs)

        Args:
            id_or_name: Its number or name. ZIWO decides which of them a name of digits is.

        Raises:
            NotFound: There is none.
        """
        await self._transport.request("PUT", f"{_PATH}/{segment(id_or_name)}/block", form={})

    async def unblock(self, id_or_name: int | str) -> None:
        """Unblock a call tracker by id or name. Needs: an admin.

        (`PUT /admin/callTrackers/{id}/unblock`; source: ZIWO docs)

        Args:
            id_or_name: Its number or name.

        Raises:
            NotFound: There is none.
        """
        await self._transport.request("PUT", f"{_PATH}/{segment(id_or_name)}/unblock", form={})

    async def delete(self, id_or_name: int | str) -> None:
        """Delete a call tracker by id or name. Needs: an admin.

        (`DELETE /admin/callTrackers/{id}`; source: ZIWO docs)

        Args:
            id_or_name: Its number or name.

        Raises:
            NotFound: There is none.
        """
        await self._transport.request("DELETE", f"{_PATH}/{segment(id_or_name)}")

    def logs(
        self,
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        trackers: Iterable[int] = (),
        page_size: int = PAGE_SIZE,
    ) -> Listing[CallTrackerLog]:
        """Retrieve the logs of the requests to the trackers' services. Needs: an admin.

        Of the days, ZIWO does not document the time zone. (`GET /admin/callTrackers/logs`; source: ZIWO docs)

        Args:
            from_date: First day.
            to_date: Last day.
            trackers: Numbers of the trackers; none for all.
            page_size: How many to ask for at a time.

        Raises:
            BadArgument: The last day is before the first one.
        """
        if from_date is not None and to_date is not None and f"{to_date:%Y-%m-%d}" < f"{from_date:%Y-%m-%d}":
            raise BadArgument("to_date is before from_date")
        params = {
            "fromDate": None if from_date is None else f"{from_date:%Y-%m-%d}",
            "toDate": None if to_date is None else f"{to_date:%Y-%m-%d}",
            "callTrackers[]": [*trackers] or None,
        }

        async def records() -> AsyncIterator[CallTrackerLog]:
            async for page in pages(
                self._transport,
                CallTrackerLog,
                f"{_PATH}/logs",
                key=_log_key,
                params=params,
                size=page_size,
                style="fetch",
            ):
                for record in page:
                    yield record

        return Listing(records)

    async def test(self, tracker_id: int) -> JsonValue:
        """Test a call tracker: ZIWO makes requests to the start and end addresses with a dummy call. Needs: an admin.

        (`PUT /admin/callTrackers/{id}/test`; source: ZIWO docs)

        Args:
            tracker_id: Its number.

        Returns:
            The status of the test; ZIWO's page does not show its shape. Secrets in it are hidden, those in addresses
            too.

        Raises:
            NotFound: There is none.
        """
        reply = await self._transport.request("PUT", f"{_PATH}/{segment(tracker_id)}/test", form={})
        return hide_addresses(reply.content)


def _with_extra(fields: dict[str, _Field], extra: Form | None) -> Form:
    repeated = sorted(fields.keys() & (extra or {}).keys())
    if repeated:
        raise BadArgument(f"extra repeats {', '.join(repeated)}, for which there is an argument")
    return {**fields, **(extra or {})}


def _hidden(value: str | SecretStr) -> SecretStr:
    return SecretStr(value) if isinstance(value, str) else value


def _hook(value: str | HookUrl) -> HookUrl:
    return HookUrl(value) if isinstance(value, str) else value


def _checked(address: HookUrl) -> SecretStr:
    if not _is_address(address.get_secret_value()):
        raise BadArgument(f"the address {address} of a tracker's service is no http or https address")
    return SecretStr(address.get_secret_value())


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text


def _milliseconds(limit: _Limit | None) -> int | None:
    if limit is None:
        return None
    seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
    if not math.isfinite(seconds) or round(seconds * 1000) < 1:
        raise BadArgument(f"a time limit is at least a millisecond, not {seconds!r} seconds")
    return round(seconds * 1000)


def _log_key(log: CallTrackerLog) -> Hashable:
    """An id, if there is one; else all that the record says."""
    fields = log.model_extra or {}
    number = fields.get("id")
    return number if isinstance(number, (str, int)) else to_json(fields)

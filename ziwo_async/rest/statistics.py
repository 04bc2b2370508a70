"""Resource: statistics about agents and calls."""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import JsonValue

from ..errors import BadArgument, DecodeError
from .envelope import Reply
from .models.base import parse_rows
from .models.statistics import CallSummary, seconds_by_agent, seconds_by_status
from .prepared import Params
from .resource import Resource

__all__ = ["StatisticsResource"]


class StatisticsResource(Resource):
    """Numbers about agents and calls. Two of the three routes are known from one integrator only."""

    async def today_by_agent(self) -> dict[int, dict[str, timedelta]]:
        """Tell how long each agent had each status today: `found[agent.id]["On Break"]`; `"All"` is the sum.

        When the day begins is not documented. Needs: an admin. (`GET /statistics/resources/agents/by/agents`; source:
        Manager app)

        Raises:
            DecodeError: The answer is not keyed by agent id.
        """
        path = "/statistics/resources/agents/by/agents"
        reply = await self._transport.request("GET", path, params={"rollingDate": "today"})
        found = seconds_by_agent(reply.content)
        if found is None:
            raise DecodeError("the content is not keyed by agent id", status=reply.status, method="GET", path=path)
        return found

    async def agents(self, from_date: date | str, to_date: date | str) -> dict[str, timedelta]:
        """Tell how long agents had each status in some days, all agents together: `Available`, `LoggedOut`, `All`, ...

        Weak: the route and its answer are known from one integrator, and nobody else has verified them. The time zone
        of the days is not documented. Needs: an admin. (`GET /statistics/resources/agents/`; source: one unverified
        integrator: weak)

        Args:
            from_date: First day; a text is sent as it is (`YYYY-MM-DD`).
            to_date: Last day.

        Raises:
            BadArgument: The first day is after the last.
            DecodeError: The answer is no object.
        """
        path = "/statistics/resources/agents/"
        reply = await self._transport.request("GET", path, params=_days(from_date, to_date))
        found = seconds_by_status(reply.content)
        if found is None:
            raise DecodeError("the content is not an object", status=reply.status, method="GET", path=path)
        return found

    async def summary(
        self, from_date: date | str, to_date: date | str, *, breakdown: str | None = "date"
    ) -> list[CallSummary]:
        """Give sums over the calls of some days; what the server tells more is in `CallSummary.model_extra`.

        Weak: the route and its answer are known from one integrator, and nobody else has verified them. Whether one
        record comes, or one for each day, is not known: a single one becomes a list of one. Needs: an admin.
        (`GET /statistics/summary/`; source: one unverified integrator: weak)

        Args:
            from_date: First day; a text is sent as it is (`YYYY-MM-DD`).
            to_date: Last day.
            breakdown: What to group by; only `date` was seen. None sends no such parameter.

        Raises:
            BadArgument: The first day is after the last.
            DecodeError: The answer is not made of objects.
        """
        path = "/statistics/summary/"
        params = {**_days(from_date, to_date), "breakdown": breakdown}
        reply = await self._transport.request("GET", path, params=params)
        return parse_rows(CallSummary, _with_groups(reply), method="GET", path=path)


def _days(from_date: date | str, to_date: date | str) -> Params:
    days = [f"{day:%Y-%m-%d}" if isinstance(day, date) else day for day in (from_date, to_date)]
    if isinstance(from_date, date) and isinstance(to_date, date) and days[0] > days[1]:
        raise BadArgument(f"the first day, {days[0]}, is after the last, {days[1]}")
    return {"fromDate": days[0], "toDate": days[1]}


def _with_groups(reply: Reply) -> Reply:
    """Write the keys of an object of objects into its records, where they would be lost."""
    content = reply.content
    if not isinstance(content, dict):
        return reply
    rows: list[JsonValue] = [{**row, "group": key} for key, row in content.items() if isinstance(row, dict)]
    return reply if len(rows) < len(content) else Reply(rows, reply.info, reply.status)

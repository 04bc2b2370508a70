"""Resource: is there a contact centre at this address?"""

from __future__ import annotations

from .resource import Resource

__all__ = ["MonitorResource"]


class MonitorResource(Resource):
    """Health of the REST API."""

    async def ping(self, call_center: str | None = None) -> None:
        """Make sure that the contact centre exists and its REST API answers; anything else raises.

        Needs: nothing, not even a login. (`GET /monitor/ping`; source: Android SDK)

        Args:
            call_center: Name of the contact centre, as the Android SDK sends it; the host says it already.
        """
        await self._transport.request("GET", "/monitor/ping", params={"callCenter": call_center}, credential="none")

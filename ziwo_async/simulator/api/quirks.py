"""How real servers' answers differ from each other, to be switched on one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Quirks"]


@dataclass(slots=True, kw_only=True)
class Quirks:
    """Ways of answering; change them at any time (`sim.rest.quirks`).

    Attributes:
        totals: How the number of all records is spelled in `info`; None: it is not told. Sources: Android SDK
            (`totalRecords`), integrators (`total`).
        keyed: Collections are objects keyed by id instead of lists (ZIWO Manager app).
        empty_as_list: An empty object is `[]` (Zendesk app).
        errors_with_200: Errors have HTTP status 200 and `result: false` (ZIWO Manager app).
        numeric_logins: `ccLogin`, `agentCCLogin` and `ccPassword` are numbers where they can be: leading zeros are
            lost (typings of the official web client).
        admin_limit: Most records that a page of `/admin/*` has, whatever `limit` says (ZIWO developers page: 50).
        order: Order of calls when none is asked for; no source tells it.
        redirect_recordings: `/callHistory/{callID}/recording` redirects to a signed URL of another origin.
    """

    totals: Literal["totalRecords", "total", "both"] | None = "totalRecords"
    keyed: bool = False
    empty_as_list: bool = False
    errors_with_200: bool = False
    numeric_logins: bool = False
    admin_limit: int = 50
    order: str = "~startedAt"
    redirect_recordings: bool = False

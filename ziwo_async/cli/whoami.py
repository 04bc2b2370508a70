"""`ziwo whoami`: the user that is logged in, and where the login comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import EXIT_CODES, Profile, ZiwoClient
from .account import Account, ask
from .output import show_fields, show_json_object

__all__ = ["whoami"]


def whoami(json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show who is logged in, where, and where the login comes from."""

    async def show(ziwo: ZiwoClient, account: Account) -> int:
        profile = await ziwo.session.profile()
        settings = account.settings()
        found = {
            "contactCenter": settings.contact_center,
            "apiUrl": settings.base_url,
            "username": profile.username,
            "name": " ".join(name for name in (profile.first_name, profile.last_name) if name) or None,
            "type": profile.type,
            "ccLogin": profile.cc_login,
            "status": _presence(profile),
            "login": account.source,
        }
        if json:
            show_json_object(found)
        else:
            show_fields(
                {
                    "contact centre": found["contactCenter"] or found["apiUrl"],
                    "user": found["username"],
                    "name": found["name"],
                    "type": found["type"],
                    "ccLogin": found["ccLogin"],
                    "status": found["status"],
                    "login from": found["login"],
                }
            )
        return EXIT_CODES["stopped"]

    ask(show)


def _presence(profile: Profile) -> str | None:
    live = profile.live_info
    status = live.get("status") if isinstance(live, dict) else None
    return status if isinstance(status, str) else None

"""The newer plugin in a page."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from ..errors import BadArgument
from .checks import check_token, contact_center_name
from .snippet import element, literal, nonce_attribute, revealed, warned

__all__ = ["ZiwoPlugin"]

_SESSION = """\
localStorage.setItem("ZIWO_SESSION_DETAILS", JSON.stringify(%s));
"""

_PLUGIN = """\
<link rel="stylesheet" href="https://plugin.ziwo.io/ziwo.styles.css">
<ziwo-root></ziwo-root>
<script type="module" src="https://plugin.ziwo.io/ziwo.polyfills.js"%(nonce)s></script>
<script type="module" src="https://plugin.ziwo.io/ziwo.plugin.js"%(nonce)s></script>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZiwoPlugin:
    """The newer plugin in a page of yours (source: integrators; ZIWO's page does not show it).

    Attributes:
        contact_center: Name of the contact centre, in any usual spelling; only with a token.
        token: Access token of the agent, who then need not log in. Needs contact_center and embed_token.
        embed_token: Whether the token may be written into the page, from where it goes to the local storage of the
            page's site (`ZIWO_SESSION_DETAILS`).

    Raises:
        BadArgument: A token without embed_token or contact_center, or either without a token.
        InvalidInstanceName: contact_center is no name of a contact centre.
    """

    contact_center: str | None = None
    token: SecretStr | None = None
    embed_token: bool = False

    def __post_init__(self) -> None:
        if self.contact_center is not None:
            object.__setattr__(self, "contact_center", contact_center_name(self.contact_center))
        check_token(self.token, self.embed_token, self.contact_center)
        if self.contact_center is not None and self.token is None:
            raise BadArgument(
                "contact_center counts with a token only: without one, who logs in to the plugin types it"
            )

    def html(self, *, nonce: str | None = None) -> str:
        """Give the snippet: the plugin's root element where it stands, its style and scripts, and the session.

        Args:
            nonce: Nonce of the page's Content-Security-Policy, made anew for each answer.

        Raises:
            BadArgument: It can be no nonce.
        """
        session = ""
        if self.token is not None:
            code = _SESSION % literal({"accountName": self.contact_center, "token": revealed(self.token)})
            session = warned(self.token) + element(code, nonce)
        return session + _PLUGIN % {"nonce": nonce_attribute(nonce)}

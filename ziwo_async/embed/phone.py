"""The web phone in a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pydantic import SecretStr

from .checks import check_flags, check_token, contact_center_name, country, one_of
from .snippet import element, literal, revealed, warned, word

__all__ = ["PhonePosition", "PhoneSize", "WebPhone"]

PhonePosition: TypeAlias = Literal["bottom-right", "bottom-left", "top-right", "top-left"]
"""Where the web phone is on the page."""

PhoneSize: TypeAlias = Literal["normal", "small", "mini"]
"""How large the web phone is."""

_PHONE = """\
(() => {
  const values = %s;
  for (const [key, value] of Object.entries(values)) localStorage.setItem(key, value);
  const load = () => {
    const script = document.createElement("script");
    Object.assign(script, { id: "jorelScriptLoader", type: "text/javascript", async: true });
    script.src = "https://jorel.ziwo.io/master/latest/jorel.js?v=" + Date.now();
    document.body.prepend(script);
  };
  if (document.body) load();
  else document.addEventListener("DOMContentLoaded", load, { once: true });
})();
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPhone:
    """ZIWO's web phone, in a page of yours (source: ZIWO docs, "Install WebPhone", "Auto Login").

    Attributes:
        contact_center: Name of the contact centre, in any usual spelling (`_jorel-ccName`). None: who logs in types it.
        position: Where the phone is (`_jorel-default-position`).
        size: How large it is (`_jorel-default-size`).
        region: Country of numbers in local form: two letters, such as AE (`_jorel-default-phone-number-region-code`).
            None: numbers need their country.
        fixed: Position and size cannot be changed in the page (`_jorel-fixed`).
        no_minimization: The phone cannot be made small (`_jorel-no-minimization`).
        no_console_output: It writes nothing to the browser's console (`_jorel-no-console-output`).
        token: Access token of the agent, who then need not log in (`_jorel-token`). Needs contact_center and
            embed_token.
        embed_token: Whether the token may be written into the page, from where it goes to the local storage of the
            page's site.

    Raises:
        BadArgument: A value is none of those that ZIWO documents, or a token without embed_token.
        InvalidInstanceName: contact_center is no name of a contact centre.
    """

    contact_center: str | None = None
    position: PhonePosition = "bottom-right"
    size: PhoneSize = "normal"
    region: str | None = None
    fixed: bool = False
    no_minimization: bool = False
    no_console_output: bool = False
    token: SecretStr | None = None
    embed_token: bool = False

    def __post_init__(self) -> None:
        if self.contact_center is not None:
            object.__setattr__(self, "contact_center", contact_center_name(self.contact_center))
        one_of("position", self.position, get_args(PhonePosition))
        one_of("size", self.size, get_args(PhoneSize))
        if self.region is not None:
            object.__setattr__(self, "region", country("region", self.region).upper())
        check_flags(fixed=self.fixed, no_minimization=self.no_minimization, no_console_output=self.no_console_output)
        check_token(self.token, self.embed_token, self.contact_center)

    def html(self, *, nonce: str | None = None) -> str:
        """Give the snippet: one script element. It may stand anywhere in the page.

        Args:
            nonce: Nonce of the page's Content-Security-Policy, made anew for each answer.

        Raises:
            BadArgument: It can be no nonce.
        """
        return warned(self.token) + element(self._code(), nonce)

    def script(self) -> str:
        """Give the JavaScript alone, for a file of your own: a Content-Security-Policy may forbid scripts in pages."""
        warned(self.token)
        return self._code()

    def _code(self) -> str:
        values = {
            "_jorel-ccName": self.contact_center,
            "_jorel-token": revealed(self.token),
            "_jorel-default-position": self.position,
            "_jorel-default-size": self.size,
            "_jorel-default-phone-number-region-code": self.region or "",
            "_jorel-fixed": word(self.fixed),
            "_jorel-no-minimization": word(self.no_minimization),
            "_jorel-no-console-output": word(self.no_console_output),
        }
        return _PHONE % literal({key: value for key, value in values.items() if value is not None}, "  ")

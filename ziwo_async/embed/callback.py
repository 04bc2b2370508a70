"""The web callback button in a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from pydantic import JsonValue

from ..errors import BadArgument
from .checks import check_flags, contact_center_name, country, matching, number, several, text_of, whole
from .snippet import element, literal

__all__ = ["ButtonPosition", "CallbackTexts", "WebCallback"]

ButtonPosition: TypeAlias = Literal[
    "top-left", "top-middle", "top-right", "bottom-left", "bottom-middle", "bottom-right"
]
"""Where the web callback button is on the page: the classes that its script brings a style for."""

_LONGEST_WAIT = 86_400
_MOST_RETRIES = 100
_RESERVED_IDS = frozenset({"__webcallback", "webcallbackConfig", "webcallbackScriptLoader"})
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}")

# ZIWO's own snippet has these names at the top level, too: a page may set `webcallbackConfig.offline` by its own rule.
_CALLBACK = """\
const webcallbackConfig = %s;
function setWebcallbackConfiguration() {
  document.getElementById("webcallbackConfig").content = JSON.stringify(webcallbackConfig);
}
function setWebcallbackPosition() {
  const { positionClass, replacementTargetId } = webcallbackConfig;
  const button = document.getElementById("__webcallback");
  const replaced = replacementTargetId ? document.getElementById(replacementTargetId) : null;
  replaced?.replaceWith(button);
  button.classList.add(replaced ? "replaced" : positionClass);
}
(() => {
  const script = document.createElement("script");
  Object.assign(script, { id: "webcallbackScriptLoader", type: "text/javascript", async: true });
  script.src = "https://webcallback.ziwo.io/master/latest/webcallback.js";
  script.onload = () => {
    setWebcallbackConfiguration();
    setWebcallbackPosition();
  };
  document.head.prepend(script);
})();
"""


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTexts:
    """The texts of the web callback, where the widget's own are not wanted: any part, in any language.

    The names are ZIWO's, in Python's spelling. What is None is left out. Whether the widget takes a text for HTML is
    not documented: what visitors typed does not belong here.

    Raises:
        BadArgument: One is no text.
    """

    main_button_tooltip: str | None = None
    offline_button_tooltip: str | None = None
    form_title: str | None = None
    form_input_label: str | None = None
    form_button: str | None = None
    success_title: str | None = None
    success_message: str | None = None
    failure_title: str | None = None
    failure_message: str | None = None

    def __post_init__(self) -> None:
        for name, text in self.config().items():
            text_of(name, text)

    def config(self) -> dict[str, str]:
        """Give those that are not None, with their names in ZIWO's spelling."""
        given = {_camel(field.name): getattr(self, field.name) for field in fields(self)}
        return {name: text for name, text in given.items() if text is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCallback:
    """ZIWO's web callback: a button where visitors leave their number (source: ZIWO docs, "Auto Call Back").

    ZIWO calls the visitor; who answers is linked with the first of the extensions that answers, too.

    Attributes:
        contact_center: Name of the contact centre, in any usual spelling (`contactCenterName`).
        extensions: Who is tried in this order, at least one: numbers of the contact centre, or ccLogins of agents, in
            digits (`extensions`).
        caller_id: Number that the visitor sees (`callerIDNumber`).
        retries: How often the visitor is called again (`numberOfRetries`).
        timeout: Seconds until a call to the visitor has failed (`timeout`).
        extension_timeout: Seconds until an extension has failed (`extensionTimeout`).
        extension_delay: Seconds until the next extension is tried (`extensionDelay`).
        position: Where the button is: one of `ButtonPosition`, or a CSS class of yours (`positionClass`). ZIWO
            documents no default; bottom-right is ours.
        replace: Id of an element that the button takes the place of; when there is none, position counts
            (`replacementTargetId`).
        countries: Countries that come first in the choice of the number's country: two letters each, such as fr
            (`defaultCountryFlags`).
        offline: The button says that nobody is there (`offline`).
        texts: Texts instead of the widget's own (`customTexts`).

    What is None is left out, and ZIWO decides: its documentation has examples, and no defaults.

    Raises:
        BadArgument: A value is none of those that ZIWO documents.
        InvalidInstanceName: contact_center is no name of a contact centre.
    """

    contact_center: str
    extensions: Sequence[str]
    caller_id: str | None = None
    retries: int | None = None
    timeout: int | None = None
    extension_timeout: int | None = None
    extension_delay: int | None = None
    position: ButtonPosition | str = "bottom-right"
    replace: str | None = None
    countries: Sequence[str] = ()
    offline: bool = False
    texts: CallbackTexts = CallbackTexts()

    def __post_init__(self) -> None:
        object.__setattr__(self, "contact_center", contact_center_name(self.contact_center))
        object.__setattr__(self, "extensions", several("extensions", self.extensions))
        object.__setattr__(self, "countries", several("countries", self.countries))
        if not self.extensions:
            raise BadArgument("extensions needs at least one number or ccLogin: nobody would answer the visitor")
        for extension in self.extensions:
            number("an extension", extension)
        if self.caller_id is not None:
            number("caller_id", self.caller_id)
        whole("retries", self.retries, 0, _MOST_RETRIES)
        whole("timeout", self.timeout, 1, _LONGEST_WAIT)
        whole("extension_timeout", self.extension_timeout, 1, _LONGEST_WAIT)
        whole("extension_delay", self.extension_delay, 0, _LONGEST_WAIT)
        matching("position", self.position, _CLASS, "a name of one CSS class")
        if self.replace is not None:
            matching("replace", self.replace, _ID, "an id of an element")
            if self.replace in _RESERVED_IDS:
                raise BadArgument(f"replace: {self.replace!r} is an element of the web callback itself")
        countries = tuple(country("a country", code).lower() for code in self.countries)
        object.__setattr__(self, "countries", countries)
        check_flags(offline=self.offline)
        texts: object = self.texts
        if not isinstance(texts, CallbackTexts):
            raise BadArgument(f"texts is a CallbackTexts, not {type(texts).__name__}")

    def config(self) -> dict[str, JsonValue]:
        """Give the configuration in ZIWO's spelling: what the snippet hands to the widget."""
        values: dict[str, JsonValue] = {
            "contactCenterName": self.contact_center,
            "extensions": list(self.extensions),
            "callerIDNumber": self.caller_id,
            "numberOfRetries": self.retries,
            "timeout": self.timeout,
            "extensionTimeout": self.extension_timeout,
            "extensionDelay": self.extension_delay,
            "positionClass": self.position,
            "replacementTargetId": self.replace,
            "defaultCountryFlags": list(self.countries) or None,
            "offline": self.offline,
            "customTexts": dict(self.texts.config()) or None,
        }
        return {key: value for key, value in values.items() if value is not None}

    def html(self, *, nonce: str | None = None) -> str:
        """Give the snippet: one script element. It may stand anywhere in the page, once.

        Args:
            nonce: Nonce of the page's Content-Security-Policy, made anew for each answer.

        Raises:
            BadArgument: It can be no nonce.
        """
        return element(self.script(), nonce)

    def script(self) -> str:
        """Give the JavaScript alone, for a file of your own: a Content-Security-Policy may forbid scripts in pages."""
        return _CALLBACK % literal(self.config())

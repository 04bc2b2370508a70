"""What goes into a web page: the web phone, the web callback button and the newer plugin.

Each is a value that is checked when it is made; `html()` gives the snippet that ZIWO documents for it, with the values
in it. All that a value can be stays a value: texts go in as JSON in ASCII, in which `<`, `>` and `&` are escaped too,
so no text ends its string or the script element, whatever the page's encoding is.

An agent's token gets into a page only with `embed_token=True`, and then `html()` warns (`TokenInPage`).
"""

from __future__ import annotations

from .callback import ButtonPosition, CallbackTexts, WebCallback
from .phone import PhonePosition, PhoneSize, WebPhone
from .plugin import ZiwoPlugin
from .snippet import TokenInPage

__all__ = [
    "ButtonPosition",
    "CallbackTexts",
    "PhonePosition",
    "PhoneSize",
    "TokenInPage",
    "WebCallback",
    "WebPhone",
    "ZiwoPlugin",
]

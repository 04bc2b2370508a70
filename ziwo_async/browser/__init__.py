"""Calls in a web page: the window events of ZIWO's web phone, told by a phone or a live feed in Python."""

from __future__ import annotations

from .events import Allow, BrowserEvents
from .record import UrlFor, plain_number, record_url, safe_url

__all__ = ["Allow", "BrowserEvents", "UrlFor", "plain_number", "record_url", "safe_url"]

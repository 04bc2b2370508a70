"""Answers of the REST API, typed: one file for each subject."""

from __future__ import annotations

from .profile import Profile
from .webrtc import WebrtcConfig, WebSocketAddress

__all__ = ["Profile", "WebSocketAddress", "WebrtcConfig"]

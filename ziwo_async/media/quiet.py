"""The passwords of the media stay out of the log of aiortc, which writes whole descriptions at the level DEBUG."""

from __future__ import annotations

import logging
import re

__all__ = ["hide_passwords"]

_SECRET = re.compile(r"(a=(?:ice-pwd|crypto):)[^\r\n]+")


class _Hidden(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if _SECRET.search(text):
            record.msg, record.args = _SECRET.sub(r"\1***", text), ()
        return True


_hidden = _Hidden()


def hide_passwords() -> None:
    """Hide them from now on, for the whole process. Safe to call twice."""
    logging.getLogger("aiortc.rtcpeerconnection").addFilter(_hidden)

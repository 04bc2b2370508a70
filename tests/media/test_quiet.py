"""No password of the media gets into a log."""

from __future__ import annotations

import logging

import pytest

from .kit import talking


async def test_the_log_of_aiortc_has_no_passwords(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking(outbound=True) as (session, _, _):
        assert session._line is not None
        ice = session._line._ice._connection
        secrets = (ice.local_password, ice.remote_password)
    assert "a=ice-pwd:***" in caplog.text
    for secret in secrets:
        assert secret
        assert secret not in caplog.text

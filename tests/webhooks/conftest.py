"""Both servers, one after the other."""

from __future__ import annotations

import pytest

from .serving import SERVERS


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """The name of a server, for `serve`."""
    return str(request.param)

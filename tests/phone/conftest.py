"""Fixtures of the tests of the phone; after each of them nothing may be left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ziwo_async import ZiwoClient

from .kit import Desk, Rogues, contact_centre, nothing_left, rogues


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    """No task, socket or error is left by any test."""
    async with nothing_left():
        yield


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A contact centre; the clients made with it leave no request, listener, call or socket behind."""
    async with contact_centre() as made:
        yield made


@pytest.fixture
async def ziwo(desk: Desk) -> ZiwoClient:
    """A client of agent 5555, with its phone ready. The desk closes it, in another task."""
    client = desk.client()
    await client.phone.start()
    return client


@pytest.fixture
async def rogue() -> AsyncIterator[Rogues]:
    """Makes servers that misbehave."""
    async with rogues() as make:
        yield make

"""A receiver, and a database of the monitor."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from rondo.chassis.postgres import pool as chassis

from tests.monitor.notifications.receiver import Server, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.chassis.postgres.pool import Database


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    kept = Server()
    async with await asyncio.start_server(kept.serve, "127.0.0.1", 0) as listening:
        kept.port = listening.sockets[0].getsockname()[1]
        yield kept


@pytest.fixture
async def address(database: Callable[[str], Awaitable[str]]) -> str:
    """Return the address of an empty database."""
    return await database("monitor")


@pytest.fixture
async def opened(address: str) -> AsyncIterator[Database]:
    async with chassis.connect(settings(address), files("rondo.monitor") / "migrations") as connected:
        yield connected

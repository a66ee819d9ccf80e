"""The number of connections that a monitor has to PostgreSQL."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.postgres import pool
from rondo.contracts.topics import DATA_PARTITIONS
from rondo.monitor.app import MAX_CONNECTIONS

from tests.monitor.notifications.receiver import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def test_the_monitor_is_ready_while_all_its_partitions_save(database: Callable[[str], Awaitable[str]]) -> None:
    async with AsyncExitStack() as opened:
        migrations = files("rondo.monitor") / "migrations"
        connecting = pool.connect(settings(await database("monitor")), migrations, max_size=MAX_CONNECTIONS)
        connected = await opened.enter_async_context(connecting)
        for _ in range(3):
            await opened.enter_async_context(connected.session())
        for _ in range(DATA_PARTITIONS):
            await opened.enter_async_context(connected.transaction())
        await connected.ping()

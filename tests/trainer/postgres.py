"""The tests' own queries to PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database

LEASE = timedelta(seconds=30)


async def count(store: Database, what: str) -> int:
    return int(await store.pool.fetchval(f"select count(*) from {what}"))  # noqa: S608 - our own text


async def waits_for_lock(
    store: Database, task: asyncio.Task[Any], lock: str = "trainer.admission.flight-delay"
) -> None:
    """Return once the task waits for an advisory lock, by default that of the model, or is done."""
    waits = f"""pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())
        and objid = (hashtext('{lock}')::bigint & 4294967295)::oid"""  # noqa: S608 - our own text
    async with asyncio.timeout(10):
        while not task.done() and not await count(store, waits):  # noqa: ASYNC110 - the server notifies of no lock
            await asyncio.sleep(0.01)

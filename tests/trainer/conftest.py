"""Fixtures of the trainer's tests: its database, its data, and the service as a real process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg
import pytest
from rondo.chassis.postgres.pool import Database, connect
from rondo.chassis.settings import PostgresSettings

from tests.support.processes import ServiceProcess
from tests.trainer.fakes import MemoryStore
from tests.trainer.processes import Trainer, kafka_clients
from tests.trainer.worker_harness import WorkerHarness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the root of the Delta tables."""
    return tmp_path / "data"


@pytest.fixture
async def trainer(
    clean_kafka: str,
    database: Callable[[str], Awaitable[str]],
    free_port: Callable[[], int],
    tmp_path: Path,
    data: Path,
) -> AsyncIterator[Trainer]:
    """Return the service, not started yet. Its remaining processes are ended after the test."""
    dsn = await database("trainer")
    environment = {
        "RONDO_KAFKA": clean_kafka,
        "RONDO_POSTGRES": dsn,
        "RONDO_HTTP_PORT": str(free_port()),
        "RONDO_DATA": str(data),
        "RONDO_ARTIFACTS": str(tmp_path / "artifacts"),
        "RONDO_WORKER_LEASE": "3",
    }
    sql = await asyncpg.connect(dsn, server_settings={"search_path": "trainer"})
    async with kafka_clients(clean_kafka) as (consumer, producer):
        process = ServiceProcess("trainer", environment, tmp_path / "trainer.log")
        yield Trainer(process, consumer, producer, sql)
        if process.is_running:
            workers = process.children()
            await asyncio.to_thread(process.stop)
            for worker in workers:  # it would finish its run first
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
    await sql.close()


@pytest.fixture
def harness(data: Path, tmp_path: Path) -> Iterator[WorkerHarness]:
    """Return a worker on an in-memory queue, real Delta tables and a real artifact store."""
    with ThreadPoolExecutor(1) as executor:
        yield WorkerHarness(MemoryStore(), data, tmp_path / "artifacts", executor)


@pytest.fixture
async def store(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """Return the trainer's own schema in a real PostgreSQL, migrated."""
    dsn = await database("trainer")
    settings = PostgresSettings.model_validate(
        {
            "service": "trainer",
            "kafka": "127.0.0.1:1",
            "http_port": 0,
            "postgres": dsn,
        }
    )
    async with connect(settings, files("rondo.trainer") / "migrations") as opened:
        yield opened

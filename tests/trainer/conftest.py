"""Fixtures of the trainer's tests: its database, its data, and the service as a real process."""

from __future__ import annotations

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

from tests.trainer.fakes import MemoryStore
from tests.trainer.processes import TrainerProcess, kafka_clients
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
) -> AsyncIterator[TrainerProcess]:
    """Return the service, not started yet; whatever it leaves behind is ended."""
    dsn = await database("trainer")
    environment = os.environ | {
        "RONDO_SERVICE": "trainer",
        "RONDO_KAFKA": clean_kafka,
        "RONDO_POSTGRES": dsn,
        "RONDO_HTTP_PORT": str(free_port()),
        "RONDO_DATA": str(data),
        "RONDO_ARTIFACTS": str(tmp_path / "artifacts"),
        "RONDO_WORKER_LEASE": "3",
    }
    sql = await asyncpg.connect(dsn, server_settings={"search_path": "trainer"})
    async with kafka_clients(clean_kafka) as (consumer, producer):
        running = TrainerProcess(environment, tmp_path / "trainer.log", consumer, producer, sql)
        yield running
        if running.process is not None and running.process.returncode is None:
            workers = running.children()
            await running.kill(signal.SIGTERM)
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
            "kafka": "none",
            "http_port": 0,
            "postgres": dsn,
        }
    )
    async with connect(settings, files("rondo.trainer") / "migrations") as opened:
        yield opened

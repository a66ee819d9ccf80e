"""Fixtures: the settings of ingestion on real servers, and ingestion running in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rondo.ingestion.app import application
from rondo.ingestion.settings import IngestionSettings

from tests.ingestion.builders import spec
from tests.ingestion.processes import IngestionClient, apply, client
from tests.support.access import publish_tokens
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


@pytest.fixture
async def settings(
    clean_kafka: str, database: Callable[[str], Awaitable[str]], free_port: Callable[[], int], tmp_path: Path
) -> IngestionSettings:
    await asyncio.to_thread(publish_tokens, clean_kafka)
    return IngestionSettings.model_validate(
        {
            "service": "ingestion", "kafka": clean_kafka, "http_port": free_port(),
            "postgres": await database("ingestion"), "data": str(tmp_path / "data"),
            "artifacts": str(tmp_path / "artifacts"), "inbox": tmp_path / "inbox",
            "landing_seconds": 0.2, "inbox_settle_seconds": 0.3, "inbox_incomplete_seconds": 0.6,
            "max_batch_bytes": 4 * 1024 * 1024,
        }
    )  # fmt: skip


@pytest.fixture
async def ingestion(settings: IngestionSettings) -> AsyncIterator[IngestionClient]:
    """Ingestion in this process, with a spec in force, so that no batch waits long for a spec."""
    hasty = settings.model_copy(update={"spec_wait_seconds": 0.2})
    async with application(hasty), client(hasty) as http:
        running = IngestionClient(hasty, http)
        await apply(settings.kafka.servers, spec())
        await until(running.knows)
        yield running

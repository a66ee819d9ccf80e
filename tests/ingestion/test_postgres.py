"""The stores of ingestion on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import pytest
from rondo.chassis.postgres import pool as chassis_postgres
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events.data import DataVersion, RowCounts
from rondo.contracts.vocabularies import Source
from rondo.ingestion.batches import report
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.postgres import PostgresBatchStore, PostgresComparisonStore

from tests.ingestion.builders import START

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.chassis.postgres.pool import Database


@asynccontextmanager
async def connected(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    settings = PostgresSettings.model_validate(
        {"service": "ingestion", "kafka": "none:1", "http_port": 0,
         "postgres": await database("ingestion")}
    )  # fmt: skip
    async with chassis_postgres.connect(settings, files("rondo.ingestion") / "migrations") as opened:
        yield opened


@pytest.mark.parametrize("datasets", [1, 20])
async def test_waiting_batches_leave_connections_for_other_tasks(
    database: Callable[[str], Awaitable[str]], datasets: int
) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def take_in(number: int) -> None:
        async with batches.transaction(f"dataset-{number % datasets}"):
            begun.set()
            await go_on.wait()  # as while Delta is written
            done.append(number)

    async with connected(database) as opened, asyncio.TaskGroup() as group:
        batches = PostgresBatchStore(opened)
        for number in range(20):
            group.create_task(take_in(number))
        await begun.wait()
        assert await asyncio.wait_for(batches.find("rides", "january"), 10) is None
        await opened.ping()
        go_on.set()
    assert sorted(done) == list(range(20))


async def test_batches_of_one_dataset_are_decided_one_after_another(database: Callable[[str], Awaitable[str]]) -> None:
    inside: list[int] = []

    async def take_in() -> None:
        async with batches.transaction("rides"):
            inside.append(1)
            assert len(inside) == 1
            await asyncio.sleep(0.02)
            inside.pop()

    async with connected(database) as opened:
        batches = PostgresBatchStore(opened)
        await asyncio.gather(*(take_in() for _ in range(5)))


async def accept(batches: PostgresBatchStore, status: Literal["accepted", "rejected"], batch_id: str) -> None:
    digest = "sha256:" + "0" * 64
    found = report.Headline(
        status=status,
        dataset="rides",
        batch_id=batch_id,
        source=Source.HTTP,
        report=digest,
        rows=RowCounts(total=1, accepted=1, quarantined=0),
        data_version=DataVersion(table="datasets/rides", version=0, digest=digest),
        event_time_from=START,
        event_time_to=START,
    )
    record = BatchRecord("rides", batch_id, "content", "contract", status, found.model_dump(mode="json"))
    async with batches.transaction("rides") as work:
        await work.save(record, report.event(record), report.event_id(record))


async def test_an_accepted_batch_waits_for_its_comparison_until_it_is_done(
    database: Callable[[str], Awaitable[str]],
) -> None:
    async with connected(database) as opened:
        store = PostgresComparisonStore(opened)
        await accept(PostgresBatchStore(opened), "rejected", "broken")
        await accept(PostgresBatchStore(opened), "accepted", "january")
        with pytest.raises(ZeroDivisionError):
            async with store.next_batch():
                raise ZeroDivisionError
        async with store.next_batch() as waiting:
            assert waiting is not None
            assert waiting.batch.batch_id == "january"
            async with store.next_batch() as of_another_replica:
                assert of_another_replica is None
            await waiting.done([(waiting.batch, "compared")])
        async with store.next_batch() as waiting:
            assert waiting is None
        async with opened.transaction() as work:
            ids = [row["event_id"] for row in await work.connection.fetch("select event_id from outbox order by id")]
        assert ids[-1] == "compared"

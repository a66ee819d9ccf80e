"""The in-memory queue and PostgreSQL's behind one interface, and the runs that tests put into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.events.training import TrainingFailed, TrainingSkipped, TrainingStarted
from rondo.trainer.triggers.postgres import PostgresUnitOfWork
from rondo.trainer.worker import queue
from rondo.trainer.worker.queue import PostgresRunQueue

from tests.trainer import builders
from tests.trainer.fakes import MemoryRunQueue, MemoryStore, MemoryUnitOfWork
from tests.trainer.postgres import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    from rondo.chassis.postgres.pool import Database
    from rondo.trainer.ports import RunQueue, UnitOfWork


class Memory:
    """The in-memory queue and unit of work."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def queue(self, worker: str = "one", lease: timedelta = LEASE) -> RunQueue:
        return MemoryRunQueue(self.store, worker, lease)

    async def work(self) -> AsyncIterator[UnitOfWork]:
        yield MemoryUnitOfWork(self.store)

    async def release(self, worker: str) -> None:
        self.store.release(worker)

    async def ids(self, topic: str) -> list[str | None]:
        return [name for name, event in self.store.published if event.topic == topic]

    async def state(self) -> tuple[str, str]:
        run = self.store.runs[0]
        return run.state, getattr(run.result, "reason", "")


class Postgres:
    """PostgreSQL's queue and unit of work."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def queue(self, worker: str = "one", lease: timedelta = LEASE) -> RunQueue:
        return PostgresRunQueue(self.database, worker, lease)

    async def work(self) -> AsyncIterator[UnitOfWork]:
        async with self.database.transaction() as transaction:
            yield PostgresUnitOfWork(transaction)

    async def release(self, worker: str) -> None:
        await queue.release(self.database, worker)

    async def ids(self, topic: str) -> list[str | None]:
        rows = await self.database.pool.fetch("select event_id from outbox where topic = $1", topic)
        return [row["event_id"] for row in rows]

    async def state(self) -> tuple[str, str]:
        row = await self.database.pool.fetchrow("select state, detail from runs order by created_at limit 1")
        assert row is not None
        return row["state"], row["detail"] or ""


Backend = Memory | Postgres


async def enqueue(backend: Backend, name: str = "run-1", model: str = "flight-delay", kind: str = "drift") -> None:
    async for work in backend.work():
        await work.enqueue(name, builders.trigger(kind, name=name), builders.spec(model=model))


async def claimed(queue: RunQueue, max_attempts: int = 3) -> Any:
    run = await queue.claim(max_attempts)
    assert run is not None
    return run


def failed(run: Any) -> TrainingFailed:
    return TrainingFailed(model=run.model, run_id=run.id, trigger=run.trigger, reason="x", attempts=run.attempt)


def skipped(run: Any) -> TrainingSkipped:
    return TrainingSkipped(model=run.model, trigger=run.trigger, reason="not_enough_data", detail="few", run_id=run.id)


def started(run: Any) -> TrainingStarted:
    return TrainingStarted(
        model=run.model, run_id=run.id, trigger=run.trigger, spec_digest=run.spec.digest, started_at=run.started_at
    )

"""Runs a worker on an in-memory queue, with real Delta tables, a real artifact store and real training."""

# ruff: noqa: ARG002 - a fake has the parameters of its port
# ruff: noqa: ASYNC110 - nothing notifies of the end of a run

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.trainer.dataset.delta_tables import DeltaDatasets
from rondo.trainer.run import IN_FLIGHT
from rondo.trainer.worker.app import pipeline
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker

from tests.trainer import builders
from tests.trainer.fakes import MemoryRunQueue, MemoryStore, MemoryUnitOfWork, now

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from datetime import timedelta
    from pathlib import Path

    from rondo.trainer.run import Ended, Run

PIPELINE = pipeline(threads=2)


@dataclass
class FakePipeline:
    """A pipeline with replaced steps."""

    fit: Callable[..., Any] = PIPELINE.fit
    take: Callable[..., Any] = PIPELINE.take
    evaluate: Callable[..., Any] = PIPELINE.evaluate
    plan: Callable[..., Any] = PIPELINE.plan
    choose: Callable[..., Any] = PIPELINE.choose
    plan_search: Callable[..., Any] = PIPELINE.plan_search
    function_version: Callable[..., Any] = PIPELINE.function_version


class RefusedError(RuntimeError):
    """The database refuses a value."""


@dataclass
class FaultyRunQueue(MemoryRunQueue):
    """Fails to finish `unavailable` times, and on results of the type `refused`.

    `promote` is called when the worker waits for a promotion.
    """

    unavailable: int = 0
    refused: tuple[type, ...] = ()
    renewals: int = 0
    promote: Callable[[], None] = lambda: None

    async def renew(self, run: Run) -> bool:
        self.renewals += 1
        return await super().renew(run)

    async def wait_for_promotion(self, model: str, within: timedelta) -> None:
        self.promote()

    async def finish(self, run: Run, ended: Ended) -> bool:
        if self.unavailable:
            self.unavailable -= 1
            what = "PostgreSQL"
            raise UnavailableError(what, "stopped by the test")
        if isinstance(ended.result, self.refused):
            raise RefusedError
        return await super().finish(run, ended)


class NoPauses(Backoff):
    """A backoff without a wait that records the attempts after which there was a pause."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "seen", [])

    def delay(self, attempt: int, rng: Any = None) -> float:
        self.seen.append(attempt)  # type: ignore[attr-defined]
        return 0.0


@dataclass
class WorkerHarness:
    """A worker and its dependencies."""

    store: MemoryStore
    data: Path
    artifacts: Path
    executor: ThreadPoolExecutor
    queue: FaultyRunQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FaultyRunQueue(self.store)

    async def run(self, *asked: tuple[Any, Any], **options: Any) -> list[Any]:
        """Queue runs, each a spec and a trigger, let a worker finish them, and return the results by their end.

        A run is queued once no other of its model is in flight.
        """
        stop, before = asyncio.Event(), len(self._ended())
        work = asyncio.create_task(self.worker(stop, **options).work())
        async with asyncio.timeout(30):
            for spec, trigger in asked:
                while self._in_flight(spec.model) and not work.done():
                    await asyncio.sleep(0.01)
                await self.enqueue(spec, trigger)
            while len(self._ended()) < before + len(asked) and not work.done():
                await asyncio.sleep(0.01)
            stop.set()
            await work
        return self._ended()[before:]

    async def enqueue(self, spec: Any, trigger: Any) -> None:
        await MemoryUnitOfWork(self.store).enqueue(f"run-{trigger.id}", trigger, spec)

    def worker(
        self, stop: asyncio.Event, *, pipeline: Any = PIPELINE, lease: float = 30, pause: Backoff | None = None
    ) -> Worker:
        datasets, store = DeltaDatasets(str(self.data)), Artifacts(str(self.artifacts))
        attempt = Attempt(self.queue, datasets, store, pipeline, self.executor, "v1")
        return Worker(self.queue, attempt, stop, lease, 3, pause or NoPauses())

    def set_champion(self, version: int, digest: str, model: str = "flight-delay") -> None:
        deployed = builders.deployment(version, version, model, digest)
        self.store.champions[model] = (deployed, now())
        self.store.record_champion(deployed, now())

    @property
    def attempts(self) -> dict[str, int]:
        """The attempts of each run, by its trigger."""
        return {run.trigger.id: run.attempts for run in self.store.runs}

    @property
    def begun(self) -> int:
        """The number of times that a run was announced as started."""
        return sum(name is not None and name.endswith(".started") for name, _ in self.store.published)

    def _in_flight(self, model: str) -> bool:
        return any(run.spec.model == model and run.state in IN_FLIGHT for run in self.store.runs)

    def _ended(self) -> list[Any]:
        ended = sorted((run for run in self.store.runs if run.finished_at), key=lambda run: run.finished_at)  # type: ignore[arg-type, return-value]
        return [run.result for run in ended]

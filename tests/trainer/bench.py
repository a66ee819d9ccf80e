"""A worker in memory, but for real Delta tables, real artifacts and a real training."""

# ruff: noqa: ARG002 - a fake takes what its port takes
# ruff: noqa: ASYNC110 - a plain list tells nobody of its changes

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import Backoff, UnavailableError
from rondo.trainer.dataset.delta_tables import DeltaDatasets
from rondo.trainer.estimators.lightgbm import Fitter
from rondo.trainer.graph.runtime import Scorer
from rondo.trainer.pipeline import Training
from rondo.trainer.runs.run import Run, Serving
from rondo.trainer.worker.attempt import Attempt
from rondo.trainer.worker.loop import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path


@dataclass
class MemoryRuns:
    """`worker.ports.Runs` in memory, of one worker; `away` is how often PostgreSQL does not answer a result.

    `champions` are those of single models, `champion` that of the others; `decided` is who serves once the registry
    has decided about the candidate before.
    """

    queue: list[Any] = field(default_factory=list)
    ended: list[Any] = field(default_factory=list)
    begun: int = 0
    renewed: int = 0
    away: int = 0
    champion: Serving | None = None
    champions: dict[str, Serving] = field(default_factory=dict)
    decided: Serving | None = None
    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: dict[str, int] = field(default_factory=dict)

    async def listen(self) -> None:
        """See `worker.ports.Runs`, here and below."""

    async def claim(self, attempts: int) -> Run | None:
        """."""
        if not self.queue:
            return None
        spec, trigger = self.queue.pop(0)
        self.attempts[trigger.id] = self.attempts.get(trigger.id, 0) + 1
        assert self.attempts[trigger.id] <= attempts
        return Run(f"run-{trigger.id}", trigger, spec, self.attempts[trigger.id], "w", datetime.now(UTC))

    async def wait(self, seconds: float) -> None:
        """."""
        await self.recorded.wait()

    async def renew(self, run: Run) -> bool:
        """."""
        self.renewed += 1
        return True

    async def serving(self, model: str) -> Serving | None:
        """."""
        return self.champions.get(model, self.champion)

    async def verdict(self, model: str, patience: Any) -> None:
        """."""
        self.champion = self.decided or self.champion

    async def begin(self, run: Run, started: Any) -> None:
        """."""
        self.begun += 1

    async def finish(self, run: Run, result: Any) -> bool:
        """."""
        if self.away:
            self.away -= 1
            what = "PostgreSQL"
            raise UnavailableError(what, "stopped by the test")
        self.ended.append(result)
        return True

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        """."""
        self.queue.append((run.spec, run.trigger))

    async def postpone(self, run: Run, pause: timedelta) -> None:
        """."""
        self.attempts[run.trigger.id] -= 1
        await self.hand_back(run, pause)


TRAINING = Training(Fitter(2), Scorer(2))


@dataclass
class Faked:
    """`worker.ports.Training` with one part or the other in place of the real one."""

    learn: Callable[..., Any] = TRAINING.learn
    judge: Callable[..., Any] = TRAINING.judge


class Pauses(Backoff):
    """Takes no time, and remembers after which attempts there was a pause."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "seen", [])

    def delay(self, attempt: int, rng: Any = None) -> float:
        """Remember the attempt."""
        self.seen.append(attempt)  # type: ignore[attr-defined]
        return 0.0


@dataclass
class Bench:
    """A worker and what it stands on."""

    runs: MemoryRuns
    data: Path
    artifacts: Path
    executor: ThreadPoolExecutor

    async def run(
        self, *asked: Any, training: Any = TRAINING, lease: float = 30, pause: Backoff | None = None
    ) -> list[Any]:
        """Let a worker bring these runs to their end, and leave; return how they ended."""
        leave, before = asyncio.Event(), len(self.runs.ended)
        self.runs.queue.extend(asked)
        store = Artifacts(str(self.artifacts))
        attempt = Attempt(self.runs, DeltaDatasets(str(self.data)), store, training, self.executor, "v1")
        work = asyncio.create_task(Worker(self.runs, attempt, leave, lease, 3, pause or Pauses()).work())
        async with asyncio.timeout(30):
            while len(self.runs.ended) < before + len(asked) and not work.done():
                await asyncio.sleep(0.01)
            leave.set()
            await work
        return self.runs.ended[before:]

"""The demo: a year of flights through a running Rondo, watched, and accounted for to the last prediction."""

from __future__ import annotations

import asyncio
import io
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rondo.contracts.deployment import ReplicaChanged
from rondo.contracts.models import ModelPromoted, ModelRejected
from rondo.contracts.training import TrainingFailed
from rondo.flights import dataset
from rondo.flights.auditing import Auditor
from rondo.flights.replay import DATASET, MODEL, Pace, day, month_batches, stream_of, ticks
from rondo.flights.report import Report, Retrain
from rondo.flights.scores import NeverRetrained, answered, by_month
from rondo.flights.sending import Sender
from rondo.flights.timeline import History, Listener
from rondo.flights.view import Snapshot, is_news

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.client import AsyncRondo

SECONDS_FOR_A_YEAR = 90.0
SPEC = Path(__file__).resolve().parents[2] / "rondo.yaml"
_STEP = timedelta(hours=6)
_FIRST_MODEL_SECONDS, _LAST_ANSWER_SECONDS = 180.0, 60.0
_REFRESH_SECONDS = 0.25
_PARQUET = "application/vnd.apache.parquet"


class FirstModelError(RuntimeError):
    """The published batches led to no served model."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no first model came into service: {why}; see the trainer's and the registry's log")


class Watcher(Protocol):
    """Who looks on: gets a snapshot a few times a second, and a word about each step."""

    def step(self, text: str) -> None:
        """Hear of a step of the preparation."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Look at the replay."""
        ...


@dataclass(frozen=True)
class Plan:
    """What is replayed. `speed` 1 plays a year in 90 s; the months are of 2013, `until` is not included."""

    speed: float = 1.0
    stream_from: datetime = field(default_factory=lambda: day(3))
    until: datetime = field(default_factory=lambda: day(13))
    required_redeployments: int = 3

    @property
    def per_second(self) -> timedelta:
        """How much event time passes in a second."""
        return timedelta(days=365) / SECONDS_FOR_A_YEAR * self.speed


@dataclass
class Hands:
    """What a run may do to the system besides using it: `at` is called with the progress, 0 to 1."""

    at: Callable[[float], None] = lambda _: None
    restarts: Callable[[], dict[str, int]] = dict


async def run(rondo: AsyncRondo, bootstrap: str, plan: Plan, watcher: Watcher, hands: Hands | None = None) -> Report:
    """Play the demo against a running system, and return its report.

    Raises:
        FirstModelError: the batches led to no served model.
        NotDeliveredError: Kafka refused a message of the replay.

    """
    hands = hands or Hands()
    watcher.step("reading the flights of 2013")
    flights = await asyncio.to_thread(dataset.load)
    with _threads(bootstrap) as (auditor, listener, pool):
        await _publish(rondo, flights, plan, watcher)
        first = await _first_model(rondo, listener, watcher)
        streamed = stream_of(flights, plan.stream_from, plan.until)
        alone = await asyncio.to_thread(NeverRetrained(first, streamed).scores)
        replay = Replay(bootstrap, streamed, plan, auditor, listener, alone)
        seconds = await replay.play(pool, watcher, hands)
        watcher.step("waiting for the last answers, then reading every topic to its end")
        await asyncio.to_thread(auditor.wait_for_answers, _LAST_ANSWER_SECONDS)
        auditor.finish()
        await asyncio.wrap_future(pool.audit)
    return replay.report(seconds, hands.restarts())


@dataclass
class _Pool:
    audit: Future[None]
    listen: Future[None]
    executor: ThreadPoolExecutor


@contextmanager
def _threads(bootstrap: str) -> Iterator[tuple[Auditor, Listener, _Pool]]:
    auditor, listener = Auditor(bootstrap), Listener(bootstrap)
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="demo") as executor:
        try:
            yield auditor, listener, _Pool(executor.submit(auditor.run), executor.submit(listener.run), executor)
        finally:
            auditor.finish()
            listener.stop()


async def _publish(rondo: AsyncRondo, flights: pl.DataFrame, plan: Plan, watcher: Watcher) -> None:
    spec = SPEC.read_text()
    await rondo.apply(spec)
    for batch_id, rows in month_batches(flights, range(1, plan.stream_from.month)):
        content = io.BytesIO()
        rows.write_parquet(content)
        watcher.step(f"publishing {batch_id}: {len(rows):,} flights")
        await rondo.publish(DATASET, batch_id, content.getvalue(), _PARQUET)


async def _first_model(rondo: AsyncRondo, listener: Listener, watcher: Watcher) -> bytes:
    """Wait for the first version to be served, and return its artifact."""
    watcher.step("training the first model")

    def settled(history: History) -> bool:
        served = any(e.data.state == "available" for e in history.of(ReplicaChanged))
        return bool(served and history.of(ModelPromoted)) or bool(history.of(ModelRejected, TrainingFailed))

    in_time = await asyncio.to_thread(listener.wait_for, settled, _FIRST_MODEL_SECONDS)
    promoted = listener.history.of(ModelPromoted)
    if not promoted:
        failures = [str(e.data) for e in listener.history.of(ModelRejected, TrainingFailed)]
        raise FirstModelError("; ".join(failures) if in_time else f"none within {_FIRST_MODEL_SECONDS:.0f} s")
    version: int = promoted[0].data.model_version
    watcher.step(f"version {version} serves")
    return await rondo.artifact(MODEL, version)


class Replay:
    """The streamed part: sends, watches, and has the figures at the end."""

    def __init__(
        self,
        bootstrap: str,
        flights: pl.DataFrame,
        plan: Plan,
        auditor: Auditor,
        listener: Listener,
        alone: NDArray[np.float32],
    ) -> None:
        self._bootstrap = bootstrap
        self._flights = flights
        self._plan = plan
        self._ledger = auditor.ledger
        self._history = listener.history
        self._without = by_month(flights, alone)
        self._with: dict[int, float] = {}
        self._rates: deque[tuple[float, int]] = deque(maxlen=8)

    async def play(self, pool: _Pool, watcher: Watcher, hands: Hands) -> float:
        """Send everything in event time; returns the seconds that it took."""
        plan = self._plan
        pace = Pace(plan.stream_from, time.monotonic(), plan.per_second)
        sender = Sender(self._bootstrap, ticks(self._flights, plan.stream_from, plan.until, _STEP), pace)
        sending = pool.executor.submit(sender.run)
        try:
            while not sending.done():
                snapshot = self._snapshot(sender)
                watcher.show(snapshot)
                hands.at(snapshot.progress)
                if pool.audit.done():
                    pool.audit.result()
                await asyncio.sleep(_REFRESH_SECONDS)
        finally:
            sender.stop()
        sending.result()
        watcher.show(self._snapshot(sender))
        return time.monotonic() - pace.started

    def _snapshot(self, sender: Sender) -> Snapshot:
        progress = sender.progress
        done = self._ledger.responses
        now = progress.event_time
        span = self._plan.until - self._plan.stream_from
        self._rates.append((time.monotonic(), done))
        if now is not None and now.month - 1 not in self._with and now.month > self._plan.stream_from.month:
            # Only what is over: a month's first flights alone would make a figure that nothing bears out later.
            self._with = {month: auc for month, auc in self._score().items() if month < now.month}
        return Snapshot(
            event_time=now,
            progress=min(1.0, (now - self._plan.stream_from) / span) if now else 0.0,
            sent=progress.requests,
            answered=done,
            behind=progress.behind,
            rate=self._rate(),
            events=tuple(e for e in self._history.envelopes[-200:] if is_news(e.data)),
            deployed=self._history.deployed(),
            served=dict(self._ledger.by_version),
            window=self._history.last_window(),
            auc_with_loop=self._with,
            auc_without_loop=self._without,
        )

    def _rate(self) -> float:
        (before, few), (after, many) = self._rates[0], self._rates[-1]
        return (many - few) / (after - before) if after > before else 0.0

    def _score(self) -> dict[int, float]:
        return by_month(self._flights, answered(self._flights, self._ledger.answers))

    def report(self, seconds: float, restarts: dict[str, int]) -> Report:
        """Return the figures, all of them counted from the topics."""
        ledger = self._ledger
        return Report(
            requests=ledger.asked.total(),
            answered=ledger.answered.total(),
            refused=ledger.refused.total(),
            lost=tuple(ledger.lost()),
            doubled=tuple(ledger.doubled()),
            retrains=tuple(self._retrains()),
            auc_with_loop=self._score(),
            auc_without_loop=self._without,
            seconds_of_replay=seconds,
            restarts=restarts,
            versions_served=dict(sorted(ledger.by_version.items())),
            required_redeployments=self._plan.required_redeployments,
        )

    def _retrains(self) -> Iterator[Retrain]:
        for turn in self._history.redeployments():
            first = self._ledger.first_by_version.get(turn.model_version)
            yield Retrain(
                model_version=turn.model_version,
                kind=turn.kind,
                detail=turn.detail,
                seconds_with_training=turn.total(first) if first else None,
                seconds_without_training=turn.without_training(first) if first else None,
            )

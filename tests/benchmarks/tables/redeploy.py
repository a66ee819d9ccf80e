"""`make bench ONLY=redeploy`: from a drift event to the first prediction of the new version, training aside.

The whole platform runs, real processes on real Kafka and PostgreSQL, while requests stream in at a steady rate. A
drift event is published as the monitor would, and everything after it happens by itself: admission, a real training (on
few rows, and its time is taken off), the gates, the promotion, the load, the warm-up, the swap. It begins with the
event's own time, and ends when a read_committed reader of the answers has the version's first in its hands.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import orjson
import polars as pl
from confluent_kafka import Producer
from rondo.client import AsyncRondo, Connection
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.models import ModelRejected
from rondo.contracts.events.monitoring import DriftDetected, Statistic, Window
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.events.training import TrainingFailed, TrainingSkipped
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.stack import Stack
from rondo.flights.observers.auditor import Auditor
from rondo.flights.observers.event_listener import EventListener

from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.flights.observers.history import History

TIMES = int(os.environ.get("BENCH_COUNT", "20"))
RATE, TICK = 500, 0.02
GOAL_SECONDS, TIMEOUT_SECONDS = 1.0, 60.0
START = datetime(2013, 1, 1, tzinfo=UTC)
SPEC = """
model: bench
data: {dataset: bench, entity: who, event_time: at, label: late}
features: {a: {type: float}, b: {type: float}}
trainer: {params: {n_estimators: 20}, min_rows: 100}
gates: {roc_auc: {min: 0.5}}
retrain: {on: [drift], cooldown: 1s, budget_per_week: 1000}
"""


def rows(count: int = 2_000, first: int = 0) -> bytes:
    """Return labelled rows that a model can learn, a minute apart from row number `first` on, as Parquet."""
    times = [START + timedelta(minutes=n) for n in range(first, first + count)]
    a, b = np.random.default_rng(7 + first).normal(size=(2, count))
    frame = pl.DataFrame(
        {
            "who": [f"w{n}" for n in range(first, first + count)],
            "at": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "late": (a + b > 0).astype(int),
            "a": a,
            "b": b,
        }
    )
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


class Traffic:
    """A steady stream of requests, in a separate thread."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({**KafkaConnection(bootstrap).confluent(), "linger.ms": 1, "log_level": 3})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, after everything is sent."""
        self._stop.set()
        self._thread.join()
        self._producer.flush(30)

    def _run(self) -> None:
        for number in self._due():
            value = {"id": f"r{number}", "model": "bench", "features": {"a": 0.1, "b": -0.2}}
            self._producer.produce(PredictionRequested.topic, orjson.dumps(value), f"r{number}")
            self._producer.poll(0)

    def _due(self) -> Iterator[int]:
        started, sent = time.monotonic(), 0
        while not self._stop.wait(TICK):
            due = int((time.monotonic() - started) * RATE)
            yield from range(sent, due)
            sent = due


def drift(bootstrap: str, number: int, version: int) -> str:
    """Publish a drift finding as the monitor would. Return its id."""
    at = START + timedelta(days=30 + number)
    event = DriftDetected(
        model="bench",
        finding_id=f"bench-{number}",
        model_version=version,
        window=Window(start=at - timedelta(days=1), end=at, rows=1_000),
        since=at - timedelta(days=1),
        statistics=(Statistic(feature="a", statistic="psi", value=1.0, threshold=0.25),),
    )
    producer = Producer({**KafkaConnection(bootstrap).confluent(), "log_level": 3})
    envelope = Envelope(event.finding_id, "rondo/monitor", datetime.now(UTC), event)
    producer.produce(event.topic, envelope.value(), event.key, headers=dict(envelope.headers()))
    producer.flush(10)
    return event.finding_id


class NoTurnError(RuntimeError):
    """A version that should answer does not, and further waiting does not help."""

    def __init__(self, version: int, why: str) -> None:
        self.version, self.why = version, why
        super().__init__(f"version {version} does not answer, so nothing was measured: {why}")


def served(history: History, version: int) -> bool:
    """Return whether a replica serves a version, or a later one."""
    return any(e.data.state == "available" and e.data.model_version >= version for e in history.of(ReplicaChanged))


def ended(history: History) -> str | None:
    """Return the reason why a turn has ended without a serving version. None if it has not."""
    for payload in (envelope.data for envelope in history.of(ModelRejected, TrainingFailed, ReplicaChanged)):
        if isinstance(payload, ModelRejected):
            return "its gates: " + "; ".join(gate.message for gate in payload.gates if not gate.passed)
        if isinstance(payload, TrainingFailed):
            return payload.reason
        if isinstance(payload, ReplicaChanged) and payload.state == "refused":
            return payload.detail
    return None


async def available(version: int, listener: EventListener) -> None:
    """Wait until a replica serves a version.

    Raises:
        NoTurnError: the version was refused, or does not serve within `TIMEOUT_SECONDS` seconds.

    """
    await asyncio.to_thread(listener.wait_for, lambda h: served(h, version) or ended(h) is not None, TIMEOUT_SECONDS)
    if not served(listener.history, version):
        skipped = [envelope.data.detail for envelope in listener.history.of(TrainingSkipped)][-1:]
        why = f"no result within {TIMEOUT_SECONDS:g} s; what was skipped last: {skipped}"
        raise NoTurnError(version, ended(listener.history) or why)


async def answered(version: int, auditor: Auditor) -> datetime:
    """Wait until an answer of a version was read, and return the time. The auditor reads in a separate thread.

    Raises:
        NoTurnError: no answer was read within `TIMEOUT_SECONDS` seconds.

    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while version not in auditor.ledger.first_by_version:
        if time.monotonic() > deadline:
            raise NoTurnError(
                version, f"a replica serves it, and no answer of it was read within {TIMEOUT_SECONDS:g} s"
            )
        await asyncio.sleep(0.005)
    return datetime.now(UTC)


async def measure(folder: Path) -> tuple[list[float], int, int]:
    """Return the seconds of each turn, and the numbers of requests that were lost and answered twice."""
    async with Stack(folder) as stack, AsyncRondo(Connection.discover({"RONDO_HOME": str(folder)}, folder)) as rondo:
        auditor, listener = Auditor(rondo.connection.kafka), EventListener(rondo.connection.kafka)
        first: dict[int, datetime] = {}
        threads = [threading.Thread(target=auditor.run), threading.Thread(target=listener.run)]
        for thread in threads:
            thread.start()
        try:
            await rondo.apply(SPEC)
            await rondo.publish("bench", "first", rows(), "application/vnd.apache.parquet")
            await available(1, listener)
            with Traffic(stack.addresses.kafka):
                for number in range(1, TIMES + 1):
                    # Drift starts no training without new labelled rows.
                    new = rows(200, 2_000 + 200 * number)
                    await rondo.publish("bench", f"batch-{number}", new, "application/vnd.apache.parquet")
                    drift(stack.addresses.kafka, number, version=number)
                    turn = asyncio.gather(available(number + 1, listener), answered(number + 1, auditor))
                    _, first[number + 1] = await turn
            await asyncio.to_thread(auditor.wait_for_answers, 30)
        finally:
            auditor.finish()
            listener.stop()
            for thread in threads:
                thread.join()
    turns = [t.without_training(first[t.model_version]) for t in listener.history.redeployments()]
    return turns, len(auditor.ledger.lost()), len(auditor.ledger.doubled())


def table(turns: list[float], miscounted: int) -> list[Row]:
    """Return the rows of a run: the seconds of each turn, and the numbers of lost requests and duplicate answers."""
    used = versions("faststream", "confluent-kafka", "asyncpg", "onnxruntime")
    whole = len(turns) == TIMES
    p95 = statistics.quantiles(turns, n=20)[-1]
    title = f"drift to first prediction, training aside, p95 of {len(turns)}"
    return [
        Row("redeploy", title, p95, None, "s", "1 s", met=whole and p95 <= GOAL_SECONDS, versions=used),
        Row("redeploy", "the same, median", statistics.median(turns), None, "s", "shown", met=True, versions=used),
        Row("redeploy", "requests lost or answered twice meanwhile", miscounted, None, "", "0", met=not miscounted,
            versions=used),
    ]  # fmt: skip


def main() -> int:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            turns, lost, doubled = asyncio.run(measure(Path(folder)))
        except NoTurnError as error:
            sys.exit(str(error))
    return record(table(turns, lost + doubled))


if __name__ == "__main__":
    raise SystemExit(main())

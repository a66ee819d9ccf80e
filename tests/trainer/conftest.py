"""What the trainer's tests stand on: its database, its data, and the service as a real process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import numpy as np
import polars as pl
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from deltalake import CommitProperties, write_deltalake
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.postgres.pool import Database, connect
from rondo.chassis.settings import PostgresSettings
from rondo.contracts.events import cloudevents
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.data import BatchAccepted
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.monitoring import DriftDetected
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.topics import TOPICS
from rondo.trainer.runs.run import Batch
from rondo.trainer.triggers.admission import History, PastRun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.deployment import DeploymentChanged

START = datetime(2013, 1, 1, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"
DIGEST = "sha256:" + "d" * 64


def make_spec(**changes: Any) -> ModelSpec:
    """Return a spec of a small model that learns in well under a second."""
    content: dict[str, Any] = {
        "model": "flight-delay",
        "data": {"dataset": "flights", "entity": "flight_id", "event_time": "departure", "label": "late"},
        "features": {"carrier": {"type": "category"}, "distance": {"type": "float"}},
        "trainer": {"params": {"n_estimators": 5, "num_leaves": 7}, "min_rows": 1000},
        "retrain": {"on": ["drift"], "cooldown": "1d", "budget_per_week": 100},
    }
    for part, values in changes.items():
        content[part] = content.get(part, {}) | values if isinstance(values, dict) else values
    return ModelSpec.model_validate(content)


def make_rows(rows: int, start: datetime = START, prefix: str = "f", seed: int = 1) -> pl.DataFrame:
    """Return flights, one a minute, whose lateness follows from carrier and distance, with noise."""
    random = np.random.default_rng(seed)
    carrier, distance = random.choice(["AA", "UA", "DL"], rows), random.uniform(100, 3000, rows)
    chance = 1 / (1 + np.exp(-((carrier == "UA") * 2.0 + distance / 1000 - 2.5)))
    return pl.DataFrame(
        {
            "flight_id": [f"{prefix}{n}" for n in range(rows)],
            "departure": pl.datetime_range(start, start + timedelta(minutes=rows - 1), "1m", eager=True),
            "carrier": carrier,
            "distance": distance.astype(np.float32),
            "late": (random.uniform(size=rows) < chance).astype(np.float64),
        },
        schema_overrides={"departure": pl.Datetime("us", "UTC")},
    )


def write_batch(data: Path, rows: pl.DataFrame, batch: str = "b1", digest: str = DIGEST) -> None:
    """Append a batch as ingestion would."""
    commit = CommitProperties(custom_metadata={"rondo.digest": digest, "rondo.batch_id": batch})
    (data / "datasets").mkdir(parents=True, exist_ok=True)
    table = rows.with_columns(batch_id=pl.lit(batch))
    write_deltalake(str(data / "datasets" / "flights"), table, mode="append", commit_properties=commit)


def spec_applied(spec: ModelSpec, revision: int = 1) -> SpecApplied:
    return SpecApplied(model=spec.model, revision=revision, digest=spec.digest, spec=spec)


def batch_accepted(batch: str = "b1", day: float = 30) -> BatchAccepted:
    return BatchAccepted.model_validate(
        {
            "dataset": "flights",
            "batch_id": batch,
            "source": "http",
            "data_version": {"table": "datasets/flights", "version": 0, "digest": DIGEST},
            "quality": {"rows": 10, "accepted": 10, "quarantined": 0},
            "event_time_from": START,
            "event_time_to": START + timedelta(days=day),
        }
    )


def drift(finding: str = "drift-1", day: float = 60) -> DriftDetected:
    end = START + timedelta(days=day)
    return DriftDetected.model_validate(
        {
            "model": "flight-delay",
            "finding_id": finding,
            "model_version": 1,
            "window": {"start": end - timedelta(days=7), "end": end, "rows": 1000},
            "since": end - timedelta(days=7),
            "features": [{"feature": "distance", "psi": 1.5, "ks": 0.4, "threshold": 0.25}],
        }
    )


def make_trigger(kind: str = "drift", day: float = 60, name: str = "drift-1") -> Trigger:
    return Trigger.model_validate({"id": name, "kind": kind, "at": START + timedelta(days=day)})


def enveloped(event: Event, name: str = "event-1") -> Envelope[Any]:
    return Envelope(name, "tests", datetime.now(UTC), event)


@dataclass
class TrainerProcess:
    """`python -m rondo.trainer` as a real process, beside its topics and its schema."""

    environment: dict[str, str]
    log: Path
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    sql: asyncpg.Connection[Any]
    process: asyncio.subprocess.Process | None = None
    seen: list[tuple[float, Event]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    async def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rondo.trainer", env=self.environment, stdout=output, stderr=output
            )

    async def ready(self) -> None:
        """Wait until `/readyz` says so."""
        url = f"http://127.0.0.1:{self.environment['RONDO_HTTP_PORT']}/readyz"
        async with asyncio.timeout(150), httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx.TransportError:
                    assert self.process is not None
                    assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process."""
        assert self.process is not None
        self.process.send_signal(number)
        await self.process.wait()

    def children(self) -> list[int]:
        """Return the ids of the processes that it started."""
        assert self.process is not None
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def publish(self, event: Event, name: str) -> None:
        """Publish an event as another service would."""
        envelope = enveloped(event, name)
        headers = [(key, value.encode()) for key, value in envelope.headers().items()]
        await self.producer.send_and_wait(event.topic, envelope.value(), key=event.key.encode(), headers=headers)

    async def hear(self, kind: type[Event], *, within: float = 40) -> Any:
        """Return the next event of a kind, with the loop's time of its arrival; the others stay to be heard."""
        async with asyncio.timeout(within):
            while True:
                for place, (at, event) in enumerate(self.seen):
                    if isinstance(event, kind):
                        del self.seen[place]
                        return at, event
                await self._read()

    async def _read(self) -> None:
        kinds = {topic.name: topic.event for topic in TOPICS}
        for messages in (await self.consumer.getmany(timeout_ms=200)).values():
            for message in messages:
                headers = {key: value.decode() for key, value in message.headers}
                kind = kinds[message.topic]
                assert kind is not None
                envelope = cloudevents.read(kind, headers, message.value)
                if envelope.id not in self.ids:  # as the inbox of a subscriber would
                    self.ids.add(envelope.id)
                    self.seen.append((asyncio.get_running_loop().time(), envelope.data))

    async def quiet(self, seconds: float = 0.5) -> list[Event]:
        """Return what else was said, once nothing more comes."""
        while True:
            before = len(self.seen)
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                await self._read()
            if len(self.seen) == before:
                return [event for _, event in self.seen]


@asynccontextmanager
async def _kafka_clients(bootstrap: str) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
    await chassis_kafka.wait_for_kafka(bootstrap)
    spoken = [topic for topic in TOPICS if topic.writer == "trainer"]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await consumer.start()
    await producer.start()
    try:
        consumer.assign([TopicPartition(topic.name, n) for topic in spoken for n in range(topic.partitions)])
        yield consumer, producer
    finally:
        await producer.stop()
        await consumer.stop()


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
        "RONDO_API_TOKEN": TOKEN,
        "RONDO_DATA": str(data),
        "RONDO_ARTIFACTS": str(tmp_path / "artifacts"),
        "RONDO_WORKER_LEASE": "3",
    }
    sql = await asyncpg.connect(dsn, server_settings={"search_path": "trainer"})
    async with _kafka_clients(clean_kafka) as (consumer, producer):
        running = TrainerProcess(environment, tmp_path / "trainer.log", consumer, producer, sql)
        yield running
        if running.process is not None and running.process.returncode is None:
            workers = running.children()
            await running.kill(signal.SIGTERM)
            for worker in workers:  # it would finish its run first
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
    await sql.close()


@dataclass
class MemoryWork:
    """`ports.Work` in memory. What a failed unit of work did is not undone: the tests of handlers have none."""

    specs: dict[str, SpecApplied] = field(default_factory=dict)
    deferred: dict[str, Trigger] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    champions: dict[str, DeploymentChanged] = field(default_factory=dict)
    runs: list[tuple[str, PastRun]] = field(default_factory=list)
    published: list[Event] = field(default_factory=list)

    async def save_spec(self, applied: SpecApplied) -> None:
        """See `ports.Work`, here and below."""
        known = self.specs.get(applied.model)
        if known is None or known.revision <= applied.revision:
            self.specs[applied.model] = applied

    async def spec(self, model: str) -> ModelSpec | None:
        """."""
        return self.specs[model].spec if model in self.specs else None

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        """."""
        return tuple(sorted(m for m, applied in self.specs.items() if applied.spec.data.dataset == dataset))

    async def save_batch(self, accepted: BatchAccepted) -> None:
        """."""
        known = self.batches.get(accepted.dataset)
        if known is None or known.until <= accepted.event_time_to:
            self.batches[accepted.dataset] = Batch(accepted.batch_id, accepted.event_time_to)

    async def latest_batch(self, dataset: str) -> Batch | None:
        """."""
        return self.batches.get(dataset)

    async def save_champion(self, changed: DeploymentChanged) -> None:
        """."""
        self.champions[changed.model] = changed

    async def history(self, model: str) -> History:
        """."""
        mine = tuple(run for name, run in self.runs if name == model)
        return History(mine, any(run.state == "trained" for run in mine))

    async def start(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        """."""
        self.runs.insert(0, (spec.model, PastRun(run_id, trigger, spec.digest, "queued")))

    async def take_turn_of_dataset(self, dataset: str) -> None:
        """Nobody else is here."""

    async def defer(self, model: str, trigger: Trigger) -> None:
        """."""
        self.deferred[model] = trigger

    async def take_deferred(self, model: str) -> Trigger | None:
        """."""
        return self.deferred.pop(model, None)

    async def publish(self, event: Event) -> object:
        """."""
        self.published.append(event)
        return None

    def end(self, state: Any) -> None:
        """Let the run in flight end."""
        model, run = self.runs[0]
        self.runs[0] = (model, replace(run, state=state))


@pytest.fixture
def memory() -> MemoryWork:
    """Return an empty unit of work in memory."""
    return MemoryWork()


@pytest.fixture
async def store(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """Return the trainer's own schema in a real PostgreSQL, migrated."""
    dsn = await database("trainer")
    told = PostgresSettings.model_validate(
        {
            "service": "trainer",
            "kafka": "none",
            "http_port": 0,
            "api_token": TOKEN,
            "postgres": dsn,
        }
    )
    async with connect(told, files("rondo.trainer") / "migrations") as opened:
        yield opened


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Return the functions that make values for the tests."""
    return SimpleNamespace(
        start=START,
        digest=DIGEST,
        spec=make_spec,
        rows=make_rows,
        write_batch=write_batch,
        spec_applied=spec_applied,
        batch_accepted=batch_accepted,
        drift=drift,
        trigger=make_trigger,
        enveloped=enveloped,
    )

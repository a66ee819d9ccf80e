"""A scoring job on real tables, with the scoring code of serving."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
from deltalake import DeltaTable
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.contracts.events.scoring import ScoringRequested, job_id
from rondo.ingestion.delta.location import Location
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.scoring.answers import Answers
from rondo.ingestion.scoring.coordinator import Coordinator
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.delta_source import DeltaSource
from rondo.ingestion.scoring.jobs import table_of
from rondo.serving.bulk.answers import answer

from tests.ingestion.scoring.memory_jobs import MemoryJobs
from tests.serving.builders import FEATURES, build_model, version_of

VERSION = version_of("delay", 7, build_model(2.0), FEATURES)
AT = datetime(2013, 1, 1, tzinfo=UTC)


class KilledError(asyncio.CancelledError):
    """The process crashes here. For the remaining code it is the end of the task, and no error of the job."""


def fill(root: str, *batches: int) -> int:
    """Write batches with these numbers of rows. Return the total number of rows."""
    tables, first = DeltaTables(root), 0
    for number, rows in enumerate(batches):
        tables.append("datasets/flights", data(first, rows), {f"batch/{number}": 1}, {})
        first += rows
    return first


def data(first: int, rows: int) -> pa.Table:
    numbers = list(range(first, first + rows))
    return pa.table(
        {
            "flight": [f"f{number}" for number in numbers],
            "scheduled": pa.array([AT + timedelta(minutes=n) for n in numbers], pa.timestamp("us", "UTC")),
            # Each seventh row lacks what it may not lack.
            "distance": pa.array([None if number % 7 == 3 else float(number) for number in numbers], pa.float64()),
            "night": [number % 2 == 0 for number in numbers],
            "carrier": [("AA", "UA", None)[number % 3] for number in numbers],
            "delayed": [0.0] * rows,
        }
    )


def requested(data_version: int, dataset: str = "flights", **more: Any) -> ScoringRequested:
    job = job_id("delay", 7, VERSION.digest, dataset, data_version)
    return ScoringRequested(
        model="delay", job=job, model_version=7, digest=VERSION.digest, features=FEATURES, entity="flight",
        event_time="scheduled", dataset=dataset, data_version=data_version, requested_by="ada", at=AT,
    ).model_copy(update=more)  # fmt: skip


@dataclass
class Stage:
    """Ingestion with a job, and replicas of serving that answer at once.

    The process crashes at the `dies_at`th call of Kafka or of the store of jobs. Each part is answered `times` times.
    """

    root: str
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    times: int = 1
    dies_at: int = -1
    silence: float = 30.0
    sent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        location = Location(self.root)
        self.coordinator = Coordinator(
            DeltaSource(location), DeltaScores(location), self.jobs, self.send, lambda: AT, self.silence
        )
        self.answers = Answers(self.jobs, DeltaScores(location), self.coordinator)

    async def send(self, value: bytes, key: str) -> None:
        self._live()
        request = ScoreRequest.of(scores.decode(value).schema)
        assert key == request.key
        self.sent.append(request.part)
        for _ in range(self.times):
            await self.answers.advance([Mock(**self.message(value))])
        self._live()

    def message(self, value: bytes) -> dict[str, Any]:
        batch = scores.decode(value)
        made = scores.encode(answer(VERSION, batch, ScoreRequest.of(batch.schema), datetime.now(UTC)))
        calls = {"value": made, "topic": scores.SCORES_MADE, "partition": 0, "offset": len(self.sent)}
        return {f"{name}.return_value": result for name, result in calls.items()}

    def _live(self) -> None:
        self.dies_at -= 1
        if self.dies_at == 0:
            raise KilledError

    def scores(self, request: ScoringRequested) -> list[dict[str, Any]]:
        table = DeltaTable(f"{self.root}/{table_of(request)}")
        assert table.version() == 0
        assert table.transaction_version(f"scoring/{request.job}") == 1
        return sorted(table.to_pyarrow_table().to_pylist(), key=lambda row: str(row["entity"]))


def check(found: list[dict[str, Any]], rows: int) -> None:
    assert sorted(row["row"] for row in found) == list(range(rows))
    assert sorted(row["entity"] for row in found) == sorted(f"f{number}" for number in range(rows))
    for row in found:
        number = int(row["entity"][1:])
        assert row["event_time"] == AT + timedelta(minutes=number)
        assert (row["model_version"], row["digest"]) == (7, VERSION.digest)
        if number % 7 == 3:
            assert (row["error"], row["score"], row["label"]) == ("missing_feature", None, None)
        else:
            assert (row["error"], row["score"]) == (None, 2.0 * number)

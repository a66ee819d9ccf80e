"""Builds values for the trainer's tests: specs, flights, events, and the Delta tables that ingestion would write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from deltalake import CommitProperties, write_deltalake
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.data import BatchAccepted
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import SpecApplied
from rondo.contracts.events.monitoring import DriftDetected, PerformanceSuspected, WindowClosed
from rondo.contracts.events.training import ModelTrained, TrainingRequested, Trigger
from rondo.contracts.spec.dataset.source import SourceDataset
from rondo.contracts.spec.model import ModelSpec

from tests.support.unknown_words import example_of

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.events.base import Event
    from rondo.trainer.run import Run

START = datetime(2013, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64


def spec(**changes: Any) -> ModelSpec:
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


def rows(count: int, start: datetime = START, prefix: str = "f", seed: int = 1) -> pl.DataFrame:
    """Return flights, one a minute, whose lateness follows from carrier and distance, with noise."""
    random = np.random.default_rng(seed)
    carrier, distance = random.choice(["AA", "UA", "DL"], count), random.uniform(100, 3000, count)
    chance = 1 / (1 + np.exp(-((carrier == "UA") * 2.0 + distance / 1000 - 2.5)))
    return pl.DataFrame(
        {
            "flight_id": [f"{prefix}{n}" for n in range(count)],
            "departure": pl.datetime_range(start, start + timedelta(minutes=count - 1), "1m", eager=True),
            "carrier": carrier,
            "distance": distance.astype(np.float32),
            "late": (random.uniform(size=count) < chance).astype(np.float64),
        },
        schema_overrides={"departure": pl.Datetime("us", "UTC")},
    )


def with_wind(**keys: Any) -> ModelSpec:
    """Return the spec with `wind`, a feature that is joined from the dataset `weather` by the carrier."""
    joined = {"type": "float", "from": "weather", "on": ["carrier"], "max_age": "4h"} | keys
    return spec(features={"wind": joined}, trainer={"min_rows": 2000})


WEATHER = SourceDataset(
    dataset="weather", digest=DIGEST, entity=("airline",), event_time="read", known_after=timedelta(hours=1)
)


def write_weather(data: Path, hours: int, batch: str = "w1") -> None:
    """Append the wind of each hour from an hour before the first flight on, for all carriers."""
    read = [START + timedelta(hours=hour - 1) for hour in range(hours)]
    frame = pl.DataFrame(
        {"read": read, "wind": [float(hour) for hour in range(hours)]},
        {"read": pl.Datetime("us", "UTC"), "wind": pl.Float64},
    ).join(pl.DataFrame({"airline": ["AA", "UA", "DL"]}), how="cross")
    write_batch(data, frame, batch, dataset="weather")


def write_batch(
    data: Path, frame: pl.DataFrame, batch: str = "b1", digest: str = DIGEST, dataset: str = "flights"
) -> None:
    """Append a batch as ingestion would."""
    commit = CommitProperties(custom_metadata={"rondo.digest": digest, "rondo.batch_id": batch})
    (data / "datasets").mkdir(parents=True, exist_ok=True)
    table = frame.with_columns(batch_id=pl.lit(batch))
    write_deltalake(str(data / "datasets" / dataset), table, mode="append", commit_properties=commit)


def spec_applied(applied: ModelSpec, revision: int = 1, sources: tuple[SourceDataset, ...] = ()) -> SpecApplied:
    return SpecApplied(model=applied.model, revision=revision, digest=applied.digest, spec=applied, sources=sources)


def batch_accepted(batch: str = "b1", day: float = 30, rows: int = 10) -> BatchAccepted:
    return BatchAccepted.model_validate(
        {
            "dataset": "flights",
            "batch_id": batch,
            "source": "http",
            "data_version": {"table": "datasets/flights", "version": 0, "digest": DIGEST},
            "rows": {"total": rows, "accepted": rows, "quarantined": 0},
            "report": "sha256:" + "0" * 64,
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
            "statistics": [{"feature": "distance", "statistic": "psi", "value": 1.5, "threshold": 0.25}],
        }
    )


def window_closed(labelled: int, finding: str, day: float = 60) -> WindowClosed:
    found = drift(finding, day).model_dump() | {"statistics": [], "labelled_rows": labelled}
    return WindowClosed.model_validate(found)


def suspected(finding: str = "suspected-1", day: float = 60) -> PerformanceSuspected:
    found = drift(finding, day).model_dump() | {
        "statistics": [{"statistic": "loss", "value": 0.3, "reference": 0.2}],
        "labelled_rows": 500,
        "since": START,
    }
    return PerformanceSuspected.model_validate(found)


def trigger(kind: str = "drift", day: float = 60, name: str = "drift-1") -> Trigger:
    return Trigger.model_validate({"id": name, "kind": kind, "at": START + timedelta(days=day)})


def enveloped(event: Event, name: str = "event-1") -> Envelope[Any]:
    return Envelope(name, "tests", datetime.now(UTC), event)


def deployment(version: int | None, revision: int = 1, model: str = "flight-delay", digest: str = DIGEST) -> Any:
    """Return the deployment of one version, or of none."""
    route = {"model_version": version, "digest": digest, "share": 1, "role": "primary", "features": {}}
    return DeploymentChanged.model_validate(
        {"model": model, "revision": revision, "routes": [] if version is None else [route]}
    )


def requested(name: str = "by-hand") -> TrainingRequested:
    return TrainingRequested(model="flight-delay", trigger=trigger("manual", 1, name), requested_by="ann")


def trained(run: Run) -> ModelTrained:
    example = example_of(ModelTrained) | {"model": run.model, "run_id": run.id, "trigger": run.trigger}
    return ModelTrained.model_validate(example)

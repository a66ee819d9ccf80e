"""Builders of specs, rows and log messages. The default is a binary model, see `streams`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rondo.contracts.events import logs
from rondo.contracts.spec.model import ModelSpec

from tests.monitor.streams import BINARY, FEATURES, Data, Stream

MODEL, DIGEST, DIGEST_2 = "loans", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
# The log timestamp of outcomes, in microseconds, where it does not matter: later than every `known_at`.
WRITTEN = 4_000_000_000_000_000
PROFILE, REFERENCE = BINARY.profile, BINARY.reference
rows = BINARY.rows
Instants = NDArray[np.datetime64]


def spec(task: str = "binary", **monitor: object) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": MODEL,
            "task": task,
            "data": {"dataset": "loans", "entity": "who", "event_time": "at", "label": "late", "label_delay": "2h"},
            "features": {"x": {"type": "float", "optional": True}, "city": {"type": "category"}},
            "monitor": {"window": "1d", **monitor},
        }
    )


SPEC = spec()


def times(day: float, count: int, length: float = 1.0) -> list[datetime]:
    """Return event times that fill `length` days evenly from day number `day` on."""
    return [EPOCH + timedelta(days=day + length * i / count) for i in range(count)]


def instants(day: float, count: int, length: float = 1.0) -> Instants:
    """Return the times that `times` returns, as an array. Creating columns from it is ten times as fast."""
    micros = np.rint((day + length * np.arange(count) / count) * 86_400_000_000).astype("timedelta64[us]")
    return np.asarray(np.datetime64(EPOCH.replace(tzinfo=None), "us") + micros)


def predictions(
    data: Data, at: list[datetime] | Instants, ids: list[str], entities: list[str | None] | None = None
) -> pa.Table:
    columns = {
        "id": pa.array(ids, pa.string()),
        "entity": pa.array(entities or [None] * len(ids), pa.string()),
        "event_time": pa.array(at, logs.TIMESTAMP),
        "made_at": pa.array(at, logs.TIMESTAMP),
        "feature.x": pa.array(data["x"]),
        "feature.city": pa.array(data["city"].tolist()),
    }
    outputs = {name: _output(values) for name, values in data.items() if name not in FEATURES}
    return pa.table(columns | {f"output.{name}": column for name, column in outputs.items()})


def _output(values: np.ndarray) -> pa.Array:
    if values.ndim > 1:
        return pa.array(list(values), pa.list_(pa.float32()))
    return pa.array(values.tolist() if values.dtype.kind == "U" else values)


def outcomes(
    ids: list[str | None],
    values: np.ndarray | None,
    at: list[datetime] | Instants,
    entities: list[str | None] | None = None,
    labels: list[str] | None = None,
) -> pa.Table:
    if values is not None and values.dtype.kind == "U":
        values, labels = None, values.tolist()
    nothing: list[None] = [None] * len(ids)
    columns = {
        "id": pa.array(ids, pa.string()),
        "entity": pa.array(entities or nothing, pa.string()),
        "outcome": pa.array(nothing if values is None else values, pa.float64()),
        "outcome_label": pa.array(labels or nothing, pa.string()),
        "known_at": pa.array(at, logs.TIMESTAMP),
    }
    return pa.table(columns)


def encode_predictions(
    table: pa.Table, version: int = 1, digest: str = DIGEST, role: str = "primary", model: str = MODEL
) -> bytes:
    table = table.replace_schema_metadata(logs.version_metadata(model, version, digest, role))
    return logs.encode(table.combine_chunks().to_batches()[0])


def encode_outcomes(table: pa.Table) -> bytes:
    return logs.encode(table.combine_chunks().to_batches()[0])


def log_of_days(
    days: int,
    shift_from: int,
    rows_a_day: int = 400,
    seed: int = 5,
    stream: Stream = BINARY,
    skill: float = 1.0,
    model: str = MODEL,
) -> tuple[list[bytes], list[bytes]]:
    """Return the messages of predictions.log and outcomes.log.

    From day `shift_from` on, x is shifted by 1.5, and the model has the skill `skill`.
    """
    rng = np.random.default_rng(seed)
    predicted, known = [], []
    for part in range(days * 4):
        day, count = part / 4, rows_a_day // 4
        shift, left = (1.5, skill) if day >= shift_from else (0.0, 1.0)
        data = stream.rows(rng, count, shift)
        at, ids = times(day, count, 0.25), [f"{part}-{i}" for i in range(count)]
        predicted.append(encode_predictions(predictions(data, at, ids), model=model))
        known_at = [t + timedelta(hours=1) for t in at]
        known.append(encode_outcomes(outcomes(list(ids), stream.outcomes(rng, data, left), known_at)))
    return predicted, known

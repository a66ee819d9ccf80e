"""Builders of specs, profiles, rows and log messages: a model with two features, whose score ranks the outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from rondo.contracts.events import logs
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import roc_auc_error
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, PerformanceFigure, ReferenceProfile
from rondo.monitor.detectors.reference import Reference
from rondo.monitor.detectors.roc_auc import roc_auc
from rondo.monitor.windows.window_counts import score_histogram

MODEL, DIGEST, DIGEST_2 = "loans", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
# The log timestamp of outcomes, in microseconds, where it does not matter: later than every `known_at`.
WRITTEN = 4_000_000_000_000_000
CITIES = ("a", "b", "c")
REFERENCE_ROWS = 50_000


def spec(**monitor: object) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": MODEL,
            "data": {"dataset": "loans", "entity": "who", "event_time": "at", "label": "late", "label_delay": "2h"},
            "features": {"x": {"type": "float", "optional": True}, "city": {"type": "category"}},
            "monitor": {"window": "1d", "min_rows": 100, "consecutive": 2, "drift": 0.25, **monitor},
        }
    )


SPEC = spec()


def rows(rng: np.random.Generator, count: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    x = (rng.normal(size=count) + shift).astype(np.float32)
    return {"x": x, "city": rng.choice(CITIES, count, p=(0.6, 0.3, 0.1)), "score": _sigmoid(x - shift)}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def outcomes_of(rng: np.random.Generator, score: np.ndarray, skill: float = 1.0) -> np.ndarray:
    return (rng.random(score.size) < skill * score + (1 - skill) * score.mean()).astype(np.float64)


def profile(rng: np.random.Generator | None = None) -> ReferenceProfile:
    rng = rng or np.random.default_rng(99)
    data = rows(rng, REFERENCE_ROWS)
    labelled = score_histogram(data["score"], outcomes_of(rng, data["score"]))
    auc = roc_auc(labelled)
    assert auc is not None
    half = REFERENCE_ROWS / 2
    return ReferenceProfile(
        rows=REFERENCE_ROWS,
        features={
            "x": _numeric(data["x"]),
            "city": CategoricalProfile(counts={c: int((data["city"] == c).sum()) for c in CITIES}),
        },
        outputs={"score": _numeric(data["score"])},
        task=FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5),
        performance={"roc_auc": PerformanceFigure(value=auc, error=roc_auc_error(auc, half, half))},
    )


def _numeric(values: np.ndarray) -> NumericProfile:
    edges = np.quantile(values, np.linspace(0.1, 0.9, 9))
    counts = np.bincount(np.searchsorted(edges.astype(np.float32), values, side="right"), minlength=10)
    return NumericProfile(edges=tuple(map(float, edges)), counts=tuple(map(int, counts)))


PROFILE = profile()
REFERENCE = Reference.of(PROFILE)


def times(day: float, count: int, length: float = 1.0) -> list[datetime]:
    """Return event times that fill `length` days evenly from day number `day` on."""
    return [EPOCH + timedelta(days=day + length * i / count) for i in range(count)]


def predictions(
    data: dict[str, np.ndarray], at: list[datetime], ids: list[str], entities: list[str | None] | None = None
) -> pa.Table:
    columns = {
        "id": pa.array(ids, pa.string()),
        "entity": pa.array(entities or [None] * len(ids), pa.string()),
        "event_time": pa.array(at, logs.TIMESTAMP),
        "made_at": pa.array(at, logs.TIMESTAMP),
        "feature.x": pa.array(data["x"]),
        "feature.city": pa.array(data["city"].tolist()),
        "output.score": pa.array(data["score"]),
    }
    return pa.table(columns)


def outcomes(
    ids: list[str | None],
    values: np.ndarray | None,
    at: list[datetime],
    entities: list[str | None] | None = None,
    labels: list[str] | None = None,
) -> pa.Table:
    nothing: list[None] = [None] * len(ids)
    columns = [
        pa.array(ids, pa.string()), pa.array(entities or nothing, pa.string()),
        pa.array(nothing if values is None else values, pa.float64()), pa.array(labels or nothing, pa.string()),
        pa.array(at, logs.TIMESTAMP),
    ]  # fmt: skip
    return pa.table(columns, schema=logs.OUTCOMES_SCHEMA)


def encode_predictions(table: pa.Table, version: int = 1, digest: str = DIGEST, role: str = "primary") -> bytes:
    table = table.replace_schema_metadata(logs.version_metadata(MODEL, version, digest, role))
    return logs.encode(table.combine_chunks().to_batches()[0])


def encode_outcomes(table: pa.Table) -> bytes:
    return logs.encode(table.combine_chunks().to_batches()[0])


def log_of_days(days: int, shift_from: int, rows_a_day: int = 400, seed: int = 5) -> tuple[list[bytes], list[bytes]]:
    """Return the messages of predictions.log and outcomes.log; from day `shift_from` on, x is shifted by 1.5."""
    rng = np.random.default_rng(seed)
    predicted, known = [], []
    for part in range(days * 4):
        day, count = part / 4, rows_a_day // 4
        data = rows(rng, count, shift=1.5 if day >= shift_from else 0.0)
        at, ids = times(day, count, 0.25), [f"{part}-{i}" for i in range(count)]
        predicted.append(encode_predictions(predictions(data, at, ids)))
        known_at = [t + timedelta(hours=1) for t in at]
        known.append(encode_outcomes(outcomes(list(ids), outcomes_of(rng, data["score"]), known_at)))
    return predicted, known

"""Values for the tests of ingestion: a dataset of rides with a contract that has a column of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import polars as pl
import pyarrow as pa
from rondo.contracts.events import logs
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.model import ModelSpec

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2013, 1, 1, tzinfo=UTC)
NOW = datetime(2014, 1, 1, tzinfo=UTC)  # the clock of pure tests


def spec(
    model: str = "tips",
    dataset: str = "rides",
    task: str = "binary",
    data: dict[str, Any] | None = None,
    **features: Any,
) -> ModelSpec:
    given: dict[str, Any] = {
        "zone": {"type": "category", "values": ["north", "south"]},
        "distance": {"type": "float", "min": 0, "max": 1000},
        "stops": {"type": "int"},
        "night": {"type": "bool"},
        "rain": {"type": "float", "optional": True},
    }
    return ModelSpec.model_validate(
        {
            "model": model,
            "task": task,
            "data": {
                "dataset": dataset,
                "entity": "ride",
                "event_time": "started",
                "label": "tipped",
                "max_bad_share": 0.2,
                **(data or {}),
            },
            "features": given | features,
        }
    )


def rides(count: int = 10, start: int = 0, **columns: Any) -> pl.DataFrame:
    """Return good rows. `columns` replace or add."""
    numbers = range(start, start + count)
    frame = pl.DataFrame(
        {
            "ride": [f"r{n}" for n in numbers],
            "started": [START + timedelta(minutes=n) for n in numbers],
            "zone": ["north" if n % 2 else "south" for n in numbers],
            "distance": [float(n % 900) for n in numbers],
            "stops": [n % 4 for n in numbers],
            "night": [n % 3 == 0 for n in numbers],
            "rain": [None if n % 5 == 0 else 0.5 for n in numbers],
            "tipped": [n % 2 for n in numbers],
        },
        schema_overrides={"started": pl.Datetime("us", "UTC")},
    )
    return frame.with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})


def parquet(frame: pl.DataFrame, folder: Path) -> bytes:
    path = folder / f"{uuid4().hex}.parquet"
    frame.write_parquet(path)
    return path.read_bytes()


def outcome(number: int, model: str = "tips", **other: Any) -> bytes:
    known = (START + timedelta(seconds=number)).isoformat()
    return orjson.dumps({"model": model, "id": f"p{number}", "outcome": number % 2, "event_time": known} | other)


def predictions(
    first: int,
    count: int,
    model: str = "tips",
    version: int = 1,
    role: str = "primary",
    outputs: dict[str, pa.Array] | None = None,
    **features: pa.Array,
) -> bytes:
    """Return one message of `predictions.log`. Its output is a score unless `outputs` are given."""
    numbers = range(first, first + count)
    columns = {
        "id": pa.array([f"p{n}" for n in numbers], pa.string()),
        "entity": pa.array([f"r{n}" for n in numbers], pa.string()),
        "event_time": pa.array([START + timedelta(seconds=n) for n in numbers], logs.TIMESTAMP),
        "made_at": pa.array([START] * count, logs.TIMESTAMP),
        "feature.distance": pa.array([float(n) for n in numbers], pa.float32()),
        **{f"feature.{name}": values for name, values in features.items()},
        **({"output.score": pa.array([0.5] * count, pa.float32())} if outputs is None else outputs),
    }
    batch = pa.RecordBatch.from_pydict(
        columns, metadata=logs.version_metadata(model, version, "sha256:" + "0" * 64, role)
    )
    return logs.encode(batch)


def declared_rides(columns: dict[str, Any] | None = None, **keys: Any) -> DatasetSpec:
    """Return a spec of the dataset `rides` that fits the rows of `rides`. The label is optional."""
    given: dict[str, Any] = {
        "zone": {"type": "category"},
        "distance": {"type": "float", "min": 0},
        "stops": {"type": "int"},
        "night": {"type": "bool"},
        "rain": {"type": "float", "optional": True},
        "tipped": {"type": "int", "min": 0, "max": 1, "optional": True},
    }
    known = {"kind": "dataset", "dataset": "rides", "entity": ["ride"], "event_time": "started", "max_bad_share": 0.2}
    return DatasetSpec.model_validate(known | {"columns": given | (columns or {})} | keys)

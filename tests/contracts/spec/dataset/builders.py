"""Dataset specs and model specs of the tests."""

from __future__ import annotations

from typing import Any

from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.model import ModelSpec

TEXT = """\
kind: dataset
dataset: weather
entity: [origin]
event_time: time_hour
time_zone: UTC
columns:
  origin: {type: category, values: [EWR, JFK, LGA]}
  temp: {type: float, optional: true, min: -60, max: 130}
  gusts: {type: int, min: 0}
  fog: {type: bool, optional: true}
max_bad_share: 0.1
unknown_columns: ignore
"""


def dataset_of(columns: dict[str, Any] | None = None, **keys: Any) -> DatasetSpec:
    """Return a spec of `weather` with these columns."""
    known = {"kind": "dataset", "dataset": "weather", "entity": ["origin"], "event_time": "time_hour"}
    return DatasetSpec.model_validate(known | {"columns": columns or {"temp": {"type": "float"}}} | keys)


def model_of(features: dict[str, Any] | None = None, task: str = "binary", **data: Any) -> ModelSpec:
    """Return a spec of a model of `weather` that predicts `fog`."""
    known = {"dataset": "weather", "entity": "origin", "event_time": "time_hour", "label": "fog"}
    return ModelSpec.model_validate(
        {"model": "fog", "task": task, "data": known | data, "features": features or {"temp": {"type": "float"}}}
    )

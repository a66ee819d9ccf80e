"""The metric by month: of the served answers, and of the first model without retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx
import onnxruntime as ort
import polars as pl

from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.flights.dataset.flights import ENTITY, EVENT_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from rondo.flights.examples import Example
    from rondo.flights.observers.ledger import Answer

# A score or a value (float), or a label (text), aligned with rows. Null if there is none.
Outputs: TypeAlias = pl.Series
_CHUNK = 50_000


def roc_auc(labels: pl.Series, scores: pl.Series) -> float | None:
    """Return the area under the ROC curve (Mann-Whitney U, ties count half). None with only one class."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = scores.rank("average").filter(labels == 1).to_numpy()
    return float((ranks.sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _accuracy(labels: pl.Series, answers: pl.Series) -> float | None:
    return float(np.mean((labels == answers).to_numpy())) if len(labels) else None


def _mean_absolute_error(labels: pl.Series, values: pl.Series) -> float | None:
    return float(np.abs(labels.to_numpy() - values.to_numpy()).mean()) if len(labels) else None


METRICS: dict[str, Callable[[pl.Series, pl.Series], float | None]] = {
    "roc_auc": roc_auc,
    "accuracy": _accuracy,
    "mae": _mean_absolute_error,
}


def by_month(example: Example, flights: pl.DataFrame, outputs: Outputs) -> dict[int, float]:
    """Return the example's metric of each month. `outputs` are aligned with the rows.

    Rows without an outcome or an answer are ignored, and so are months for which the metric is not defined.
    """
    label, compute = example.label, METRICS[example.metric.name]
    known = pl.col("output").is_not_null() & pl.col(label).is_not_null()
    answered_rows = flights.with_columns(outputs.alias("output")).filter(known)
    found = {
        int(month): compute(rows[label], rows["output"])
        for (month,), rows in answered_rows.group_by(pl.col(EVENT_TIME).dt.month(), maintain_order=True)
    }
    return {month: value for month, value in sorted(found.items()) if value is not None}


def answered(flights: pl.DataFrame, answers: Mapping[str, Answer]) -> Outputs:
    """Return the served outputs, aligned with the rows."""
    return pl.Series([answer.output if (answer := answers.get(entity)) else None for entity in flights[ENTITY]])


class FirstModel:
    """The artifact of the first version, which is never retrained."""

    def __init__(self, artifact: bytes, features: Iterable[str]) -> None:
        self._features = tuple(features)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
        metadata = {prop.key: prop.value for prop in onnx.load_from_string(artifact).metadata_props}
        self._task = FittedTask.model_validate_json(metadata[FittedTask.METADATA])

    def outputs(self, flights: pl.DataFrame) -> Outputs:
        task = task_named(self._task.task)
        answer = next(output for output in task.outputs(self._task) if output.name == task.answer)
        tensor = answer.tensor
        chunks = [self._session.run([tensor], self._inputs(rows))[0] for rows in flights.iter_slices(_CHUNK)]
        found = np.concatenate(chunks).reshape(-1) if chunks else np.zeros(0, np.float32)
        if answer.kind == "label":
            return pl.Series(self._task.labels, dtype=pl.String).gather(found.astype(np.int64))
        return pl.Series(found, dtype=pl.Float32)

    def _inputs(self, rows: pl.DataFrame) -> dict[str, NDArray[np.generic]]:
        return {name: _column(rows[name]) for name in self._features}


def _column(values: pl.Series) -> NDArray[np.generic]:
    """Return a feature as an input of the ONNX graph: shape [N, 1], a missing text as "", a missing number as NaN."""
    if values.dtype == pl.String:
        return values.fill_null("").to_numpy().astype(object).reshape(-1, 1)
    return values.cast(pl.Float32).fill_null(float("nan")).to_numpy().reshape(-1, 1)

"""Metrics of probabilities against binary labels: over all rows, and by the slices that the gates compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from rondo.contracts.training_evidence import Evaluation, SliceMetric
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Of a column with more values, only the largest slices are evaluated: smaller ones have too few rows for a verdict.
MAX_SLICES = 1_000
_CLASSES = [0, 1]


def evaluate(
    labels: NDArray[np.float32], scores: NDArray[np.float32], rows: pl.DataFrame, slices: Sequence[str]
) -> Evaluation:
    """Evaluate probabilities against labels (0 or 1), both of shape `[rows]`; `slices` are columns of `rows`."""
    chance = scores.astype(np.float64)
    metrics = {
        "roc_auc": roc_auc(labels, scores),
        "log_loss": float(log_loss(labels, chance, labels=_CLASSES)),
        "brier": float(brier_score_loss(labels, chance, labels=_CLASSES)),
    }
    defined = {name: value for name, value in metrics.items() if value is not None}
    found = tuple(part for column in slices for part in _slices(rows[column], labels, scores))
    return Evaluation(metrics=defined, slices=found)


def roc_auc(labels: NDArray[np.float32], scores: NDArray[np.float32]) -> float | None:
    """Return the area under the ROC curve; None where one class is absent."""
    if len(np.unique(labels)) != len(_CLASSES):
        return None
    return float(roc_auc_score(labels, scores))


def _slices(values: pl.Series, labels: NDArray[np.float32], scores: NDArray[np.float32]) -> Iterable[SliceMetric]:
    text = values.cast(pl.String).fill_null("")
    counted = text.value_counts(sort=False).filter(pl.col(values.name).str.len_chars() <= MAX_CATEGORY_CHARACTERS)
    largest = counted.sort(["count", values.name], descending=[True, False]).head(MAX_SLICES)
    for value in sorted(largest[values.name].to_list()):
        chosen = (text == value).to_numpy()
        yield SliceMetric(
            column=values.name,
            value=value,
            rows=int(chosen.sum()),
            positives=int(np.count_nonzero(labels[chosen] == 1)),
            roc_auc=roc_auc(labels[chosen], scores[chosen]),
        )

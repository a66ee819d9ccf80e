"""How well scores fit labels: over all rows, and on the slices that the gates look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rondo.contracts.evidence import Evaluation, SliceMetric
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Of a column with more values, only the largest slices are evaluated: smaller ones have too few rows for a verdict.
MAX_SLICES = 1_000
# Where a probability is exactly 0 or 1 the log loss would be infinite.
EPSILON = 1e-7


def evaluate(
    labels: NDArray[np.float32], scores: NDArray[np.float32], rows: pl.DataFrame, slices: Sequence[str]
) -> Evaluation:
    """Judge probabilities against labels (0 or 1), both of shape `[rows]`; `slices` names columns of `rows`."""
    chance = np.clip(scores.astype(np.float64), EPSILON, 1 - EPSILON)
    metrics = {
        "roc_auc": roc_auc(labels, scores),
        "log_loss": float(-np.mean(np.where(labels == 1, np.log(chance), np.log1p(-chance)))),
        "brier": float(np.mean((scores.astype(np.float64) - labels) ** 2)),
    }
    defined = {name: value for name, value in metrics.items() if value is not None}
    found = tuple(part for column in slices for part in _slices(rows[column], labels, scores))
    return Evaluation(metrics=defined, slices=found)


def roc_auc(labels: NDArray[np.float32], scores: NDArray[np.float32]) -> float | None:
    """Return the chance that a positive row is scored above a negative one, ties counting half.

    It is the Mann-Whitney statistic over mean ranks (Hanley and McNeil, 1982); None where one class is absent.
    """
    positives = int(np.count_nonzero(labels == 1))
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return None
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    rank_sum = float(mean_rank[place][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


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

"""The metrics of a model on labelled rows, computed by scikit-learn under the names of `rondo.contracts.tasks.metrics`.

A metric of a single task has a formula there instead. Those of decided labels have one in `confusion`, and those of one
probability in `probability_metrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as sk

from rondo.contracts.tasks.metrics import CALIBRATION_BINS
from rondo.contracts.tasks.registry import METRICS
from rondo.trainer.evaluation.metrics import value_metrics
from rondo.trainer.evaluation.metrics.confusion import OF_CONFUSION, marginals
from rondo.trainer.evaluation.metrics.probability_metrics import brier, log_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from rondo.trainer.evaluation.metrics.confusion import Measure
    from rondo.trainer.evaluation.metrics.scored import Scored

    Weights = NDArray[np.float64] | None


def compute(name: str, scored: Scored, weights: Weights = None) -> float | None:
    """Return a metric, or a rate of decisions. None if it is not defined on these rows.

    `weights` has the shape `[N]`. By default every row has the weight 1. All outputs must be finite.
    """
    if not len(scored):
        return None
    if name in _METRICS:
        value = _METRICS[name](scored, weights)
    else:
        formula = METRICS[name].formula
        assert formula is not None  # noqa: S101 - a test holds it for all metrics that are not in `_METRICS`
        value = formula(scored.targets, scored.outputs, weights)
    return float(value) if value is not None and np.isfinite(value) else None


def compute_all(names: Iterable[str], scored: Scored) -> dict[str, float]:
    """Return the metrics that are defined, by name."""
    found = ((name, compute(name, scored)) for name in names)
    return {name: value for name, value in found if value is not None}


def _targets(scored: Scored) -> NDArray[np.int64]:
    return scored.targets.astype(np.int64)


def _roc_auc(scored: Scored, weights: Weights) -> float | None:
    if scored.is_one_probability:
        if weights is None:
            return scored.curve.roc_auc() if _has_both_classes(scored) else None
        return _one_roc_auc(_targets(scored), scored.score, weights)
    found = [
        _one_roc_auc((_targets(scored) == index).astype(np.int64), column, weights)
        for index, column in enumerate(scored.probabilities.T)
    ]
    defined = [value for value in found if value is not None]
    return float(np.mean(defined)) if defined else None


def _has_both_classes(scored: Scored) -> bool:
    positive = _targets(scored) == 1
    return bool(positive.any() and not positive.all())


def _one_roc_auc(labels: NDArray[np.int64], scores: NDArray[np.float32], weights: Weights) -> float | None:
    positive = (labels if weights is None else labels[weights > 0]) == 1
    if positive.all() or not positive.any():
        return None
    # Same as `roc_auc_score`, which is slower: it first counts the classes four times.
    false_positives, true_positives, _ = sk.roc_curve(labels, scores, sample_weight=weights)
    return float(sk.auc(false_positives, true_positives))


def _average_precision(scored: Scored, weights: Weights) -> float | None:
    if scored.is_one_probability:
        if weights is None:
            return scored.curve.average_precision() if (_targets(scored) == 1).any() else None
        return _one_average_precision(_targets(scored), scored.score, weights)
    found = [
        _one_average_precision((_targets(scored) == index).astype(np.int64), column, weights)
        for index, column in enumerate(scored.probabilities.T)
    ]
    defined = [value for value in found if value is not None]
    return float(np.mean(defined)) if defined else None


def _one_average_precision(labels: NDArray[np.int64], scores: NDArray[np.float32], weights: Weights) -> float | None:
    if not (labels if weights is None else labels[weights > 0]).any():
        return None
    return float(sk.average_precision_score(labels, scores, sample_weight=weights))


def chances(scored: Scored) -> NDArray[np.float64]:
    """Return the probabilities of the classes, shape `[N, classes]`. An unknown class has the probability 0."""
    if scored.is_one_probability:
        score = scored.score.astype(np.float64)
        return np.column_stack([1 - score, score])
    known = scored.probabilities.astype(np.float64)
    known = known / known.sum(axis=1, keepdims=True)
    return np.column_stack([known, np.zeros(len(known))])


def _log_loss(scored: Scored, weights: Weights) -> float:
    if scored.is_one_probability and weights is None:
        return log_loss(_targets(scored), scored.score.astype(np.float64))
    found = chances(scored)
    return float(sk.log_loss(_targets(scored), found, labels=range(found.shape[1]), sample_weight=weights))


def _brier(scored: Scored, weights: Weights) -> float:
    if scored.is_one_probability:
        chance = scored.score.astype(np.float64)
        if weights is None:
            return brier(_targets(scored), chance)
        return float(sk.brier_score_loss(_targets(scored), chance, labels=[0, 1], sample_weight=weights))
    found = chances(scored)
    options = {"labels": range(found.shape[1]), "sample_weight": weights, "scale_by_half": False}
    return float(sk.brier_score_loss(_targets(scored), found, **options))


def _calibration_error(scored: Scored, weights: Weights) -> float:
    """Return the gap between score and share, weighted by the rows of 20 bins (Guo et al., ICML 2017, formula 3).

    The share is that of label 1 if the score is one probability, else that of right predictions.
    """
    bins, gaps = calibration_bins(scored)
    counted = np.ones(len(gaps)) if weights is None else weights
    return float(np.abs(np.bincount(bins, counted * gaps)).sum() / counted.sum())


def calibration_bins(scored: Scored) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the bin of each row, and its hit minus its score, both of shape `[N]`.

    A hit is 1 for a row with label 1, or with a right prediction if the score is that of the predicted class, else 0.
    """
    score = scored.score.astype(np.float64)
    targets = _targets(scored)
    hits = targets == 1 if scored.is_one_probability else targets == scored.decided
    bins = np.clip((score * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    return bins, hits - score


def _decided(measure: Measure) -> Callable[[Scored, Weights], float]:
    """Return a metric of the decided labels."""

    def of(scored: Scored, weights: Weights) -> float:
        cells, classes = cells_of(scored)
        return measure(*marginals(cells, weights, classes))

    return of


def cells_of(scored: Scored) -> tuple[NDArray[np.int64], int]:
    """Return the cell of each row in the confusion matrix, and the number of classes, see `confusion`."""
    targets, decided = _targets(scored), np.asarray(scored.decided, np.int64)
    classes = max(len(scored.task.labels), 1 + int(max(targets.max(), decided.max())))
    return targets * classes + decided, classes


def _selection_rate(scored: Scored, weights: Weights) -> float:
    return float(np.average(scored.decided == 1, weights=weights))


def _rate(of_class: int) -> Callable[[Scored, Weights], float | None]:
    """Return the share of the rows of a class that were predicted as 1."""

    def rate(scored: Scored, weights: Weights) -> float | None:
        mine = _targets(scored) == of_class
        of = None if weights is None else weights[mine]
        return float(np.average(scored.decided[mine] == 1, weights=of)) if mine.any() else None

    return rate


def costs(scored: Scored) -> NDArray[np.float64] | None:
    """Return the cost of each row's decided label, shape `[N]`. None if the task has no costs."""
    cost = scored.task.cost
    if cost is None:
        return None
    positive, decided = _targets(scored) == 1, scored.decided == 1
    found = cost.false_positive * (decided & ~positive) + cost.false_negative * (positive & ~decided)
    return np.asarray(found, np.float64)


def _cost(scored: Scored, weights: Weights) -> float | None:
    found = costs(scored)
    return None if found is None else float(np.average(found, weights=weights))


_METRICS: dict[str, Callable[[Scored, Weights], float | None]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "ece": _calibration_error,
    **{name: _decided(measure) for name, measure in OF_CONFUSION.items()},
    "selection_rate": _selection_rate,
    "true_positive_rate": _rate(1),
    "false_positive_rate": _rate(0),
    **value_metrics.METRICS,
    "cost": _cost,
}

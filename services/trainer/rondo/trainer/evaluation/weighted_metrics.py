"""Metrics as functions of the weights of rows, for resamples. Parts that do not depend on weights are computed once.

A weight is a whole number, and counts a row that often. The results equal those of scikit-learn on the repeated rows,
like those of `metrics`, which shares the formulas of decided labels. Sums of products use `einsum`: BLAS would start
threads for each sum, which cost more than the sum itself on a busy machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.evaluation.metrics.confusion import OF_CONFUSION, marginals
from rondo.trainer.evaluation.metrics.metrics import calibration_bins, cells_of, chances, costs
from rondo.trainer.evaluation.metrics.value_metrics import inside_interval, interval_tails
from rondo.trainer.evaluation.reference_profile import counted_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rondo.trainer.evaluation.metrics.confusion import Measure
    from rondo.trainer.evaluation.metrics.scored import Scored

    Vector = NDArray[np.float64]
    OfWeights = Callable[[Vector], float | None]

# The metrics that are the mean of losses of rows.
_MEANS = ("brier", "log_loss", "mae", "mape", "pinball")
_EPSILON = float(np.finfo(np.float64).eps)


def of_weights(name: str, scored: Scored) -> OfWeights | None:
    """Return a metric as a function of weights, shape `[rows]`. None if only scikit-learn can compute it."""
    if name in OF_CONFUSION:
        return _of_confusion(OF_CONFUSION[name], scored)
    if name in _OF_ORDER_OR_BINS:
        return _OF_ORDER_OR_BINS[name](scored)
    loss = _row_losses(name, scored)
    return None if loss is None else _mean(loss, root=name == "rmse")


def losses_of_rows(scored: Scored) -> Vector:
    """Return the losses by which strategies are compared, shape `[rows]`.

    They are those of the task's primary metric if that is a mean of losses, else the task's own losses.
    """
    task = task_named(scored.task.task)
    found = _row_losses(task.primary, scored) if task.primary in _MEANS else None
    return task.losses(scored.task, counted_rows(scored), None) if found is None else found


def _mean(loss: Vector, *, root: bool) -> OfWeights:
    def evaluate(weights: Vector) -> float:
        mean = _dot(weights, loss) / float(weights.sum())
        return mean**0.5 if root else mean

    return evaluate


def _dot(weights: Vector, values: Vector) -> float:
    return float(np.einsum("i,i->", weights, values))


def _row_losses(name: str, scored: Scored) -> Vector | None:
    """Return the values whose mean is the metric, or its square."""
    targets = scored.targets.astype(np.float64)
    if name in ("brier", "log_loss"):
        return _losses_of_chances(name, scored)
    if name in ("mae", "rmse", "mape"):
        error = np.abs(scored.answer.astype(np.float64) - targets)
        of_target = np.maximum(np.abs(targets), _EPSILON) if name == "mape" else 1.0
        return np.asarray(error * error if name == "rmse" else error / of_target)
    if name == "cost":
        return costs(scored)
    if name == "interval_coverage":
        inside = inside_interval(scored)
        return None if inside is None else inside.astype(np.float64)
    if name == "pinball":
        errors = ((targets - end.astype(np.float64), share) for end, share in interval_tails(scored))
        return np.asarray(sum(np.maximum(share * error, (share - 1) * error) for error, share in errors) / 2)
    return None


def _losses_of_chances(name: str, scored: Scored) -> Vector:
    if name == "brier" and scored.is_one_probability:
        return np.asarray((scored.score.astype(np.float64) - scored.targets) ** 2)
    found, place = chances(scored), (np.arange(len(scored)), scored.targets.astype(np.int64))
    if name == "log_loss":
        return np.asarray(-np.log(np.clip(found[place], _EPSILON, 1 - _EPSILON)))
    found[place] -= 1
    return np.asarray(np.einsum("ij,ij->i", found, found))


def _over_classes(
    of_one: Callable[[NDArray[np.float32], NDArray[np.bool_]], OfWeights],
) -> Callable[[Scored], OfWeights]:
    """Return a metric of one probability, or its mean over the classes, each against all others."""

    def of(scored: Scored) -> OfWeights:
        if scored.is_one_probability:
            return of_one(scored.score, scored.targets == 1)
        columns = enumerate(scored.probabilities.T)
        of_classes = [of_one(scores, scored.targets == index) for index, scores in columns]

        def evaluate(weights: Vector) -> float | None:
            found = [value for of_class in of_classes if (value := of_class(weights)) is not None]
            return float(np.mean(found)) if found else None

        return evaluate

    return of


def _roc_auc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> OfWeights:
    of_positives, of_negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
    of_negatives = of_negatives[np.argsort(scores[of_negatives], kind="stable")]
    # For each positive row, the numbers of negative rows with a lower score, and with a score that is not higher.
    below, through = (np.searchsorted(scores[of_negatives], scores[of_positives], side) for side in ("left", "right"))
    tied = not np.array_equal(below, through)
    sums = np.zeros(len(of_negatives) + 1, dtype=np.int64)

    def evaluate(weights: Vector) -> float | None:
        positives = weights[of_positives]
        # Weights are whole numbers, and NumPy's cumulative sum of integers is seven times as fast as that of floats.
        np.cumsum(weights[of_negatives].astype(np.int64), out=sums[1:])
        pairs = positives.sum() * float(sums[-1])
        lower = (sums[below] + sums[through]) / 2 if tied else sums[below].astype(np.float64)
        return _dot(positives, lower) / float(pairs) if pairs else None

    return evaluate


def _average_precision(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> OfWeights:
    order = np.argsort(-scores, kind="stable")
    # A threshold includes all rows with the same score.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    is_positive = positive[order].astype(np.int64)

    def evaluate(weights: Vector) -> float | None:
        in_order = weights[order].astype(np.int64)
        found, taken = np.cumsum(in_order * is_positive)[ends], np.cumsum(in_order)[ends]
        if not found[-1]:
            return None
        precision = np.divide(found, taken, out=np.zeros(len(taken)), where=taken > 0)
        return _dot(np.diff(found, prepend=0).astype(np.float64), precision) / float(found[-1])

    return evaluate


def _calibration_error(scored: Scored) -> OfWeights:
    bins, gaps = calibration_bins(scored)
    return lambda weights: float(np.abs(np.bincount(bins, weights * gaps)).sum() / weights.sum())


def _r2(scored: Scored) -> OfWeights:
    targets = scored.targets.astype(np.float64)
    targets -= targets.mean()
    error = (scored.answer.astype(np.float64) - scored.targets) ** 2

    def evaluate(weights: Vector) -> float | None:
        if np.ptp(targets[weights > 0]) == 0:
            return None
        mean = _dot(weights, targets) / float(weights.sum())
        return 1 - _dot(weights, error) / _dot(weights, (targets - mean) ** 2)

    return evaluate


def _of_confusion(measure: Measure, scored: Scored) -> OfWeights:
    cells, classes = cells_of(scored)
    return lambda weights: measure(*marginals(cells, weights, classes))


_OF_ORDER_OR_BINS: dict[str, Callable[[Scored], OfWeights]] = {
    "roc_auc": _over_classes(_roc_auc),
    "average_precision": _over_classes(_average_precision),
    "ece": _calibration_error,
    "r2": _r2,
}

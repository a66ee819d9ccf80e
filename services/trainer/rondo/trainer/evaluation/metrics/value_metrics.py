"""The metrics of predicted values, and of the interval around them, computed by scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as sk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rondo.trainer.evaluation.metrics.scored import Scored

    Weights = NDArray[np.float64] | None
    Ends = tuple[tuple[NDArray[np.float32], float], tuple[NDArray[np.float32], float]]

_TWO = 2


def _of_values(measure: Callable[..., float]) -> Callable[[Scored, Weights], float]:
    """Return a metric of the predicted values."""

    def of(scored: Scored, weights: Weights) -> float:
        values, targets = scored.answer.astype(np.float64), scored.targets.astype(np.float64)
        return float(measure(targets, values, sample_weight=weights))

    return of


def _r2(scored: Scored, weights: Weights) -> float | None:
    return None if len(np.unique(scored.targets)) < _TWO else _of_values(sk.r2_score)(scored, weights)


def _pinball(scored: Scored, weights: Weights) -> float | None:
    if scored.task.interval is None or scored.ends is None:
        return None
    targets = scored.targets.astype(np.float64)
    return float(
        np.mean(
            [
                sk.mean_pinball_loss(targets, end.astype(np.float64), alpha=at, sample_weight=weights)
                for end, at in interval_tails(scored)
            ]
        )
    )


def interval_tails(scored: Scored) -> Ends:
    """Return the ends of the interval, each with the nominal share of outcomes below it. The task has an interval."""
    assert scored.task.interval is not None  # noqa: S101 - the caller's condition
    assert scored.ends is not None  # noqa: S101
    (low, high), tail = scored.ends, (1 - scored.task.interval.coverage) / 2
    return (low, tail), (high, 1 - tail)


def inside_interval(scored: Scored) -> NDArray[np.bool_] | None:
    """Return true for rows whose target is in the interval, shape `[N]`. None for a model without one."""
    if scored.ends is None:
        return None
    low, high = scored.ends
    return np.asarray((low <= scored.targets) & (scored.targets <= high))


def _coverage(scored: Scored, weights: Weights) -> float | None:
    inside = inside_interval(scored)
    return None if inside is None else float(np.average(inside, weights=weights))


METRICS: dict[str, Callable[[Scored, Weights], float | None]] = {
    "rmse": _of_values(sk.root_mean_squared_error),
    "mae": _of_values(sk.mean_absolute_error),
    "median_absolute_error": _of_values(sk.median_absolute_error),
    "mape": _of_values(sk.mean_absolute_percentage_error),
    "r2": _r2,
    "pinball": _pinball,
    "interval_coverage": _coverage,
}

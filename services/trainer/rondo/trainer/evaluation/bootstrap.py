"""A paired bootstrap of the difference of a metric between candidate and champion.

Rows are drawn with replacement, the same rows for both models, so that their common difficulty cancels out (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.training_evidence import Comparison
from rondo.trainer.evaluation.metrics import metrics
from rondo.trainer.evaluation.weighted_metrics import of_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.trainer.evaluation.metrics.scored import Scored

# The number of resamples: fewer of many rows, and fewer for a metric that scikit-learn computes for each resample.
_MOST, _LEAST, _ROWS = 1_000, 200, 5_000_000
_ONE_HALF = 0.5


def compare(name: str, candidate: Scored, champion: Scored, confidence: float, seed: int) -> Comparison | None:
    """Compare two models by a metric on the same rows. None where it is not defined for one of them.

    With a confidence of one half, both bounds are the difference on the rows as they are.
    """
    metric = METRICS[name]
    mine, other = metrics.compute(name, candidate), metrics.compute(name, champion)
    if mine is None or other is None:
        return None
    loss = metric.loss(mine, other)
    quick = of_weights(name, candidate), of_weights(name, champion)
    ours, theirs = quick[0] or partial(_by_rows, name, candidate), quick[1] or partial(_by_rows, name, champion)
    count = max(_LEAST, min(_MOST, _ROWS // len(candidate))) if quick[0] else _LEAST
    losses = [
        metric.loss(mine, other)
        for weights in _resamples(len(candidate), count, seed)
        if (mine := ours(weights)) is not None and (other := theirs(weights)) is not None
    ]
    if confidence <= _ONE_HALF or not losses:
        low = high = loss
    else:
        low, high = (float(bound) for bound in np.quantile(losses, [1 - confidence, confidence]))
    return Comparison(metric=name, loss=loss, low=low, high=high, confidence=confidence, resamples=len(losses))


def _resamples(rows: int, count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield the number of times that each row is drawn, shape `[rows]`."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)


def _by_rows(name: str, scored: Scored, weights: NDArray[np.float64]) -> float | None:
    drawn = weights > 0
    return metrics.compute(name, scored.take(drawn), weights[drawn])

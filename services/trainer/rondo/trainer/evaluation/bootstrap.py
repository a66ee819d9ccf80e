"""A paired bootstrap: how much worse a candidate is than the champion, on resamples of the same rows.

Rows are drawn with replacement, the same ones for both models, so that what both find hard cancels out (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.metrics import METRICS
from rondo.contracts.training_evidence import Comparison
from rondo.trainer.evaluation.metrics import chances, compute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from rondo.trainer.evaluation.metrics import Scored

    Evaluate = Callable[[NDArray[np.float64]], float | None]

# Resamples: most where each costs about a millisecond, fewer of many rows or of a metric that takes longer.
_MOST, _LEAST, _ROWS = 1_000, 200, 5_000_000
_ONE_HALF = 0.5
_EPSILON = float(np.finfo(np.float64).eps)


def compare(name: str, candidate: Scored, champion: Scored, confidence: float, seed: int) -> Comparison | None:
    """Compare two models by a metric on the same rows; None where it is not defined for one of them.

    With a confidence of one half, both bounds are the difference on the rows as they are.
    """
    metric = METRICS[name]
    values = compute(name, candidate), compute(name, champion)
    if values[0] is None or values[1] is None:
        return None
    loss = metric.loss(values[0], values[1])
    fast = _by_row(name, candidate), _by_row(name, champion)
    ours, theirs = fast[0] or partial(_by_weight, name, candidate), fast[1] or partial(_by_weight, name, champion)
    count = max(_LEAST, min(_MOST, _ROWS // len(candidate))) if fast[0] else _LEAST
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
    """Yield how often each row is drawn, shape `[rows]`."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)


def _by_weight(name: str, scored: Scored, weights: NDArray[np.float64]) -> float | None:
    drawn = weights > 0
    return compute(name, scored.take(drawn), weights[drawn])


def _by_row(name: str, scored: Scored) -> Evaluate | None:
    """Return a metric that is a mean over rows, or the ROC AUC, as a function of weights alone; None for others."""
    if name == "roc_auc" and scored.task.task == "binary":
        return _roc_auc(scored.outputs["score"], scored.targets == 1)
    loss = _row_losses(name, scored)
    if loss is None:
        return None
    total = float(len(scored))
    if name == "rmse":
        return lambda weights: float(np.sqrt(weights @ loss / total))
    return lambda weights: float(weights @ loss / total)


def _row_losses(name: str, scored: Scored) -> NDArray[np.float64] | None:
    targets = scored.targets.astype(np.float64)
    if name == "accuracy":
        return np.asarray(scored.outputs["label"] == scored.targets.astype(np.int64), np.float64)
    if name == "brier":
        return np.asarray((scored.outputs["score"].astype(np.float64) - targets) ** 2)
    if name == "log_loss":
        chance = chances(scored)[np.arange(len(scored)), scored.targets.astype(np.int64)]
        return np.asarray(-np.log(np.clip(chance, _EPSILON, 1 - _EPSILON)))
    if name in ("mae", "rmse"):
        error = scored.outputs["value"].astype(np.float64) - targets
        return np.asarray(error * error if name == "rmse" else np.abs(error))
    return None


def _roc_auc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> Evaluate:
    """Return the ROC AUC as a function of the weights of rows; the rows are sorted once."""
    order = np.argsort(scores, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(scores[order])) + 1])
    is_positive = positive[order].astype(np.float64)

    def evaluate(weights: NDArray[np.float64]) -> float | None:
        sorted_weights = weights[order]
        positives = np.add.reduceat(sorted_weights * is_positive, starts)
        negatives = np.add.reduceat(sorted_weights, starts) - positives
        pairs = positives.sum() * negatives.sum()
        below = np.cumsum(negatives) - negatives
        return float((positives * (below + negatives / 2)).sum() / pairs) if pairs else None

    return evaluate

"""Permutation importance: the increase of the loss if the values of a feature are permuted.

The method is that of Breiman ("Random forests", Machine Learning 2001), for any model and loss by Fisher, Rudin and
Dominici ("All models are wrong, but many are useful", Journal of Machine Learning Research 2019). It uses the graph of
the evaluated model, which has not seen the holdout. Two features with the same information replace each other, so each
of them alone has a low importance. The error is the standard error over rows, for one permutation of each feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.contracts.events.training import FeatureImportance
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import Importance
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_profile import counted_rows
from rondo.trainer.external_models.errors import RunFailedError, RunMemoryError, RunTimeoutError
from rondo.trainer.onnx_graph.errors import GraphFailedError
from rondo.trainer.preparation.inputs import onnx_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.preparation.inputs import Inputs

    Predict = Callable[[Inputs], Mapping[str, NDArray[Any]]]

MOST_ROWS = 1_000
# The number of rows in all permuted copies. Their prediction takes a small part of the time of a fit.
_MOST_PREDICTIONS = 20_000
_FEWEST_ROWS = 30
_DIGITS = 6


def permutation_importance(
    spec: ModelSpec, holdout: pl.DataFrame, scored: Scored, predict: Predict
) -> Importance | None:
    """Return the importance of the features on a random sample of the holdout.

    `predict` returns the outputs of the evaluated model by name, for inputs of shape `[rows, 1]`. The result is None
    with fewer than 30 rows, or if the model fails on the permuted rows, which are combinations that no training had.
    """
    rng = np.random.default_rng(spec.trainer.seed)
    rows = min(MOST_ROWS, holdout.height, max(_FEWEST_ROWS, _MOST_PREDICTIONS // (len(spec.features) + 1)))
    if rows < _FEWEST_ROWS:
        return None
    chosen = np.sort(rng.choice(holdout.height, rows, replace=False))
    largest = task_named(scored.task.task).largest_loss(scored.task, counted_rows(scored))
    sample, targets = onnx_inputs(spec.features, holdout[chosen]), scored.targets[chosen]

    def losses(copies: int, inputs: Inputs) -> NDArray[np.float64]:
        answered = Scored(scored.task, np.tile(targets, copies), predict(inputs))
        found = task_named(scored.task.task).losses(scored.task, counted_rows(answered), largest)
        return found.reshape(copies, rows)

    try:
        known = losses(1, sample)[0]
        groups = _groups([*sample], max(1, _MOST_PREDICTIONS // rows // 4))
        found = [
            each
            for names in groups
            for each in _increases(names, losses(len(names), _permuted(sample, names, rng)) - known)
        ]
    except (GraphFailedError, RunFailedError, RunMemoryError, RunTimeoutError):
        return None
    ordered = sorted(found, key=lambda each: (-each.loss_increase, each.feature))
    return Importance(rows=rows, loss=_rounded(float(np.nanmean(known))), features=tuple(ordered))


def _groups(names: list[str], size: int) -> list[list[str]]:
    return [names[first : first + size] for first in range(0, len(names), size)]


def _permuted(sample: Inputs, names: list[str], rng: np.random.Generator) -> Inputs:
    """Return a copy of the sample for each name, in which that feature is permuted, one after the other."""
    rows = len(next(iter(sample.values())))
    order = {name: rng.permutation(rows) for name in names}
    return {
        column: np.concatenate([values[order[name]] if name == column else values for name in names])
        for column, values in sample.items()
    }


def _increases(names: list[str], increases: NDArray[np.float64]) -> Iterator[FeatureImportance]:
    """Yield the mean increase and its standard error for each name, from `increases`, shape `[names, rows]`.

    A name with too few known increases is skipped.
    """
    for name, each in zip(names, increases, strict=True):
        known = each[np.isfinite(each)]
        if len(known) >= _FEWEST_ROWS:
            error = float(known.std(ddof=1) / np.sqrt(len(known)))
            yield FeatureImportance(feature=name, loss_increase=_rounded(float(known.mean())), error=_rounded(error))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

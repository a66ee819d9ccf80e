"""Scores a model on its holdout, and chooses its threshold or the width of its interval on other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import task_named
from rondo.trainer.dataset.columns import targets
from rondo.trainer.dataset.split import calibration
from rondo.trainer.evaluation.metrics import Scored

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec


def score_holdout(
    spec: ModelSpec,
    classes: tuple[str, ...],
    holdout: pl.DataFrame,
    predict: Callable[[pl.DataFrame], NDArray[np.float64]],
) -> tuple[pl.DataFrame, Scored]:
    """Return the rows that evaluate a model, and its outputs for them. `predict` gives the raw predictions of rows."""
    task, (choosing, evaluating) = task_named(spec.task), calibration(spec, holdout)
    raw, found = predict(choosing), targets(spec, choosing, classes)
    fitted = task.fitted(classes, spec.prediction.model_dump(), raw, found)
    if evaluating is not choosing:
        raw, found = predict(evaluating), targets(spec, evaluating, classes)
    return evaluating, Scored(fitted, found, task.predictions(fitted, raw))

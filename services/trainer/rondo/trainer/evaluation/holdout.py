"""Scores a model on its holdout, and chooses its threshold or the width of its interval on other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import task_named
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

    def targets(rows: pl.DataFrame) -> NDArray[np.float32]:
        return task.targets(rows[spec.data.label].to_list(), classes)

    fitted = task.fitted(classes, spec.prediction.model_dump(), predict(choosing), targets(choosing))
    return evaluating, Scored(fitted, targets(evaluating), task.predictions(fitted, predict(evaluating)))

"""Calibration of the predictions on the holdout, by predicted value. The monitor estimates performance from it.

Predictions are calibrated by histogram binning (Zadrozny and Elkan, "Obtaining calibrated probability estimates from
decision trees and naive Bayesian classifiers", ICML 2001).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.binning import Binning
from rondo.contracts.tasks.registry import task_named
from rondo.contracts.training_evidence import BinnedFigure, Calibration, NumericProfile
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import FittedTask
    from rondo.contracts.training_evidence import FeatureProfile, LossReference

# Figures of a bin, which may have only tens of rows, are far less precise than this.
_DIGITS = 9


def calibration_of(
    fitted: FittedTask, counted: pa.Table, outputs: Mapping[str, FeatureProfile], loss: LossReference | None
) -> Calibration | None:
    """Return the calibration of a holdout. None if it has no losses, or the sketches of the task count no number.

    `counted` has the columns of `contracts.tasks.sketches`.
    """
    task = task_named(fitted.task)
    output = task.counted.get("number")
    profile = None if output is None else outputs.get(output)
    if loss is None or output is None or not isinstance(profile, NumericProfile):
        return None
    losses = task.losses(fitted, counted, loss.largest)
    known = np.isfinite(losses)
    (column,) = Binning.of_columns({}, {output: profile}).columns
    bins = column.bins_of(counted.column("number").to_numpy().astype(np.float32)[known])
    size = len(profile.counts)
    rows = np.bincount(bins, minlength=size)
    figures = {StatisticName.LOSS.value: losses, **task.row_figures(fitted, counted)}
    return Calibration(
        output=output,
        rows=tuple(rows.tolist()),
        figures={name: _binned(values[known], bins, rows) for name, values in figures.items()},
    )


def _binned(values: NDArray[np.float64], bins: NDArray[np.int64], rows: NDArray[np.int64]) -> BinnedFigure:
    """Return mean and variance of the values by bin."""
    size, held = len(rows), np.maximum(rows, 1)
    means = np.bincount(bins, values, size) / held
    variances = np.bincount(bins, (values - means[bins]) ** 2, size) / held
    return BinnedFigure(means=_rounded(means), variances=_rounded(variances))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)

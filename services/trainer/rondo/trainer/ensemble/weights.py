"""Weighs the members of an ensemble by their error on recent rows.

The weight of a member is MSE_r - MSE_i. MSE_i is its mean squared error, and MSE_r that of a constant prediction: the
shares of the classes, or the mean of numbers. A member that is no better has the weight 0, and is dropped. This is the
accuracy-weighted ensemble of Wang, Fan, Yu and Han, "Mining concept-drifting data streams using ensemble classifiers",
KDD 2003.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import TargetKind

# Weights are multiples of 1/1000: threads and machines change the last digits of a sum, and must not change a weight.
_UNITS = 1_000


def mean_squared_error(target: TargetKind, raw: NDArray[np.float64], targets: NDArray[np.float32]) -> float:
    """Return the mean squared error of raw predictions, shape `[rows, width]`.

    The error of a class is 1 minus the probability of the right class. The result is infinite if a prediction is no
    finite number. A class that the model does not know has the index `width` and the probability 0.
    """
    if not np.isfinite(raw).all():
        return float("inf")
    if target != "probabilities":
        return float(np.mean((raw[:, 0] - targets) ** 2))
    known = np.column_stack([raw, np.zeros(len(raw))])
    return float(np.mean((1 - known[np.arange(len(raw)), targets.astype(np.int64)]) ** 2))


def reference_error(target: TargetKind, targets: NDArray[np.float32]) -> float:
    """Return MSE_r, the error of a constant prediction: the shares of the classes, or the mean of the numbers."""
    if target == "number":
        return float(np.var(targets.astype(np.float64)))
    shares = np.unique(targets, return_counts=True)[1] / len(targets)
    return float(np.sum(shares * (1 - shares) ** 2))


def weigh(errors: Sequence[float], reference: float) -> tuple[float, ...]:
    """Return the weights of members, which add up to 1. The first member has 1 if none is better than `reference`."""
    benefits = np.maximum(0, reference - np.asarray(errors, np.float64))
    if not benefits.sum() > 0:
        benefits = np.eye(1, len(errors))[0]
    units = np.floor(benefits / benefits.sum() * _UNITS).astype(np.int64)
    units[int(np.argmax(units))] += _UNITS - units.sum()
    return tuple((units / _UNITS).tolist())

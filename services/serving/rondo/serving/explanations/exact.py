"""Shapley values of the features of one row, by all sets of features. They work for any model with few features.

The value of a set of features is the mean output over all rows of a background, where these features are the row's. A
feature's Shapley value is the weighted mean of the difference that it makes to each set of the other features (Shapley,
"A value for n-person games", 1953). With D features 2^D sets are evaluated on each row of the background. `shapley.py`
samples instead.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.explanations.shapley import MOST_ROWS, Shapley

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.serving.requests.rows import Column


def evaluations(features: int, background: int) -> int:
    """Return the number of evaluations of the model for one row, with `background` rows of the background."""
    return background << features


def exact_shapley(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
) -> Shapley:
    """Return the Shapley values of a row, given as one value per feature. The standard errors are 0."""
    count = len(row)
    # The sets of features as the bits of whole numbers, and the value of each set, shape [2^D, outputs].
    sets = np.arange(2**count)
    worth = _worth(score, row, background, sets)
    sizes = np.bitwise_count(sets)
    weights = np.array([factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)])
    values = np.empty((count, worth.shape[1]))
    for feature in range(count):
        others = sets[sets >> feature & 1 == 0]
        added = worth[others | 1 << feature] - worth[others]
        values[feature] = weights[sizes[others]] @ added
    return Shapley(values, np.zeros_like(values), worth[0])


def _worth(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    sets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean output of each set of features over the background, shape [sets, outputs]."""
    rows = len(next(iter(background.values())))
    size, found = max(MOST_ROWS // rows, 1), []
    for first in range(0, len(sets), size):
        part = sets[first : first + size, np.newaxis]
        columns: dict[str, Any] = {
            name: np.where(part >> at & 1 == 1, value, background[name]).astype(background[name].dtype).reshape(-1)
            for at, (name, value) in enumerate(row.items())
        }
        found.append(score(columns).reshape(len(part), rows, -1).mean(axis=1, dtype=np.float64))
    return np.concatenate(found)

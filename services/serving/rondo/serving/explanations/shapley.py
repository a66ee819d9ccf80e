"""Shapley values of the features of one row, for any model, by sampled permutations.

The value of a set of features is the mean output where these are the row's and the others come from a background
(Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017, with independent features). A
permutation adds the features to a background row one after the other; each contributes what it changes. Permutations
come in pairs, one the reverse of the other, which lowers the variance (Mitchell, Cooper, Frank and Holmes, "Sampling
permutations for Shapley value estimation", JMLR 2022).

The values of a row add up to its output minus the mean output of the background rows used, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rondo.serving.requests.rows import Column


_SEED = 1
_MOST_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Shapley:
    """The values of D features for K outputs and their standard errors, shape [D, K].

    `base` is the mean output of the background, shape [K].
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    base: NDArray[np.float64]


def shapley(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    pairs: int,
) -> Shapley:
    """Return the Shapley values of a row, given as one value per feature, by so many pairs of permutations, 2 at least.

    The same row gives the same values.
    """
    rng, count = np.random.default_rng(_SEED), len(row)
    orders = rng.permuted(np.tile(np.arange(count), (pairs, 1)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])
    # At which step a permutation adds a feature, shape [permutations, features].
    places = np.argsort(orders, axis=1)
    rows = np.tile(np.arange(pairs) % len(next(iter(background.values()))), 2)
    outputs = _outputs(score, row, background, rows, places)
    changes = np.diff(outputs, axis=1)
    # Of each permutation and feature, shape [permutations, features, outputs].
    added = np.take_along_axis(changes, places[:, :, np.newaxis], axis=1)
    of_pairs = (added[:pairs] + added[pairs:]) / 2
    errors = of_pairs.std(axis=0, ddof=1) / np.sqrt(pairs)
    return Shapley(of_pairs.mean(axis=0), errors, outputs[:, 0].mean(axis=0))


def _outputs(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the outputs before the first step and after each, shape [permutations, steps + 1, outputs]."""
    steps = np.arange(len(row) + 1)
    size = max(_MOST_ROWS // len(steps), 1)
    found = []
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        columns: dict[str, Any] = {
            name: np.where(places[part, at, np.newaxis] < steps, value, background[name][rows[part], np.newaxis])
            .astype(background[name].dtype)
            .reshape(-1)
            for at, (name, value) in enumerate(row.items())
        }
        found.append(score(columns).reshape(len(rows[part]), len(steps), -1).astype(np.float64))
    return np.concatenate(found)

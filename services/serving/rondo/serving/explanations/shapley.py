"""Shapley values of the features of one row, for any model, by sampled permutations.

The value of a set of features is the mean output if these features are the row's and the others come from a background
(Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017, with independent features). A
permutation adds the features to a background row one after the other. The contribution of a feature is the change of
the output. Permutations come in pairs, one the reverse of the other, which lowers the variance (Mitchell, Cooper, Frank
and Holmes, "Sampling permutations for Shapley value estimation", JMLR 2022).

The values of a row add up to its output minus the mean output of the background rows used, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.serving.requests.rows import Column


_SEED = 1
# The number of rows on which a model is evaluated at once.
MOST_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Shapley:
    """The values of D features for K outputs and their standard errors, shape [D, K].

    `base` is the mean output of the background, shape [K].
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    base: NDArray[np.float64]

    def among(self, features: Sequence[str], own: Sequence[str]) -> Shapley:
        """Return the values of all `features`.

        Features that the model does not have change nothing, so their value is 0. `own` are the features of these
        values, in their order.
        """
        if list(features) == list(own):
            return self
        places = [list(features).index(name) for name in own]
        values, errors = (np.zeros((len(features), part.shape[1])) for part in (self.values, self.errors))
        values[places], errors[places] = self.values, self.errors
        return Shapley(values, errors, self.base)


def shapley(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    pairs: int,
) -> Shapley:
    """Return the Shapley values of a row, given as one value per feature, by at least 2 `pairs` of permutations.

    The same row gives the same values.
    """
    rng, count = np.random.default_rng(_SEED), len(row)
    orders = rng.permuted(np.tile(np.arange(count), (pairs, 1)), axis=1)
    rows = np.arange(pairs) % len(next(iter(background.values())))
    contributions, base = _Moments(), _Moments()
    size = max(MOST_ROWS // (2 * (count + 1)), 1)
    for first in range(0, pairs, size):
        part = slice(first, first + size)
        of_pairs, before = _added(score, row, background, rows[part], orders[part])
        contributions.add(of_pairs)
        base.add(before)
    errors = np.sqrt(contributions.squares / (pairs - 1) / pairs)
    return Shapley(contributions.mean, errors, base.mean)


@dataclass(slots=True)
class _Moments:
    """The mean of values along their first axis, and the sum of their squared deviations from the mean.

    Values are added in parts, because all values of a model with many labels would take gigabytes. See Chan, Golub and
    LeVeque, "Algorithms for computing the sample variance", 1983.
    """

    count: int = 0
    mean: Any = 0.0
    squares: Any = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        added, mean = len(values), values.mean(axis=0)
        count, change = self.count + added, mean - self.mean
        self.squares += ((values - mean) ** 2).sum(axis=0) + change**2 * (self.count * added / count)
        self.mean += change * (added / count)
        self.count = count


def _added(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    rows: NDArray[np.int64],
    orders: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the contributions of the features, as means of each pair, and the outputs of the background rows.

    The shapes are [pairs, features, outputs] and [permutations, outputs].
    """
    # The step at which a permutation adds a feature, shape [permutations, features].
    places = np.argsort(np.concatenate([orders, orders[:, ::-1]]), axis=1)
    outputs = _outputs(score, row, background, np.tile(rows, 2), places)
    added = np.take_along_axis(np.diff(outputs, axis=1), places[:, :, np.newaxis], axis=1)
    return (added[: len(rows)] + added[len(rows) :]) / 2, outputs[:, 0].copy()


def _outputs(
    score: Callable[[Mapping[str, Column]], NDArray[np.float32]],
    row: Mapping[str, Any],
    background: Mapping[str, Column],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the outputs before the first step and after each, shape [permutations, steps + 1, outputs]."""
    steps = np.arange(len(row) + 1)
    columns: dict[str, Any] = {
        name: np.where(places[:, at, np.newaxis] < steps, value, background[name][rows, np.newaxis])
        .astype(background[name].dtype)
        .reshape(-1)
        for at, (name, value) in enumerate(row.items())
    }
    return score(columns).reshape(len(rows), len(steps), -1).astype(np.float64)

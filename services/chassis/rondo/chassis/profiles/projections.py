"""Projections: weighted sums of the numeric features of a row, which show a change of the dependence between features.

A change of a single column is visible in that column. A change of the dependence between features is visible only in
the distribution of their weighted sums.

The value of a feature is its level: the rank in the reference, with mean 0 and variance 1. So a heavy tail does not
hide the other features, and a missing value counts as the mean.

Two distributions that differ also differ in almost every random projection (Cuesta-Albertos, Fraiman and Ransford,
"A sharp form of the Cramér-Wold theorem", Journal of Theoretical Probability 20, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.components import components
from rondo.contracts.training_evidence import NumericProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import FeatureProfile, Projections

# The contribution of a feature is a multiple of it. Sums below 2^12 are then exact in float32, so trainer and monitor
# have the same value for the same row. A sum of levels is at most the square root of 3 times the number of features.
_UNIT = 2.0**-12
_NAME = "projection "
# The number of rows whose contributions are in the cache at once.
_AT_ONCE = 16_384


def projection_name(number: int) -> str:
    """Return the name of a projection, counted from 1. It has a blank, unlike the names of features."""
    return f"{_NAME}{number}"


def is_projection(column: str | None) -> bool:
    """Return whether a column is a projection, by its name."""
    return column is not None and column.startswith(_NAME)


def computable(features: Mapping[str, FeatureProfile], projections: Projections | None) -> dict[str, NumericProfile]:
    """Return the profiles of projections by name. Empty if one, or one of their features, is of a later release."""
    if projections is None:
        return {}
    weighed = [features.get(name) for name in projections.weights]
    profiles = {name: part for name, part in projections.profiles.items() if isinstance(part, NumericProfile)}
    known = len(profiles) == len(projections.profiles) and all(isinstance(part, NumericProfile) for part in weighed)
    return profiles if known else {}


@dataclass(frozen=True, eq=False)
class Projector:
    """The contribution of each bin of each feature to the projections, float32 `[bins, projections]`."""

    tables: Mapping[str, NDArray[np.float32]]
    number: int

    @classmethod
    def of(cls, features: Mapping[str, FeatureProfile], weights: Mapping[str, tuple[float, ...]]) -> Projector:
        """Return the projector of numeric features by their profiles and weights."""
        tables = {
            name: _contributions(profile, np.array(weights[name]))
            for name, profile in features.items()
            if name in weights and isinstance(profile, NumericProfile)
        }
        return cls(tables, max(map(len, weights.values()), default=0))

    def zeros(self, rows: int) -> NDArray[np.float32]:
        """Return the initial projections of rows, which are 0, shape `[rows, projections]`."""
        return np.zeros((rows, self.number), np.float32)

    def add(self, projected: NDArray[np.float32], name: str, bins: NDArray[np.int64]) -> None:
        """Add the contribution of a feature to rows with these bins. A feature without weights adds nothing."""
        if name in self.tables:
            for first in range(0, len(bins), _AT_ONCE):
                part = slice(first, first + _AT_ONCE)
                projected[part] += self.tables[name].take(bins[part], axis=0)


def _contributions(profile: NumericProfile, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    level = components(profile).values[:, 0]
    return np.asarray(np.rint(level[:, None] * weights / _UNIT) * _UNIT, np.float32)

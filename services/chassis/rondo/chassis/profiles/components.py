"""The monitored components of a column: bounded figures of a row, each a function of its bin in the reference profile.

A block's mean of a component depends only on its counts of rows by bin. So counts can be merged before they are
compared, and one extreme value can't change a block much. Level and spread are the shifted Legendre polynomials of the
rank in the reference, with mean 0 and variance 1 (Neyman, "Smooth test for goodness of fit", Skandinavisk
Aktuarietidskrift 1937).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.training_evidence import NumericProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import CategoricalProfile

MOST_CATEGORIES = 8
UNSEEN = "unseen"
"""The component of a category that the reference does not list."""
OUT_OF_RANGE = "out_of_range"
"""The component of a number that is 1 below the least and above the greatest value of the reference."""
UNIT = 2.0**-20
"""The components and the loss of a row are multiples of it, so sums of up to 2^31 rows are exact in any order."""


@dataclass(frozen=True, eq=False)
class Components:
    """The names of the components of a column, and the value of each in every bin, shape `[bins, components]`.

    The bins are those of `profiles.binning`, with missing values last. The values are multiples of `UNIT`, so replicas
    have the same sums.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def means(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the means over the counted rows. Counts `[..., bins]` give `[..., components]`."""
        return np.asarray((counts @ self.values) / np.maximum(counts.sum(axis=-1, keepdims=True), 1))


def components(profile: NumericProfile | CategoricalProfile, *, out_of_range: bool = False) -> Components:
    """Return the components of a column with this profile.

    For a number the last one is `OUT_OF_RANGE`, if it is wanted. No row of the reference is out of range, so it needs a
    reference of its own.
    """
    found = _numeric(profile, out_of_range) if isinstance(profile, NumericProfile) else _categorical(profile)
    return Components(found.names, in_units(found.values))


def in_units(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values rounded to multiples of `UNIT`."""
    return np.asarray(np.rint(values / UNIT) * UNIT)


def _numeric(profile: NumericProfile, out_of_range: bool) -> Components:  # noqa: FBT001 - of `components`
    counts = np.array(profile.counts, np.float64)
    rank = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1.0)
    columns = [_with_missing(np.sqrt(3) * (2 * rank - 1)), _with_missing(np.sqrt(5) * (6 * rank**2 - 6 * rank + 1))]
    columns.append(_indicator(len(counts) + 1, -1))
    if not out_of_range:
        return Components(("level", "spread", "missing"), np.column_stack(columns))
    # Without a finite value in the reference both are the same bin.
    beyond = np.maximum(_indicator(len(counts) + 1, 0), _indicator(len(counts) + 1, -2))
    return Components(("level", "spread", "missing", OUT_OF_RANGE), np.column_stack((*columns, beyond)))


def _categorical(profile: CategoricalProfile) -> Components:
    size = len(profile.counts) + 2
    frequent = sorted(range(len(profile.counts)), key=lambda at: -list(profile.counts.values())[at])[:MOST_CATEGORIES]
    listed = list(profile.counts)
    names = (*(f"share of {listed[at]}" for at in frequent), UNSEEN, "missing")
    places = (*frequent, size - 2, size - 1)
    return Components(names, np.column_stack([_indicator(size, place) for place in places]))


def _with_missing(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append the value for a missing value: 0, so that only the component `missing` shows it."""
    return np.append(values, 0.0)


def _indicator(size: int, place: int) -> NDArray[np.float64]:
    found = np.zeros(size)
    found[place] = 1.0
    return found

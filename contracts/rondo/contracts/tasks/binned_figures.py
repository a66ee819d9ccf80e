"""Figures of the holdout by bin of the prediction, which give expected figures of rows without outcomes.

The assumption is that rows with similar predictions have the same mean error as on the holdout. It holds while only the
inputs change. If outcomes change for the same inputs, no estimate from predictions alone can detect it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.tasks.sketches import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# With fewer rows in a group, a mean is too uncertain and a variance has no meaning.
_FEWEST_ROWS = 10


@dataclass(frozen=True, eq=False)
class BinnedFigures:
    """The holdout's rows by group of neighbouring bins, with the mean and variance of each figure in each group.

    `group` is the group of each bin, shape `[bins]`. The other arrays have the shape `[groups]`.
    """

    group: NDArray[np.int64]
    rows: NDArray[np.int64]
    means: Mapping[str, NDArray[np.float64]]
    variances: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int64],
        means: Mapping[str, NDArray[np.float64]],
        variances: Mapping[str, NDArray[np.float64]],
    ) -> BinnedFigures | None:
        """Pool bins with few rows with their neighbours. The arrays have the shape `[bins]`. None without any row.

        The mean variance of all groups is added to each variance with the weight of one row, so that the variance of a
        few equal rows is not 0.
        """
        if not rows.any():
            return None
        group = _groups(rows)
        pooled = np.bincount(group, rows)
        found: dict[str, NDArray[np.float64]] = {}
        spread: dict[str, NDArray[np.float64]] = {}
        for name, mean in means.items():
            found[name] = np.bincount(group, rows * mean) / pooled
            squares = np.bincount(group, rows * (variances[name] + mean**2)) / pooled
            within = np.maximum(squares - found[name] ** 2, 0.0)
            spread[name] = (pooled * within + pooled @ within / pooled.sum()) / (pooled + 1)
        return cls(group, pooled.astype(np.int64), found, spread)

    def grouped(self, counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums by group. `counts` has counts, or other sums of rows, by bin, shape `[bins]`."""
        return np.asarray(np.bincount(self.group, counts, len(self.rows)), np.float64)

    def mean(self, name: str, counts: NDArray[np.int64]) -> Figure:
        """Return the expected mean of a figure, by the counts of rows, shape `[bins]`. There must be at least one row.

        The standard error includes the randomness of the outcomes of these rows and of the holdout.
        """
        of_groups = self.grouped(counts)
        total, variances = of_groups.sum(), self.variances[name]
        shares = of_groups / total
        variance = shares @ variances / total + shares**2 @ (variances / self.rows)
        return Figure(float(shares @ self.means[name]), sqrt(variance))

    def change(self, name: str, counts: NDArray[np.int64], autocorrelation_rows: float = 1.0) -> Figure:
        """Return the expected mean minus the mean of the holdout, with the standard error of the difference.

        The error includes the randomness of the sampled rows, now and on the holdout, and of the holdout's outcomes.
        `autocorrelation_rows` correlated rows count as one.
        """
        of_groups, means = self.grouped(counts), self.means[name]
        shares, before = of_groups / of_groups.sum(), self.rows / self.total
        difference = shares - before
        moved = sum(_variance(each, means) / rows for each, rows in ((shares, of_groups.sum()), (before, self.total)))
        variance = difference**2 @ (self.variances[name] / self.rows) + moved * autocorrelation_rows
        return Figure(float(difference @ means), sqrt(variance))

    @property
    def total(self) -> int:
        """The number of rows of the holdout."""
        return int(self.rows.sum())

    def reference(self, name: str) -> float:
        """Return the mean of a figure on the holdout."""
        return float(self.rows @ self.means[name] / self.total)


def isotonic(means: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the nearest means that never fall, by least squares with the rows as weights.

    The algorithm pools adjacent violators (Barlow et al., "Statistical inference under order restrictions", 1972).
    """
    pools: list[tuple[float, float, int]] = []
    for mean, weight in zip(means.tolist(), rows.tolist(), strict=True):
        pool = (mean, float(weight), 1)
        while pools and pools[-1][0] >= pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])


def _groups(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number groups of neighbouring bins. Each group has enough rows if all bins together have enough."""
    group, number, held = np.zeros(len(rows), np.int64), 0, 0
    left = int(rows.sum())
    for at, count in enumerate(rows.tolist()):
        if held >= _FEWEST_ROWS and left >= _FEWEST_ROWS:
            number, held = number + 1, 0
        group[at] = number
        held, left = held + count, left - count
    return group


def _variance(shares: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    return float(shares @ means**2 - (shares @ means) ** 2)

"""Distance of a column from its reference: population stability index (PSI) and Kolmogorov-Smirnov, on the bins.

Without any change, the PSI of n rows against m reference rows is distributed as (1/n + 1/m) times a chi-square with
one degree of freedom less than the number of bins (Yurdakul, "Statistical Properties of Population Stability Index",
Western Michigan University 2018). That quantile is a lower bound of the threshold; it matters for small windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.statistics import chi_square_quantile, chi_square_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.monitor.windows.binning import ColumnBins

# Half a row in every bin (Jeffreys' prior), so that an empty bin has a logarithm.
_SMOOTHING = 0.5
# Cochran's rule: the chi-square approximation needs this many expected rows in each bin.
_LEAST_EXPECTED = 5.0


def compare(
    column: ColumnBins, counts: NDArray[np.int64], reference: NDArray[np.int64], threshold: float, tail: float
) -> Iterator[Statistic]:
    """Yield the PSI of a column, then a distance that is not judged; `tail` bounds the probability of a false alarm.

    Missing values are left out: `data_quality` covers them.
    """
    observed, expected = column.of(counts)[:-1], column.of(reference)[:-1]
    pooled = pool(observed, expected)
    index = psi(*pooled)
    yield Statistic(
        feature=column.name,
        statistic=StatisticName.PSI,
        value=index,
        threshold=max(threshold, noise(*pooled, tail)),
        p_value=p_value(*pooled, index),
    )
    if column.edges is not None:
        yield Statistic(feature=column.name, statistic=StatisticName.KS, value=ks(observed, expected))
    else:
        distance = total_variation(*pooled)
        yield Statistic(feature=column.name, statistic=StatisticName.TOTAL_VARIATION, value=distance)


def pool(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Merge the bins in which fewer than five rows are expected into one, so that the chi-square holds."""
    rows, total = int(observed.sum()), int(reference.sum())
    sparse = reference * rows < _LEAST_EXPECTED * total
    if not sparse.any() or sparse.all():
        return observed, reference
    rest_observed, rest_reference = int(observed[sparse].sum()), int(reference[sparse].sum())
    observed, reference = observed[~sparse].copy(), reference[~sparse].copy()
    if rest_reference * rows >= _LEAST_EXPECTED * total:
        return np.append(observed, rest_observed), np.append(reference, rest_reference)
    smallest = int(reference.argmin())
    observed[smallest] += rest_observed
    reference[smallest] += rest_reference
    return observed, reference


def psi(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the population stability index; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    p, q = observed + _SMOOTHING, reference + _SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def noise(observed: NDArray[np.int64], reference: NDArray[np.int64], tail: float) -> float:
    """Return the PSI that is exceeded with probability `tail` at most without any change."""
    rows, total = int(observed.sum()), int(reference.sum())
    if not rows or not total or observed.size < 2:  # noqa: PLR2004 - a single bin can't differ
        return 0.0
    return (1 / rows + 1 / total) * chi_square_quantile(tail, observed.size - 1)


def p_value(observed: NDArray[np.int64], reference: NDArray[np.int64], index: float) -> float | None:
    """Return the probability of such a PSI without any change; None where the bins can't differ."""
    rows, total = int(observed.sum()), int(reference.sum())
    if not rows or not total or observed.size < 2:  # noqa: PLR2004 - a single bin can't differ
        return None
    return chi_square_tail(index / (1 / rows + 1 / total), observed.size - 1)


def ks(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the largest distance of the two cumulative distributions at the edges of the bins."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(np.cumsum(observed) / observed.sum() - np.cumsum(reference) / reference.sum()).max())


def total_variation(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the largest difference of any set's share: what the KS distance is for categories, which have no order."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(observed / observed.sum() - reference / reference.sum()).sum() / 2)

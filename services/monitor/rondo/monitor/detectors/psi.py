"""Population stability index (PSI) of each column against the reference, on the bins.

Without any change, the PSI of n rows against m reference rows is distributed as (1/n + 1/m) times a chi-square with
one degree of freedom less than the number of bins (Yurdakul, "Statistical Properties of Population Stability Index",
Western Michigan University 2018). That quantile is a lower bound of the threshold; it matters for small windows.
Missing values are left out: `missing` covers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.bin_pooling import distributions, pool
from rondo.monitor.detectors.probabilities import chi_square_quantile, chi_square_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Half a row in every bin (Jeffreys' prior), so that an empty bin has a logarithm.
_SMOOTHING = 0.5


class PopulationStability:
    """The threshold is the spec's `monitor.drift`, or the noise bound of a small window."""

    kind: FindingKind = "drift"

    def tests(self, reference: Reference) -> int:
        return len(reference.binning.columns)

    def evaluate(
        self, window: WindowCounts, reference: Reference, rule: Monitor, tail: float
    ) -> Iterator[DetectorResult]:
        for column in reference.binning.columns:
            observed, expected = pool(*distributions(column, window, reference))
            value, scale, degrees = psi(observed, expected), _scale(observed, expected), observed.size - 1
            testable = scale > 0 and degrees > 0
            threshold = max(rule.drift, scale * chi_square_quantile(tail, degrees)) if testable else rule.drift
            statistic = Statistic(
                feature=column.name,
                statistic=StatisticName.PSI,
                value=value,
                threshold=threshold,
                p_value=chi_square_tail(value / scale, degrees) if testable else None,
            )
            yield DetectorResult(statistic, value > threshold)


def psi(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the population stability index; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    p, q = observed + _SMOOTHING, reference + _SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _scale(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the factor of the chi-square; 0 where either side has no rows."""
    rows, total = int(observed.sum()), int(reference.sum())
    return 1 / rows + 1 / total if rows and total else 0.0

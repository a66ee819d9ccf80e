"""The performance of a window that is estimated where outcomes are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Estimate
from rondo.contracts.vocabularies import EstimateMethod
from rondo.monitor.estimates.estimator import ASSUMPTION

if TYPE_CHECKING:
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


def window_estimates(window: WindowCounts, reference: Reference) -> tuple[Estimate, ...]:
    """Return what is to be expected of the performance of all rows; nothing where the reference has no calibration."""
    estimator = reference.estimator
    if estimator is None:
        return ()
    return tuple(
        Estimate(
            statistic=name,
            value=figure.value,
            error=figure.error,
            reference=known.value if (known := reference.performance.get(name)) else estimator.of_holdout(name),
            method=EstimateMethod.EXPECTED,
            assumption=ASSUMPTION,
        )
        for name, figure in estimator.expected(window.bins).items()
    )

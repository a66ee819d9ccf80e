"""The estimated performance of a window where outcomes are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Estimate
from rondo.contracts.vocabularies import EstimateMethod, StatisticName
from rondo.monitor.estimates.estimator import ASSUMPTION
from rondo.monitor.estimates.prediction_powered import ASSUMPTION as RANDOM_SAMPLE
from rondo.monitor.estimates.prediction_powered import prediction_powered

if TYPE_CHECKING:
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


def window_estimates(window: WindowCounts, reference: Reference) -> tuple[Estimate, ...]:
    """Return the expected performance of all rows, and their mean loss from few outcomes if there are few.

    Empty if the reference has no calibration.
    """
    estimator = reference.estimator
    if estimator is None:
        return ()
    expected = tuple(
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
    powered = prediction_powered(estimator.figures, estimator.predicted(window.bins), window.predicted.sums)
    if powered is None:
        return expected
    loss = Estimate(
        statistic=StatisticName.LOSS,
        value=powered.value,
        error=powered.error,
        reference=estimator.of_holdout(StatisticName.LOSS),
        method=EstimateMethod.PREDICTION_POWERED,
        assumption=RANDOM_SAMPLE,
    )
    return (*expected, loss)

"""Total variation distance of each categorical column from the reference. Not judged.

The largest difference of any set's share: what the Kolmogorov-Smirnov distance is for values without an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.bin_pooling import distributions, pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class TotalVariation:
    kind: FindingKind = "drift"

    def tests(self, reference: Reference) -> int:  # noqa: ARG002 - the protocol's
        return 0

    def evaluate(
        self,
        window: WindowCounts,
        reference: Reference,
        rule: Monitor,  # noqa: ARG002 - the protocol's
        tail: float,  # noqa: ARG002 - the protocol's
    ) -> Iterator[DetectorResult]:
        for column in reference.binning.columns:
            if column.categories is not None:
                value = total_variation(*pool(*distributions(column, window, reference)))
                yield DetectorResult(
                    Statistic(feature=column.name, statistic=StatisticName.TOTAL_VARIATION, value=value)
                )


def total_variation(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the total variation distance; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(observed / observed.sum() - reference / reference.sum()).sum() / 2)

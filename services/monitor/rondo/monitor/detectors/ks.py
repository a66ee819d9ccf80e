"""Kolmogorov-Smirnov distance of each numeric column from the reference, at the edges of the bins. Not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.bin_pooling import distributions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class KolmogorovSmirnov:
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
            if column.edges is not None:
                value = ks(*distributions(column, window, reference))
                yield DetectorResult(Statistic(feature=column.name, statistic=StatisticName.KS, value=value))


def ks(observed: NDArray[np.int64], reference: NDArray[np.int64]) -> float:
    """Return the largest distance of the two cumulative distributions; 0 where either side has no rows."""
    if not observed.sum() or not reference.sum():
        return 0.0
    return float(np.abs(np.cumsum(observed) / observed.sum() - np.cumsum(reference) / reference.sum()).max())

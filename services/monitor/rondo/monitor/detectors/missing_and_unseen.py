"""Shares of rows that rose over the reference: rows with a missing value, or with an unseen category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.probabilities import effect_size, least_rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import ColumnBins
    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

# Cohen's h between "small" (0.2) and "medium" (0.5): 0% to 2%, 50% to 65%. With thousands of rows far smaller rises are
# significant, but irrelevant.
_LEAST_EFFECT = 0.3


@dataclass(frozen=True)
class RisingShare:
    """Yields `statistic` of each column, or of those with categories alone, whose share rose.

    `bin` is the place of the rows that are counted among the bins of a column, from the end.
    """

    statistic: StatisticName
    bin: int
    categorical: bool
    kind: FindingKind = "quality"

    def tests(self, reference: Reference) -> int:
        return len(self._columns(reference))

    def evaluate(
        self,
        window: WindowCounts,
        reference: Reference,
        rule: Monitor,  # noqa: ARG002 - the protocol's
        tail: float,
    ) -> Iterator[DetectorResult]:
        for column in self._columns(reference):
            observed, expected = column.of(window.bins), column.of(reference.counts)
            yield from _rise(self.statistic, column.name, self._share(observed), self._share(expected), tail)

    def _share(self, counts: NDArray[np.int64]) -> tuple[int, int]:
        return int(counts[self.bin]), int(counts.sum())

    def _columns(self, reference: Reference) -> list[ColumnBins]:
        columns = reference.binning.columns
        return [column for column in columns if column.categories is not None or not self.categorical]


def _rise(
    name: StatisticName, feature: str, observed: tuple[int, int], reference: tuple[int, int], tail: float
) -> Iterator[DetectorResult]:
    """Yield the share if it rose; `observed` and `reference` are a count and the rows that it is a share of."""
    if least_rise(*observed, *reference, tail) <= 0:
        return
    share, expected = observed[0] / observed[1], reference[0] / reference[1]
    if effect_size(share, expected) >= _LEAST_EFFECT:
        statistic = Statistic(feature=feature, statistic=name, value=share, reference=expected)
        yield DetectorResult(statistic, exceeded=True)


# The last two bins of a column are for categories that the reference does not list, and for missing values.
MISSING_VALUES = RisingShare(StatisticName.MISSING, -1, categorical=False)
UNSEEN_CATEGORIES = RisingShare(StatisticName.UNSEEN, -2, categorical=True)

"""Shares of rows with a missing value, and with a category that the reference does not list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class Share:
    """Yields `statistic` of each column, or only of those with categories, if either side has such rows.

    `bin` is the index of the counted bin among the bins of a column, counted from the end.
    """

    statistic: StatisticName
    bin: int
    categorical: bool

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for column in reference.binning.columns:
            if self.categorical and column.categories is None:
                continue
            observed, expected = column.of(window.bins), column.of(reference.counts)
            if observed[self.bin] or expected[self.bin]:
                yield Statistic(
                    feature=column.name,
                    statistic=self.statistic,
                    value=float(observed[self.bin] / max(observed.sum(), 1)),
                    reference=float(expected[self.bin] / max(expected.sum(), 1)),
                )


# The last two bins of a column are for categories that the reference does not list, and for missing values.
MISSING_VALUES = Share(StatisticName.MISSING, -1, categorical=False)
UNSEEN_CATEGORIES = Share(StatisticName.UNSEEN, -2, categorical=True)

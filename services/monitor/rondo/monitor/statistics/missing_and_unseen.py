"""Shares of rows with a missing value, and with a value that the reference lacks: a category, or a number beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


@dataclass(frozen=True)
class Share:
    """Yields `statistic` of each column, or only of one `kind` of columns, if either side has such rows.

    `bins` are the indices of the counted bins among the bins of a column.
    """

    statistic: StatisticName
    bins: tuple[int, ...]
    kind: Literal["all", "categories", "ordered"] = "all"

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for column in reference.binning.columns:
            if self.kind != "all" and (column.categories is not None) != (self.kind == "categories"):
                continue
            # A column without a finite value in the reference has one bin below and above all values.
            counted = sorted({at % column.size for at in self.bins})
            observed, expected = column.of(window.bins), column.of(reference.counts)
            if observed[counted].any() or expected[counted].any():
                yield Statistic(
                    feature=column.name,
                    statistic=self.statistic,
                    value=float(observed[counted].sum() / max(observed.sum(), 1)),
                    reference=float(expected[counted].sum() / max(expected.sum(), 1)),
                )


# The last bin of a column is for missing values. The bin before it is for categories that the reference does not list,
# or for numbers above the greatest one of the reference. The first bin of numbers is below the least one.
MISSING_VALUES = Share(StatisticName.MISSING, (-1,))
UNSEEN_CATEGORIES = Share(StatisticName.UNSEEN, (-2,), "categories")
OUT_OF_RANGE = Share(StatisticName.OUT_OF_RANGE, (0, -2), "ordered")

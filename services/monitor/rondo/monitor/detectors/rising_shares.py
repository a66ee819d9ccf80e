"""Shares of rows that rose over the reference: rows with a missing value, or with an unseen category."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.base import DetectorResult
from rondo.monitor.detectors.statistics import effect_size, least_rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.binning import ColumnBins
    from rondo.monitor.windows.window_counts import WindowCounts

# Cohen's h between "small" (0.2) and "medium" (0.5): 0% to 2%, 50% to 65%. With thousands of rows far smaller rises are
# significant, but irrelevant.
_LEAST_EFFECT = 0.3


class MissingValues:
    """Missing values of a column."""

    kind: FindingKind = "quality"

    def tests(self, reference: Reference) -> int:
        return len(reference.binning.columns)

    def evaluate(
        self,
        window: WindowCounts,
        reference: Reference,
        rule: Monitor,  # noqa: ARG002 - the protocol's
        tail: float,
    ) -> Iterator[DetectorResult]:
        for column in reference.binning.columns:
            observed, expected = column.of(window.bins), column.of(reference.counts)
            missing = (int(observed[-1]), int(observed.sum())), (int(expected[-1]), int(expected.sum()))
            yield from _rise(StatisticName.MISSING, column.name, *missing, tail)


class UnseenCategories:
    """Categories that the reference does not list."""

    kind: FindingKind = "quality"

    def tests(self, reference: Reference) -> int:
        return len(_categorical(reference))

    def evaluate(
        self,
        window: WindowCounts,
        reference: Reference,
        rule: Monitor,  # noqa: ARG002 - the protocol's
        tail: float,
    ) -> Iterator[DetectorResult]:
        for column in _categorical(reference):
            observed, expected = column.of(window.bins), column.of(reference.counts)
            unseen = (int(observed[-2]), int(observed.sum())), (int(expected[-2]), int(expected.sum()))
            yield from _rise(StatisticName.UNSEEN, column.name, *unseen, tail)


def _categorical(reference: Reference) -> list[ColumnBins]:
    return [column for column in reference.binning.columns if column.categories is not None]


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

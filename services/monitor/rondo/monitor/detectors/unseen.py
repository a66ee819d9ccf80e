"""Categories that the reference does not list and that became more frequent than in the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.share_rise import rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import DetectorResult, FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.binning import ColumnBins
    from rondo.monitor.windows.window_counts import WindowCounts


class UnseenCategories:
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
            yield from rise(StatisticName.UNSEEN, column.name, *unseen, tail)


def _categorical(reference: Reference) -> list[ColumnBins]:
    return [column for column in reference.binning.columns if column.categories is not None]

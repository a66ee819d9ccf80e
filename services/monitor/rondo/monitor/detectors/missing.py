"""Missing values of a column that became more frequent than in the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.detectors.share_rise import rise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.base import DetectorResult, FindingKind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class MissingValues:
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
            yield from rise(StatisticName.MISSING, column.name, *missing, tail)

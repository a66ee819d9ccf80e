"""Builders of window counts and of a reference for the detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import roc_auc_error
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, PerformanceFigure, ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.windows.window_counts import WindowCounts

from tests.monitor.builders import REFERENCE, spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.statistics.base import Detector

RULE = spec().monitor


def reference_of(features: Mapping[str, NumericProfile | CategoricalProfile]) -> Reference:
    score = NumericProfile(edges=(0.5,), counts=(500, 500))
    profile = ReferenceProfile(
        rows=1_000,
        features=dict(features),
        outputs={"score": score},
        task=FittedTask(task="binary"),
        performance={"roc_auc": PerformanceFigure(value=0.7, error=roc_auc_error(0.7, 500, 500))},
    )
    return Reference.of(profile)


def window(bins: Mapping[str, list[int]], reference: Reference = REFERENCE) -> WindowCounts:
    """Return a window with these counts by column, the missing values last; the other columns are as the reference."""
    counts = reference.counts.copy()
    for column in reference.binning.columns:
        if column.name in bins:
            column.of(counts)[:] = bins[column.name]
    rows = int(reference.binning.columns[0].of(counts).sum())
    return WindowCounts.empty(reference.task, counts.size).with_rows(rows, counts)


def statistics(
    detector: Detector, counts: WindowCounts, reference: Reference = REFERENCE, tail: float = 0.001
) -> Iterator[tuple[Statistic, bool | None]]:
    for result in detector.evaluate(counts, reference, RULE, tail):
        yield result.statistic, result.exceeded

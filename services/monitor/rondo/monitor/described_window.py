"""What a window that closes shows: its statistics, estimates and slices, and the figures of own detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.alerts.version_alarms import LabelledWindow
from rondo.monitor.statistics.slice_figures import slice_figures
from rondo.monitor.statistics.window_estimates import window_estimates
from rondo.monitor.statistics.window_statistics import window_statistics
from rondo.monitor.windows.tumbling import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.detectors.own_figures import OwnFigures
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.recent_windows import CountedPeriod


def described_window(
    period: CountedPeriod, reference: Reference, detectors: Sequence[str], own: OwnFigures
) -> LabelledWindow:
    counts = period.counts
    return LabelledWindow(
        window_of(period.start, period.end, counts.rows),
        counts.labelled_rows,
        window_statistics(counts, reference, detectors) + own.statistics,
        window_estimates(counts, reference),
        slice_figures(counts, reference),
        own.failures,
    )

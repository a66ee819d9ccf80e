"""The description of a window that closes: its statistics, estimates and slices.

It also gives the losses to the evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.alerts.version_alarms import LabelledWindow
from rondo.monitor.history.closed_window import WindowBins
from rondo.monitor.statistics.slice_figures import slice_figures
from rondo.monitor.statistics.window_estimates import window_estimates
from rondo.monitor.statistics.window_statistics import window_statistics
from rondo.monitor.windows.tumbling import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.evidence.model_evidence import ModelEvidence
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.user_detectors.user_figures import UserFigures
    from rondo.monitor.windows.recent_windows import CountedPeriod


def described_window(
    period: CountedPeriod, reference: Reference, detectors: Sequence[str], by_users: UserFigures
) -> LabelledWindow:
    counts = period.counts
    return LabelledWindow(
        window_of(period.start, period.end, counts.rows),
        counts.labelled_rows,
        window_statistics(counts, reference, detectors) + by_users.statistics,
        window_estimates(counts, reference),
        slice_figures(counts, reference),
        by_users.failures,
        bins=WindowBins.of(reference.digest, counts.bins),
    )


def take_outcomes(evidence: ModelEvidence, version: int, reference: Reference, period: CountedPeriod) -> None:
    """Add the losses of a closed window to its version's evidence: those of all rows and of slices, and gaps."""
    counts, length = period.counts, period.end - period.start
    bucket, part = length // len(counts.loss_rows), length // counts.slices.parts
    evidence.take_losses(version, reference, period.start, bucket, counts.loss_rows, counts.loss_sums)
    evidence.take_slices(version, reference, period.start, part, counts.slices.loss_rows, counts.slices.loss_sums)
    evidence.take_gaps(version, reference, period.start, part, counts.slices.loss_rows, counts.slices.rate_sums)

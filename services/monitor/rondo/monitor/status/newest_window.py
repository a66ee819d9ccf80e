"""The newest rows of the champion, and its newest figures of performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.monitor.statistics.window_statistics import window_statistics
from rondo.monitor.status.histograms import Histogram, histograms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.tumbling import TumblingWindows
    from rondo.monitor.windows.window_counts import VersionWindow


class WindowStatus(Window):
    """A window. Its figures describe, and decide nothing."""

    labelled_rows: int
    statistics: tuple[Statistic, ...]


class NewestWindow(WindowStatus):
    """The newest window of which all rows are expected to be there, though outcomes may follow; else one that fills.

    `complete` says which of both it is. `columns` have the distribution of each column.
    """

    complete: bool
    columns: tuple[Histogram, ...]


def newest(
    windows: Sequence[VersionWindow], closed: VersionWindow | None, tumbling: TumblingWindows, passed: int
) -> VersionWindow | None:
    """Return the newest of a version's open windows that the watermark has `passed` and the closed one.

    Without any it is the newest one that fills.
    """
    ended = [each for each in windows if each.start + tumbling.length <= passed]
    ended += [closed] if closed is not None else []
    return max(ended or windows, key=lambda each: each.start, default=None)


def window_status(counts: VersionWindow, tumbling: TumblingWindows, reference: Reference) -> WindowStatus:
    """Return the figures of a window, open or closed."""
    window = tumbling.window(counts.start, counts.counts.rows)
    return WindowStatus(
        **window.model_dump(),
        labelled_rows=counts.counts.labelled_rows,
        statistics=window_statistics(counts.counts, reference),
    )


def newest_window(counts: VersionWindow, tumbling: TumblingWindows, reference: Reference, passed: int) -> NewestWindow:
    status = window_status(counts, tumbling, reference)
    return NewestWindow(
        **dict(status),
        complete=counts.start + tumbling.length <= passed,
        columns=histograms(counts.counts.bins, reference),
    )

"""The newest rows of the champion with their distributions, and its newest figures of performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Estimate, Statistic, Window
from rondo.monitor.statistics.slice_figures import GroupGap, SliceFigures, group_gaps, slice_figures
from rondo.monitor.statistics.window_estimates import window_estimates
from rondo.monitor.statistics.window_statistics import window_statistics
from rondo.monitor.status.histograms import Histogram, histograms
from rondo.monitor.windows.recent_windows import CountedPeriod, combined
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.recent_windows import RecentWindows


class SliceStatus(SliceFigures):
    """The figures of a slice. `reference` are the same figures of the holdout."""

    reference: dict[str, float]


class WindowStatus(Window):
    """A window, or several consecutive ones. Its figures describe it, and no decision depends on them.

    `estimates` are as in `WindowClosed`.
    """

    labelled_rows: int
    statistics: tuple[Statistic, ...]
    estimates: tuple[Estimate, ...] = ()
    slices: tuple[SliceStatus, ...] = ()
    gaps: tuple[GroupGap, ...] = ()


class NewestRows(WindowStatus):
    """The newest windows whose rows have arrived. Outcomes may follow. If there are none, it is the newest open window.

    There are as many windows as a plot needs rows. `complete` is true for windows whose rows have arrived. `columns`
    has the distribution of each column.
    """

    complete: bool
    columns: tuple[Histogram, ...]


def window_status(period: CountedPeriod, reference: Reference, detectors: Sequence[str]) -> WindowStatus:
    """Return the figures of a window, open or closed, or of several windows."""
    slices = slice_figures(period.counts, reference)
    known = [{name: each.value for name, each in one.performance.items()} for one in reference.profile.slices]
    return WindowStatus(
        start=to_time(period.start),
        end=to_time(period.end),
        rows=period.counts.rows,
        labelled_rows=period.counts.labelled_rows,
        statistics=window_statistics(period.counts, reference, detectors),
        estimates=window_estimates(period.counts, reference),
        slices=tuple(SliceStatus(**dict(each), reference=of) for each, of in zip(slices, known, strict=True)),
        gaps=group_gaps(slices, reference),
    )


def newest_rows(
    windows: Sequence[CountedPeriod],
    recent: RecentWindows,
    passed: int,
    reference: Reference,
    detectors: Sequence[str],
) -> NewestRows | None:
    """Return the figures of the newest rows, see `newest_period`."""
    found = newest_period(windows, recent, passed)
    if found is None:
        return None
    period, complete = found
    status, columns = window_status(period, reference, detectors), histograms(period.counts.bins, reference)
    return NewestRows(**dict(status), complete=complete, columns=columns)


def newest_period(
    windows: Sequence[CountedPeriod], recent: RecentWindows, passed: int
) -> tuple[CountedPeriod, bool] | None:
    """Return the newest rows of the open `windows` that the watermark has `passed`, and of the closed ones.

    If there are none, it returns the newest open window, and False as the second value. Otherwise the second value is
    True.
    """
    closed = [recent.period] if recent.period else []
    ended = [*closed, *(each for each in windows if each.end <= passed)]
    found = combined(reversed(ended)) or (windows[-1] if windows else None)
    return None if found is None else (found, bool(ended))

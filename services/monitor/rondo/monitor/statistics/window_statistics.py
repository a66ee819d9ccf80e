"""Every statistic of one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.statistics.catalogue import STATISTICS

if TYPE_CHECKING:
    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


def window_statistics(window: WindowCounts, reference: Reference) -> tuple[Statistic, ...]:
    """Return the statistics of a window, in the order of `catalogue`."""
    return tuple(statistic for each in STATISTICS.values() for statistic in each.of(window, reference))

"""All statistics of one window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.statistics.catalogue import STATISTICS
from rondo.monitor.statistics.performance import Performance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


def window_statistics(window: WindowCounts, reference: Reference, detectors: Sequence[str]) -> tuple[Statistic, ...]:
    """Return the performance of a window, and the statistics of `detectors` in their order.

    Unknown detectors, such as those of a later release, have none.
    """
    chosen = (Performance(), *(STATISTICS[name] for name in detectors if name in STATISTICS))
    return tuple(statistic for each in chosen for statistic in each.of(window, reference))

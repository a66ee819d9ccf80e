"""The statistics that describe a window, compared with the reference. None of them is a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class WindowStatistic(Protocol):
    """Computes a statistic of a window. A new statistic is a file with a class, and a line in `catalogue`."""

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        """Yield the statistic of each column, or of the model."""
        ...

"""The metrics of a window's labelled rows and those of the holdout, by the performance sketch of the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import Statistic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts


class Performance:
    """Yields each metric that is defined on the window. ROC AUC, for example, needs outcomes of both classes."""

    def of(self, window: WindowCounts, reference: Reference) -> Iterator[Statistic]:
        for name, figure in window.figures.items():
            expected = reference.performance.get(name)
            yield Statistic(statistic=name, value=figure.value, reference=None if expected is None else expected.value)

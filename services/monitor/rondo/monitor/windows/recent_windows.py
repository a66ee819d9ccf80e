"""The newest closed windows, combined until they have enough rows for a plot: with few rows it shows noise.

They are for people, and decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.monitor.windows.window_counts import WindowCounts

MIN_ROWS = 500


class CountedPeriod(NamedTuple):
    """The counts of one or more windows, from `start` to `end` in microseconds."""

    start: int
    end: int
    counts: WindowCounts

    def merged(self, later: CountedPeriod) -> CountedPeriod:
        return CountedPeriod(self.start, later.end, self.counts.plus(later.counts))


@dataclass(frozen=True)
class RecentWindows:
    """Closed windows of the champion: `filling` are the newest, `full` those before, with `MIN_ROWS` rows or more."""

    full: CountedPeriod | None = None
    filling: CountedPeriod | None = None

    def with_window(self, window: CountedPeriod) -> RecentWindows:
        """Return these with a window that follows them. The oldest are left out where there are enough newer rows."""
        filling = self.filling.merged(window) if self.filling else window
        return RecentWindows(filling) if filling.counts.rows >= MIN_ROWS else RecentWindows(self.full, filling)

    @property
    def period(self) -> CountedPeriod | None:
        """All of them. None before any."""
        return combined(each for each in (self.filling, self.full) if each is not None)


def combined(newest_first: Iterable[CountedPeriod]) -> CountedPeriod | None:
    """Return the newest periods together that have enough rows, or all of them. None without any."""
    found: CountedPeriod | None = None
    for each in newest_first:
        found = each.merged(found) if found else each
        if found.counts.rows >= MIN_ROWS:
            break
    return found

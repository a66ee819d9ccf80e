"""The newest closed windows, combined until they have enough rows for a plot: a plot of few rows shows noise.

They are for people, and no decision depends on them.
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
    """Closed windows of the champion: the newest ones, and those before with at least `MIN_ROWS` rows.

    The newest ones are `filling`, and those before are `full`.
    """

    full: CountedPeriod | None = None
    filling: CountedPeriod | None = None

    def with_window(self, window: CountedPeriod) -> RecentWindows:
        """Return the windows with a further one after them. The oldest are left out if there are enough newer rows."""
        filling = self.filling.merged(window) if self.filling else window
        return RecentWindows(filling) if filling.counts.rows >= MIN_ROWS else RecentWindows(self.full, filling)

    @property
    def period(self) -> CountedPeriod | None:
        """All windows together. None before the first one."""
        return combined(each for each in (self.filling, self.full) if each is not None)


def combined(newest_first: Iterable[CountedPeriod]) -> CountedPeriod | None:
    """Return the newest periods that have enough rows together, or all of them. None if there are none."""
    found: CountedPeriod | None = None
    for each in newest_first:
        found = each.merged(found) if found else each
        if found.counts.rows >= MIN_ROWS:
            break
    return found

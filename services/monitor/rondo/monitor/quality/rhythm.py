"""The rhythm of a stream: its usual pauses, and the usual lag of its event times behind the writer's clock.

Gaps are differences between the times at which rows were written. Event times follow the clock only where nothing is
replayed. A week in which event time advanced much faster than the clock is a replay, and is ignored.

The limits that follow from the rhythm, with their source, are in `limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.stream.watermark import MAX_CLOCK_SKEW, NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Microseconds, like all times of this module.
HOUR = 3_600_000_000
WEEK = 7 * 24 * HOUR
# The complete weeks that are kept, in addition to the present one.
_KEPT = 4


@dataclass(frozen=True)
class Week:
    """A week: rows were written from `since` to `until`, while the newest event time advanced by `advanced`.

    `longest` is the longest of its `gaps`. `lag` is the largest lag of the newest event time. `number` counts weeks
    from the epoch. Times are in microseconds.
    """

    number: int
    since: int
    until: int
    advanced: int = 0
    longest: int = 0
    gaps: int = 0
    lag: int = 0

    @property
    def replayed(self) -> bool:
        """True if event time advanced faster than that of a live stream.

        Rows of a live stream may also come in bursts.
        """
        return self.advanced > 2 * (self.until - self.since) + HOUR

    def plus(self, later: Week) -> Week:
        """Return the union of both parts of the same week."""
        return Week(
            self.number,
            self.since,
            later.until,
            self.advanced + later.advanced,
            max(self.longest, later.longest),
            self.gaps + later.gaps,
            max(self.lag, later.lag),
        )


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of a stream.

    `last` is when the newest row was written, and `newest` is the newest event time until then. `silent` is how long
    the stream has been watched since then without a row. `pauses` has the end and the length of each gap of the kept
    weeks that was reported. These gaps are not usual.
    """

    weeks: tuple[Week, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    last: int = NEVER
    newest: int = NEVER
    silent: int = 0

    @property
    def lag(self) -> int:
        """The lag of the newest event time behind the time at which the newest row was written."""
        return 0 if self.last == NEVER else max(0, self.last - self.newest)

    def watched(self, elapsed: int) -> Rhythm:
        """Return the rhythm after `elapsed` microseconds without a row. Time before the first row does not count."""
        return self if self.last == NEVER else replace(self, silent=self.silent + elapsed)

    def with_rows(
        self, written: NDArray[np.int64], times: NDArray[np.int64], *, was_paused: bool = False, is_stale: bool = False
    ) -> Rhythm:
        """Return the rhythm after rows in log order.

        `written` is when each was written, and `times` are their event times. Rows that were written at the same time
        are in one message, and arrive together. With `was_paused` the gap before them was reported. With `is_stale` the
        lag has been reported, and is not usual.
        """
        if not written.size:
            return self
        if int(written.max()) < self.last - MAX_CLOCK_SKEW:
            return self._set_back(int(written.max()), int(times.max()))
        at = np.maximum.accumulate(np.maximum(written, self.last))
        ends = np.append(np.flatnonzero(np.diff(at)), at.size - 1)
        steps, newest = at[ends], np.maximum.accumulate(np.maximum(times, self.newest))[ends]
        before = np.append(steps[0] if self.last == NEVER else self.last, steps[:-1])
        newest_before = np.append(newest[0] if self.newest == NEVER else self.newest, newest[:-1])
        gaps = steps - before
        pauses = self.pauses
        if was_paused:
            pauses, gaps[0] = (*pauses, (int(steps[0]), int(gaps[0]))), 0
        lags = np.zeros_like(gaps) if is_stale else steps - newest
        weeks = list(self.weeks)
        # The steps ascend, and in most cases all are in one week.
        numbers = range(int(steps[0]) // WEEK, int(steps[-1]) // WEEK + 1)
        bounds = steps.searchsorted([number * WEEK for number in (*numbers, numbers.stop)]).tolist()
        for number, first, end in zip(numbers, bounds[:-1], bounds[1:], strict=True):
            if first == end:
                continue
            mine = slice(first, end)
            part = Week(
                number,
                int(before[mine][0]),
                int(steps[mine][-1]),
                int(newest[mine][-1] - newest_before[mine][0]),
                int(gaps[mine].max()),
                int((gaps[mine] > 0).sum()),
                max(0, int(lags[mine].max())),
            )
            weeks = [*weeks[:-1], weeks[-1].plus(part)] if weeks and weeks[-1].number == number else [*weeks, part]
        oldest = weeks[-1].number - _KEPT
        return Rhythm(
            tuple(each for each in weeks if each.number >= oldest),
            tuple((end, length) for end, length in pauses if end // WEEK >= oldest),
            int(steps[-1]),
            int(newest[-1]),
        )

    def _set_back(self, last: int, newest: int) -> Rhythm:
        """Return the rhythm after the writer's clock was set back. The length of the gap is then unknown.

        Weeks that are in the future by the new clock would never become old enough to be discarded.
        """
        weeks = tuple(each for each in self.weeks if each.number <= last // WEEK)
        return replace(self, weeks=weeks, last=last, newest=max(newest, min(self.newest, last)), silent=0)


def live_weeks(weeks: Sequence[Week]) -> list[Week]:
    """Return the weeks that are not a replay."""
    return [each for each in weeks if not each.replayed]

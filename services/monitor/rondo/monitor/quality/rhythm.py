"""The rhythm of a stream: how long it usually pauses, and how far its event times are behind the writer's clock.

Gaps are differences of the times at which rows were written, not of event times: these follow the clock only where
nothing is replayed. A week in which event time advanced much faster than the clock is a replay, and teaches nothing.

The limits by which it is judged, with their source, are in `limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.stream.watermark import MAX_CLOCK_SKEW, NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Microseconds, as all times here.
HOUR = 3_600_000_000
WEEK = 7 * 24 * HOUR
# Complete weeks that are kept, beside the one that fills.
_KEPT = 4


@dataclass(frozen=True)
class Week:
    """What was written in one week, from `since` to `until`, while the newest event time advanced by `advanced`.

    `longest` is the longest of its `gaps`, `lag` the most that the newest event time was behind. `number` counts weeks
    from the epoch.
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
        """Whether event time advanced faster than a live stream's does, whose rows may also come in bursts."""
        return self.advanced > 2 * (self.until - self.since) + HOUR

    def plus(self, later: Week) -> Week:
        """Return both parts of the same week together."""
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
    """`last` is when the newest row was written, `newest` the newest event time by then.

    `silent` is how long the stream has been watched since without a row. `pauses` are the end and the length of each
    gap of the kept weeks that was reported: these are not usual.
    """

    weeks: tuple[Week, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    last: int = NEVER
    newest: int = NEVER
    silent: int = 0

    @property
    def lag(self) -> int:
        """How far the newest event time is behind the time at which the newest row was written."""
        return 0 if self.last == NEVER else max(0, self.last - self.newest)

    def watched(self, elapsed: int) -> Rhythm:
        """Return the rhythm after so much time without a row. Nothing before the first row counts."""
        return self if self.last == NEVER else replace(self, silent=self.silent + elapsed)

    def with_rows(
        self, written: NDArray[np.int64], times: NDArray[np.int64], *, was_paused: bool = False, is_stale: bool = False
    ) -> Rhythm:
        """Return the rhythm after rows in log order, by when each was `written`, and its event time.

        Rows that were written at one time are of one message, and come together.
        With `was_paused` the gap before them was reported. With `is_stale` the lag is reported, and is not usual.
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
        # The steps ascend, and most often all are of one week.
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
        """Return the rhythm after the writer's clock was set back: how long the gap is, is not known.

        Weeks that are in the future now would never be old enough to be discarded.
        """
        weeks = tuple(each for each in self.weeks if each.number <= last // WEEK)
        return replace(self, weeks=weeks, last=last, newest=max(newest, min(self.newest, last)), silent=0)


def live_weeks(weeks: Sequence[Week]) -> list[Week]:
    """Return the weeks that are no replay."""
    return [each for each in weeks if not each.replayed]

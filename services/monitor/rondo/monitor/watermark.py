"""How far event time has come, as the rows themselves tell it.

Serving reads the requests of several partitions; behind a backlog, the rows of one come long before those of the next.
So the newest event time is believed only once the rows that follow were made `disorder` later, by the time that each
row carries: bounded out-of-orderness (Akidau et al., "The Dataflow Model", VLDB 2015), counted in the writer's time.
It is a function of the order of the rows alone: a replay, and a restart in the middle, see the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Before every time: nothing has been seen yet.
NEVER = int(np.iinfo(np.int64).min)
# What says that it happened later than this after it was written is a mistake: clocks and time zones are off by less.
MOST_AHEAD = 86_400_000_000


@dataclass(frozen=True)
class Watermark:
    """`newest` time seen, the time that has `passed` for good, and when the last row was `made`; all in microseconds.

    `ahead` are the steps in between, as (made, newest by then): they pass `disorder` after they were made.
    """

    newest: int = NEVER
    passed: int = NEVER
    made: int = NEVER
    ahead: tuple[tuple[int, int], ...] = ()

    def advance(
        self, times: NDArray[np.int64], made: NDArray[np.int64], disorder: int
    ) -> tuple[Watermark, NDArray[np.int64]]:
        """Take in rows in their order; returns what had passed when each of them came.

        `times` that are `future` move nothing. `disorder` is in microseconds, and more than none.
        """
        if not times.size:
            return self, times
        believed = np.where(future(times, made), NEVER, times)
        made = np.maximum.accumulate(np.maximum(made, self.made))
        ends = np.append(np.flatnonzero(made[1:] != made[:-1]), made.size - 1)
        newest = np.maximum.accumulate(np.maximum(believed, self.newest))[ends]
        written = made[ends]
        before = np.array(self.ahead, np.int64).reshape(-1, 2)
        all_written, all_newest = np.concatenate((before[:, 0], written)), np.concatenate((before[:, 1], newest))
        place = np.searchsorted(all_written, written - disorder, side="right")
        passed = np.concatenate(([self.passed], all_newest))[place]
        ahead = tuple(zip(all_written[place[-1] :].tolist(), all_newest[place[-1] :].tolist(), strict=True))
        rows = np.diff(ends, prepend=-1)
        return Watermark(int(newest[-1]), int(passed[-1]), int(written[-1]), ahead), np.repeat(passed, rows)

    def caught_up(self) -> Watermark:
        """Return the watermark of a stream that is silent: what was seen has passed."""
        return Watermark(self.newest, self.newest, self.made)


def future(times: NDArray[np.int64], made: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which times lie too far after their row was made to be true."""
    return times > made + MOST_AHEAD

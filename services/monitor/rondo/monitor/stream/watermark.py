"""How far event time has come, as the rows themselves tell it.

Serving reads the requests of several partitions; behind a backlog, the rows of one come long before those of the next.
So the newest event time is believed only once the rows that follow were made `disorder` later, by the time that each
row carries: bounded out-of-orderness (Akidau et al., "The Dataflow Model", VLDB 2015), counted in the writer's time.
It is a function of the order of the rows alone: a replay, and a restart in the middle, see the same.

A writer's clock that was ahead would hold up everything until the right time has come as far. So a row that was made
long before the latest one begins anew: the clock was set back, and what came before counts as made at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts import times

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Before every time: nothing has been seen yet.
NEVER = int(np.iinfo(np.int64).min)
# In microseconds, as all times here: what says that it happened later than this after it was written is a mistake.
MOST_AHEAD = times.MOST_AHEAD // timedelta(microseconds=1)
# Replicas write at once, in transactions of half a minute at most: what was made this long before is by another clock.
MOST_BEHIND = 60_000_000


@dataclass(frozen=True)
class Watermark:
    """`newest` time seen, the time that has `passed` for good, and when the last row was `made`; all in microseconds.

    `ahead` are the steps in between, as (made, newest by then): they pass `disorder` after they were made. The writers'
    clock was `set_back` so often.
    """

    newest: int = NEVER
    passed: int = NEVER
    made: int = NEVER
    ahead: tuple[tuple[int, int], ...] = ()
    set_back: int = 0

    def advance(
        self, times: NDArray[np.int64], made: NDArray[np.int64], disorder: int
    ) -> tuple[Watermark, NDArray[np.int64]]:
        """Take in rows in their order; returns what had passed when each of them came.

        `times` that are `future` move nothing. `disorder` is in microseconds, and more than none.
        """
        ends = [*_set_back(made, self.made, max(disorder, MOST_BEHIND)), made.size]
        watermark, passed = _follow(self, times[: ends[0]], made[: ends[0]], disorder)
        parts = [passed]
        for first, end in pairwise(ends):
            watermark, passed = _follow(_anew(watermark, int(made[first])), times[first:end], made[first:end], disorder)
            parts.append(passed)
        return watermark, np.concatenate(parts)

    def caught_up(self) -> Watermark:
        """Return the watermark of a stream that is silent: what was seen has passed."""
        return replace(self, passed=self.newest, ahead=())


def future(times: NDArray[np.int64], made: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which times lie too far after their row was made to be true."""
    return times > made + MOST_AHEAD


def _set_back(made: NDArray[np.int64], before: int, most: int) -> list[int]:
    """Return the rows that were made more than `most` before the latest one since the last such row."""
    if not (made < np.maximum.accumulate(np.maximum(made, before)) - most).any():
        return []
    latest, found = before, []
    for place in np.flatnonzero(np.append(True, made[1:] != made[:-1])).tolist():
        if made[place] < latest - most:
            found.append(place)
            latest = int(made[place])
        latest = max(latest, int(made[place]))
    return found


def _anew(watermark: Watermark, made: int) -> Watermark:
    ahead = ((made, watermark.newest),)
    return replace(watermark, made=made, ahead=ahead, set_back=watermark.set_back + 1)


def _follow(
    watermark: Watermark, times: NDArray[np.int64], made: NDArray[np.int64], disorder: int
) -> tuple[Watermark, NDArray[np.int64]]:
    """Take in rows of a clock that is not set back."""
    if not times.size:
        return watermark, times
    believed = np.where(future(times, made), NEVER, times)
    made = np.maximum.accumulate(np.maximum(made, watermark.made))
    ends = np.append(np.flatnonzero(made[1:] != made[:-1]), made.size - 1)
    newest = np.maximum.accumulate(np.maximum(believed, watermark.newest))[ends]
    written = made[ends]
    # Of one moment the newest step tells all.
    before = np.array([step for step in watermark.ahead if step[0] < written[0]], np.int64).reshape(-1, 2)
    all_written, all_newest = np.concatenate((before[:, 0], written)), np.concatenate((before[:, 1], newest))
    place = np.searchsorted(all_written, written - disorder, side="right")
    passed = np.concatenate(([watermark.passed], all_newest))[place]
    ahead = tuple(zip(all_written[place[-1] :].tolist(), all_newest[place[-1] :].tolist(), strict=True))
    after = replace(watermark, newest=int(newest[-1]), passed=int(passed[-1]), made=int(written[-1]), ahead=ahead)
    return after, np.repeat(passed, np.diff(ends, prepend=-1))

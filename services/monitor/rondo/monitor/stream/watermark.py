"""Watermarks: the progress of event time, derived from the rows alone.

Serving reads the requests of several partitions. After a backlog, the rows of one partition arrive long before those of
the next. So the watermark advances to an event time only after rows made `max_out_of_orderness` later have arrived, by
the `made_at` of each row: bounded out-of-orderness (Akidau et al., "The Dataflow Model", VLDB 2015), in the writer's
time. The result is a function of the order of the rows alone, so a replay and a restart yield the same.

A writer's clock that was ahead would block the watermark until real time has reached it. So a row made more than
`MAX_CLOCK_SKEW` before the latest one resets the writer's time: the clock was set back, and all rows before count as
made at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rondo.contracts.times import EARLIEST, MOST_AHEAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Before every time: no row has arrived.
NEVER = int(np.iinfo(np.int64).min)
# Microseconds, like all times of this module. An event time outside of these bounds is an error of the sender.
MIN_TIME = (EARLIEST - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
MAX_AHEAD = MOST_AHEAD // timedelta(microseconds=1)
# Replicas write concurrently, in transactions of at most half a minute. A larger step back is the step of a clock.
MAX_CLOCK_SKEW = 60_000_000
# This many consecutive requests without an event time are not single calls by hand: the senders give no event times any
# more. The same holds for this many consecutive requests with an event time.
MANY_UNDATED = 500


class Arrived(NamedTuple):
    """The `watermark` after some rows, the event time of each row, and the watermark at its arrival.

    `times` is `NEVER` for a row without an event time that its stream gives no other time. `restarted` is true if event
    time has started over. The counts before are then invalid.
    """

    watermark: Watermark
    times: NDArray[np.int64]
    passed: NDArray[np.int64]
    restarted: bool = False


@dataclass(frozen=True)
class Watermark:
    """The progress of one stream. All times are in microseconds since the epoch.

    `newest` is the newest event time, `passed` is the watermark itself, and `made` is the latest `made_at`. `steps` are
    the pairs (made, newest event time by then) that have not passed yet. `set_back` counts resets of the writer's
    clock. `dated` is the newest event time that a sender gave. `undated_rows` is the number of last consecutive rows
    without an event time. `undated_ever` is the number of all rows without one, up to `MANY_UNDATED`. `dated_rows` is
    the number of last consecutive rows with an event time, and `dated_since` is the earliest time of these.
    """

    newest: int = NEVER
    passed: int = NEVER
    made: int = NEVER
    steps: tuple[tuple[int, int], ...] = ()
    set_back: int = 0
    dated: int = NEVER
    undated_rows: int = 0
    undated_ever: int = 0
    dated_rows: int = 0
    dated_since: int = NEVER

    def arrive(
        self, times: NDArray[np.int64], made: NDArray[np.int64], given: NDArray[np.bool_], max_out_of_orderness: int
    ) -> Arrived:
        """Take rows in log order. `given` masks those with an event time.

        The others have the time at which they were made. A replay may follow a few requests without an event time, such
        as calls by a person who tries the model. All rows of the replay would be late, so event time starts over at the
        row that completes `MANY_UNDATED` consecutive older rows.
        """
        if given.all() and given.size and self.undated_ever in (0, MANY_UNDATED):
            # A fast path with the result of the code below: every row advances event time.
            sent = np.where(is_implausible(times, made), NEVER, times)
            dated = replace(
                self,
                dated=max(self.dated, int(sent.max())),
                undated_rows=0,
                dated_rows=self.dated_rows + given.size,
                dated_since=_earliest(sent, self.dated_since),
            )
            after, passed = dated.advance(times, made, max_out_of_orderness)
            return Arrived(after, times, passed)
        after, still, far = self.undated(times, made, given)
        begin = self._replay_begins(times, made, given, still)
        if begin is not None:
            before = self.arrive(times[:begin], made[:begin], given[:begin], max_out_of_orderness)
            over = replace(before.watermark, newest=NEVER, passed=NEVER, steps=(), undated_ever=MANY_UNDATED)
            behind = over.arrive(times[begin:], made[begin:], given[begin:], max_out_of_orderness)
            kept = np.concatenate((np.where(given[:begin], before.times, NEVER), behind.times))
            return Arrived(behind.watermark, kept, np.concatenate((before.passed, behind.passed)), restarted=True)
        after, passed = after.advance(np.where(still, NEVER, times), made, max_out_of_orderness)
        return Arrived(after, np.where(far, NEVER, times), passed)

    def _replay_begins(
        self, times: NDArray[np.int64], made: NDArray[np.int64], given: NDArray[np.bool_], still: NDArray[np.bool_]
    ) -> int | None:
        """Return the row at which event time starts over. `still` masks the rows that do not advance event time."""
        if self.undated_ever >= MANY_UNDATED or not given.any():
            return None
        sent = np.where(given & ~is_implausible(times, made), times, NEVER)
        dated = np.maximum.accumulate(np.maximum(sent, self.dated))
        newest = np.maximum.accumulate(np.maximum(np.where(still, NEVER, np.where(given, sent, times)), self.newest))
        undated = np.minimum(self.undated_ever + np.cumsum(~given), MANY_UNDATED)
        older = (dated > NEVER) & (dated < newest - MAX_AHEAD) & (undated > 0) & (undated < MANY_UNDATED)
        found = np.flatnonzero(older & (_run_lengths(given, self.dated_rows) >= MANY_UNDATED))
        return int(found[0]) if found.size else None

    def undated(
        self, times: NDArray[np.int64], made: NDArray[np.int64], given: NDArray[np.bool_]
    ) -> tuple[Watermark, NDArray[np.bool_], NDArray[np.bool_]]:
        """Find the rows without an event time in a stream that has event times, by log order alone.

        The event time of such a row is now, and the stream may be a replay. If it advanced event time to now, each
        further row of the replay would be late. So either rows with an event time advance event time, or rows without
        one do. The latter do while no sender has given a time as new as theirs, and after `MANY_UNDATED` consecutive
        rows without one.

        Returns the watermark with `dated` and `undated_rows`, the rows that do not advance event time, and those of
        them that were made more than `MAX_AHEAD` after the newest event time, so that they count in no window.
        """
        if not given.size:
            return self, ~given, ~given
        sent = np.where(given & ~is_implausible(times, made), times, NEVER)
        dated = np.maximum.accumulate(np.maximum(sent, self.dated))
        undated_rows = _run_lengths(~given, self.undated_rows)
        still = ~given & ~self._led_by_undated(np.where(given, sent, times), dated, undated_rows)
        far = still & (made > dated + MAX_AHEAD)
        run = int(_run_lengths(given, 0)[-1])
        after = replace(
            self,
            dated=int(dated[-1]),
            undated_rows=int(undated_rows[-1]),
            undated_ever=min(self.undated_ever + int((~given).sum()), MANY_UNDATED),
            dated_rows=int(_run_lengths(given, self.dated_rows)[-1]),
            dated_since=_earliest(sent[given.size - run :], self.dated_since if run == given.size else NEVER),
        )
        return after, still, far

    def _led_by_undated(
        self, times: NDArray[np.int64], dated: NDArray[np.int64], undated_rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return for which rows those without an event time advance event time.

        The figures are those up to each row.
        """
        leads, newest, first = self.dated == NEVER or self.newest > self.dated, self.newest, 0
        # The rows from which those without an event time advance event time again, although senders have given times.
        returns = (undated_rows >= MANY_UNDATED) & (times > dated)
        found = np.zeros(times.size, np.bool_)
        while first < times.size:
            if leads:
                reached = np.maximum.accumulate(np.maximum(times[first:], newest))
                ends = np.flatnonzero((dated[first:] >= reached) & (dated[first:] > NEVER))[:1] + 1
            else:
                ends = np.flatnonzero(returns[first:])[:1]
            end = first + int(ends[0]) if ends.size else times.size
            found[first:end] = leads
            newest = int(dated[end - 1]) if end > first else newest
            first, leads = end, not leads
        return found

    def advance(
        self, times: NDArray[np.int64], made: NDArray[np.int64], max_out_of_orderness: int
    ) -> tuple[Watermark, NDArray[np.int64]]:
        """Take rows in log order. Returns the watermark after them, and its value at the arrival of each row.

        `times` that `is_implausible` reports do not advance event time. `max_out_of_orderness` is in microseconds,
        above 0.
        """
        resets = [*_clock_resets(made, self.made, max(max_out_of_orderness, MAX_CLOCK_SKEW)), made.size]
        watermark, passed = _follow(self, times[: resets[0]], made[: resets[0]], max_out_of_orderness)
        parts = [passed]
        for first, end in pairwise(resets):
            reset = _reset(watermark, int(made[first]))
            watermark, passed = _follow(reset, times[first:end], made[first:end], max_out_of_orderness)
            parts.append(passed)
        return watermark, np.concatenate(parts)

    def caught_up(self) -> Watermark:
        """Return the watermark of an idle stream, which has passed its newest event time."""
        return replace(self, passed=self.newest, steps=())


def is_implausible(times: NDArray[np.int64], made: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which event times are before the year 1900, or more than `MAX_AHEAD` after their row was made."""
    return (times > made + MAX_AHEAD) | (times < MIN_TIME)


def _earliest(times: NDArray[np.int64], before: int) -> int:
    """Return the earliest of `times` and `before`. `NEVER` values are ignored. `NEVER` if there are no others."""
    known = times[times > NEVER]
    found = [int(known.min())] if known.size else []
    return min(found if before == NEVER else [*found, before], default=NEVER)


def _run_lengths(mask: NDArray[np.bool_], before: int) -> NDArray[np.int64]:
    """Return the number of consecutive rows in the mask up to each row. `before` rows came before the first one."""
    places = np.arange(mask.size)
    return places - np.maximum.accumulate(np.where(mask, -1 - before, places))


def _clock_resets(made: NDArray[np.int64], latest: int, max_skew: int) -> list[int]:
    """Return the indices of rows made more than `max_skew` before the latest one since the last such row."""
    if made.size and made[0] >= latest - max_skew and (made[1:] >= made[:-1]).all():
        return []
    if not (made < np.maximum.accumulate(np.maximum(made, latest)) - max_skew).any():
        return []
    resets = []
    for row in np.flatnonzero(np.append(True, made[1:] != made[:-1])).tolist():
        if made[row] < latest - max_skew:
            resets.append(row)
            latest = int(made[row])
        latest = max(latest, int(made[row]))
    return resets


def _reset(watermark: Watermark, made: int) -> Watermark:
    steps = ((made, watermark.newest),)
    return replace(watermark, made=made, steps=steps, set_back=watermark.set_back + 1)


def _follow(
    watermark: Watermark, times: NDArray[np.int64], made: NDArray[np.int64], max_out_of_orderness: int
) -> tuple[Watermark, NDArray[np.int64]]:
    """Take rows between two resets of the writer's clock."""
    if not times.size:
        return watermark, times
    plausible = np.where(is_implausible(times, made), NEVER, times)
    made = np.maximum.accumulate(np.maximum(made, watermark.made))
    ends = np.append(np.flatnonzero(made[1:] != made[:-1]), made.size - 1)
    newest = np.maximum.accumulate(np.maximum(plausible, watermark.newest))[ends]
    written = made[ends]
    # Only the newest step counts among rows that were made at the same moment.
    before = np.array([step for step in watermark.steps if step[0] < written[0]], np.int64).reshape(-1, 2)
    all_written, all_newest = np.concatenate((before[:, 0], written)), np.concatenate((before[:, 1], newest))
    index = np.searchsorted(all_written, written - max_out_of_orderness, side="right")
    passed = np.concatenate(([watermark.passed], all_newest))[index]
    steps = tuple(zip(all_written[index[-1] :].tolist(), all_newest[index[-1] :].tolist(), strict=True))
    after = replace(watermark, newest=int(newest[-1]), passed=int(passed[-1]), made=int(written[-1]), steps=steps)
    return after, np.repeat(passed, np.diff(ends, prepend=-1))

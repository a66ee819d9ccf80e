"""Which of the latest rows are held out, and which rows before them a model that is evaluated is fitted to.

A model that is fitted at a time knows the outcomes up to a label delay before, so the rows of that delay are a gap:
without it, a fit to the last few rows would win wherever labels resemble those before them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.spec.policy import Trainer

FIRST_SHARE = 0.1
LEAST_ROWS, LEAST_SHARE, MOST_SHARE = 200, 0.02, 0.3
# With less of its rows a strategy would be judged by a model much worse than the one that it would serve.
_LEAST_JUDGED = 0.5


@dataclass(frozen=True)
class HeldOut:
    """The model that is evaluated is fitted to the rows before `fit`. The rows from `start` on are the holdout."""

    fit: int
    start: int

    @property
    def gap(self) -> int:
        """The rows that are neither."""
        return self.start - self.fit


def held_out(times: NDArray[np.int64], delay: int, fitted_until: int | None, least: int = 0) -> HeldOut:
    """Return the holdout of rows at these sorted event times: the rows after those the champion was fitted to.

    `fitted_until` is the champion's newest row. None without a champion, then the latest tenth is held out. The holdout
    begins a `delay` later where enough rows remain, for the champion predicted no earlier ones. All are in one unit of
    time. It has `least` rows at least, but no more than 30% of them.
    """
    rows = len(times)
    least, most = max(LEAST_ROWS, math.ceil(LEAST_SHARE * rows), least), int(MOST_SHARE * rows)
    if fitted_until is None:
        wanted = round(FIRST_SHARE * rows)
    else:
        later = [rows - int(np.searchsorted(times, fitted_until + gap, "right")) for gap in (delay, 0)]
        wanted = later[0] if later[0] >= least else later[1]
    return latest(times, delay, min(max(wanted, least), most))


def is_young(window: int, held: HeldOut, rows: int) -> bool:
    """Return whether a window that begins at row `window` of `rows` loses most of its rows to holdout and gap.

    It has just moved, and is not compared yet.
    """
    return held.fit - window < _LEAST_JUDGED * (rows - window)


def held_out_of_young(times: NDArray[np.int64], window: int) -> HeldOut:
    """Return the holdout of a window that is young: the latest third of its rows, without a gap."""
    return latest(times, 0, (len(times) - window) // 3)


def specified(trainer: Trainer, times: NDArray[np.int64]) -> int | None:
    """Return how many of the rows at these sorted event times, in microseconds, the spec holds out. None if it doesn't.

    That is a share or a number of them, or those of the last span of time. It may be all of them.
    """
    rows = len(times)
    if trainer.holdout_rows is not None:
        return min(trainer.holdout_rows, rows)
    if trainer.holdout_span is not None:
        start = times[-1] - trainer.holdout_span // timedelta(microseconds=1)
        return rows - int(np.searchsorted(times, start, "right"))
    return None if trainer.holdout is None else share_of(rows, trainer.holdout)


def share_of(rows: int, share: float) -> int:
    """Return how many of the latest rows a share is, one at least."""
    return rows - min(int(rows * (1 - share)), rows - 1)


def latest(times: NDArray[np.int64], delay: int, count: int) -> HeldOut:
    """Return the holdout of the latest `count` rows or more: rows with the same event time stay together.

    The gap takes half of the rows before the holdout at most: a delay longer than the history would leave none.
    """
    cut = times[len(times) - max(count, 1)]
    start = int(np.searchsorted(times, cut, "left"))
    known = int(np.searchsorted(times, cut - delay, "right"))
    return HeldOut(min(max(known, math.ceil(start / 2)), start), start)

"""Divides rows for the evaluation: the latest are held out, and the evaluated model is fitted to rows before them.

A model that is fitted at a time knows only the outcomes up to a label delay before, so the rows of that delay are a
gap. Without it, a fit to the last few rows would win wherever labels resemble their predecessors.
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
# With a smaller share of its rows, the evaluated model of a strategy is much worse than the one that would serve.
_LEAST_JUDGED = 0.5


@dataclass(frozen=True)
class HeldOut:
    """The model that is evaluated is fitted to the rows before `fit`. The rows from `start` on are the holdout."""

    fit: int
    start: int

    @property
    def gap(self) -> int:
        """The number of rows between the fit and the holdout."""
        return self.start - self.fit


def held_out(times: NDArray[np.int64], delay: int, fitted_until: int | None, least: int = 0) -> HeldOut:
    """Return the holdout of rows at these sorted event times: the rows after those the champion was fitted to.

    `fitted_until` is the event time of the champion's newest row. Without a champion it is None, and the latest tenth
    is held out. The holdout begins a `delay` later if enough rows remain, because the champion predicted no earlier
    rows. All times have the same unit. The holdout has `least` rows at least, but no more than 30% of all rows.
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
    """Return whether holdout and gap take most rows of a window that begins at row `window` of `rows`.

    Such a window has just moved, and its strategies are not compared yet.
    """
    return held.fit - window < _LEAST_JUDGED * (rows - window)


def held_out_of_young(times: NDArray[np.int64], window: int) -> HeldOut:
    """Return the holdout of a window that is young: the latest third of its rows, without a gap."""
    return latest(times, 0, (len(times) - window) // 3)


def specified(trainer: Trainer, times: NDArray[np.int64]) -> int | None:
    """Return the number of rows that the spec holds out, of rows at these sorted event times in microseconds.

    The spec has a share, a number of rows, or the last span of time. It may hold out all rows. None if it has none of
    these.
    """
    rows = len(times)
    if trainer.holdout_rows is not None:
        return min(trainer.holdout_rows, rows)
    if trainer.holdout_span is not None:
        start = times[-1] - trainer.holdout_span // timedelta(microseconds=1)
        return rows - int(np.searchsorted(times, start, "right"))
    return None if trainer.holdout is None else share_of(rows, trainer.holdout)


def share_of(rows: int, share: float) -> int:
    """Return the number of latest rows that are a share of `rows` rows, one at least."""
    return rows - min(int(rows * (1 - share)), rows - 1)


def latest(times: NDArray[np.int64], delay: int, count: int) -> HeldOut:
    """Return the holdout of the latest `count` rows or more: rows with the same event time stay together.

    The gap takes at most half of the rows before the holdout, because a delay longer than the history would leave none.
    """
    cut = times[len(times) - max(count, 1)]
    start = int(np.searchsorted(times, cut, "left"))
    known = int(np.searchsorted(times, cut - delay, "right"))
    return HeldOut(min(max(known, math.ceil(start / 2)), start), start)

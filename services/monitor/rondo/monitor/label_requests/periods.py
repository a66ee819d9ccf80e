"""The times at which outcomes are requested, and their number: periods of event time share the budget of a day.

A period is a window, or a day if windows are longer. At its end its predictions are known, and its window still accepts
outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000_000
# After a longer gap in event time, such as one of a wrong clock, only the last periods count.
MOST_PERIODS = 1_000


@dataclass(frozen=True)
class Period:
    """A range of event time `[start, end)` in microseconds, and the largest number of outcomes to request for it."""

    start: int
    end: int
    budget: int


def due_periods(until: int | None, passed: int, window: int, budget_per_day: int) -> Iterator[Period]:
    """Yield the periods that have ended since `until`, in order.

    `until` is the end of the last period. None before the first one: no outcomes are requested for the time before.
    `passed` is the watermark, and `window` is the length of a window. The budgets of a day's periods add up to the
    budget of the day.
    """
    length = min(window, DAY)
    last = last_end(passed, window)
    if until is None:
        return
    for start in range(max(until - until % length, last - MOST_PERIODS * length), last, length):
        end = start + length
        yield Period(start, end, budget_per_day * end // DAY - budget_per_day * start // DAY)


def last_end(passed: int, window: int) -> int:
    """Return the end of the last period that the watermark has passed."""
    length = min(window, DAY)
    return passed - passed % length

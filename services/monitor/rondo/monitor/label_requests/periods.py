"""When outcomes are asked for, and of how many predictions: periods of event time that share the budget of a day.

A period is a window, or a day of longer windows: when it ends its predictions are known, and its window still takes
outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000_000
# Of a longer gap in event time, such as that of a clock that was wrong, the last ones.
MOST_PERIODS = 1_000


@dataclass(frozen=True)
class Period:
    """Event time `[start, end)` in microseconds, and how many outcomes of its predictions are asked for at most."""

    start: int
    end: int
    budget: int


def due_periods(until: int | None, passed: int, window: int, budget_per_day: int) -> Iterator[Period]:
    """Yield the periods that have ended since `until`, in order.

    `until` is the end of the last one, None before any: then nothing is asked of the time before. `passed` is the
    watermark, and `window` the length of a window. The budgets of a day's periods add up to that of the day.
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

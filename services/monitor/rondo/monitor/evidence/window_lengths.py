"""The lengths of windows, steps and buckets, by the density of the reference's rows in event time.

All are lengths of the calendar, aligned to the epoch, so that every replica divides the rows in the same way. The
figures of a window are reported. At the end of a step its rows become evidence and the evidence is computed, however
the rows arrived, so the results do not depend on the order of arrival. Blocks consist of whole buckets. Buckets divide
steps, and steps divide windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_SECOND = 1_000_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND
LENGTHS = (
    _SECOND, 10 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY,
    7 * _DAY, 28 * _DAY,
)  # fmt: skip
"""Microseconds, ascending."""
DEFAULT_WINDOW = 7 * _DAY
# A window needs enough rows for its figures to have a meaning. It also needs to close often enough for the losses of
# its rows to become evidence in time.
_FEWEST_ROWS, _MOST_ROWS, _WINDOWS_IN_REFERENCE = 100.0, 20_000.0, 20.0
# The shortest block has 32 rows, so the end of a block is known to within a quarter of a block.
_ROWS_OF_BUCKET = 8.0
# A look at the evidence costs as much as counting some hundred rows.
_ROWS_OF_STEP, _STEPS_IN_REFERENCE = 64.0, 100.0


class Lengths(NamedTuple):
    """The lengths of one model's windows, steps and buckets, in microseconds."""

    window: int
    step: int
    bucket: int


@dataclass(frozen=True)
class Density:
    """The number of rows of a reference, and the event time from its first to its last row, in seconds."""

    rows: int
    seconds: float

    def rows_in(self, micros: int) -> float | None:
        """Return the rows that are expected in `micros` microseconds.

        None if all rows of the reference have the same time.
        """
        return self.rows / self.seconds * micros / _SECOND if self.seconds > 0 else None


def window_length(density: Density) -> int:
    """Return the length of a report window in microseconds, if the spec gives none."""
    most = max(_FEWEST_ROWS, min(density.rows / _WINDOWS_IN_REFERENCE, _MOST_ROWS))
    return _longest(density, most, LENGTHS) or DEFAULT_WINDOW


def step_length(density: Density, window: int) -> int:
    """Return the length of a step in microseconds, in windows of `window` microseconds."""
    rows = max(_ROWS_OF_STEP, min(density.rows / _STEPS_IN_REFERENCE, _MOST_ROWS))
    return _longest(density, rows, _dividing(window)) or _dividing(window)[-1]


def bucket_length(density: Density, step: int) -> int:
    """Return the length of a bucket in microseconds, in steps of `step` microseconds."""
    return _longest(density, _ROWS_OF_BUCKET, _dividing(step)) or _dividing(step)[0]


def _dividing(length: int) -> tuple[int, ...]:
    return tuple(each for each in LENGTHS if length % each == 0 and each <= length) or (length,)


def _longest(density: Density, rows: float, lengths: tuple[int, ...]) -> int | None:
    """Return the longest of these lengths with at most `rows` expected rows, or the shortest if all have more."""
    if density.seconds <= 0 or not density.rows:
        return None
    fitting = [length for length in lengths if (density.rows_in(length) or 0.0) <= rows]
    return fitting[-1] if fitting else lengths[0]

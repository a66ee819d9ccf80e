"""How long windows, steps and buckets are, by the density of the reference's rows in event time.

All are lengths of the calendar, aligned to the epoch, so that every replica cuts the rows alike. The figures of a
window are reported. A step is when rows become evidence and the evidence is looked at, however the rows arrived: so
what is found does not depend on that. A bucket is the unit of rows of which blocks consist. Buckets divide steps, and
steps windows.
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
# A window is to have enough rows for its figures to mean something, and to close often enough for the losses of its
# rows to be evidence in time.
_FEWEST_ROWS, _MOST_ROWS, _WINDOWS_IN_REFERENCE = 100.0, 20_000.0, 20.0
# The shortest block has 32 rows, so the end of a block is known to a quarter of it.
_ROWS_OF_BUCKET = 8.0
# Looking at the evidence costs as much as counting some hundred rows.
_ROWS_OF_STEP, _STEPS_IN_REFERENCE = 64.0, 100.0


class Lengths(NamedTuple):
    """The lengths of one model's windows, steps and buckets, in microseconds."""

    window: int
    step: int
    bucket: int


@dataclass(frozen=True)
class Density:
    """The rows of a reference, and the event time from its first to its last one, in seconds."""

    rows: int
    seconds: float

    def rows_in(self, micros: int) -> float | None:
        """Return the rows that are expected in this time. None where the reference has one moment alone."""
        return self.rows / self.seconds * micros / _SECOND if self.seconds > 0 else None


def window_length(density: Density) -> int:
    """Return the microseconds of a report window where the spec gives none."""
    most = max(_FEWEST_ROWS, min(density.rows / _WINDOWS_IN_REFERENCE, _MOST_ROWS))
    return _longest(density, most, LENGTHS) or DEFAULT_WINDOW


def step_length(density: Density, window: int) -> int:
    """Return the microseconds of a step in windows of `window` microseconds."""
    rows = max(_ROWS_OF_STEP, min(density.rows / _STEPS_IN_REFERENCE, _MOST_ROWS))
    return _longest(density, rows, _dividing(window)) or _dividing(window)[-1]


def bucket_length(density: Density, step: int) -> int:
    """Return the microseconds of a bucket in steps of `step` microseconds."""
    return _longest(density, _ROWS_OF_BUCKET, _dividing(step)) or _dividing(step)[0]


def _dividing(length: int) -> tuple[int, ...]:
    return tuple(each for each in LENGTHS if length % each == 0 and each <= length) or (length,)


def _longest(density: Density, rows: float, lengths: tuple[int, ...]) -> int | None:
    """Return the longest of these lengths with at most so many rows. The shortest where all have more."""
    if density.seconds <= 0 or not density.rows:
        return None
    fitting = [length for length in lengths if (density.rows_in(length) or 0.0) <= rows]
    return fitting[-1] if fitting else lengths[0]

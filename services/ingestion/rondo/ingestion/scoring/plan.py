"""Divides the rows of a data version into parts, and says how far a job is.

A part is a slice of one row group of one file, small enough for one message. The same files give the same parts, so a
job that was interrupted goes on with those that have no scores yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.scores import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of the rows of a part, uncompressed: a quarter of what a message may have, for texts can be longer in some rows.
TARGET_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a file. `size` is that of all its columns in bytes, uncompressed."""

    file: str
    number: int
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """`rows` rows of a row group, after `skipped` others. `first_row` is the number of the first one in the data."""

    number: int
    file: str
    row_group: int
    skipped: int
    rows: int
    first_row: int


def divide(groups: Iterable[RowGroup], max_rows: int = MAX_ROWS, target: int = TARGET_BYTES) -> list[Part]:
    """Return the parts of row groups, in their order. Together they have each row once."""
    parts: list[Part] = []
    first_row = 0
    for group in groups:
        size = rows_of_a_part(group, max_rows, target)
        for skipped in range(0, group.rows, size):
            rows = min(size, group.rows - skipped)
            parts.append(Part(len(parts), group.file, group.number, skipped, rows, first_row + skipped))
        first_row += group.rows
    return parts


def rows_of_a_part(group: RowGroup, max_rows: int, target: int) -> int:
    """Return how many rows of a row group have about `target` bytes: at least one, at most `max_rows`."""
    if not group.size:
        return max_rows
    return max(1, min(max_rows, target * group.rows // group.size))


@dataclass(frozen=True, slots=True)
class Speed:
    """The rows that were scored lately, and in how many seconds."""

    rows: int
    seconds: float

    @property
    def per_second(self) -> float | None:
        return self.rows / self.seconds if self.rows and self.seconds > 0 else None

    def seconds_for(self, left: int) -> float | None:
        """Return how long the rows that are left take at this speed; None while nothing is scored."""
        return left / self.per_second if self.per_second else None

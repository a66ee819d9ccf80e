"""Divides the rows of a data version into parts, and estimates the remaining time of a job.

A part is a slice of one row group of one file. It fits into one message, and so does its answer. The same files give
the same parts, so an interrupted job continues with the parts that have no scores yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.scores import MAX_ROWS
from rondo.contracts.tasks.multiclass import MAX_CLASSES
from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.contracts.spec.model import Feature

# The size of the rows of a part, as the file encodes them. It is a quarter of the largest message, because texts may be
# longer in some rows.
TARGET_BYTES = 2 * 1024 * 1024
# The largest size of the columns of a message, and of an answer. A message has plain columns, where the file may have
# each distinct number only once.
_REQUEST_BYTES = 4 * 1024 * 1024
_ANSWER_BYTES = 6 * 1024 * 1024
# Sizes in bytes. A value of a row in a message is a float64, or the index of a text. A row of an answer has its number,
# entity, time, error, and the outputs without probabilities. A probability is a float32 for each class.
_VALUE, _OUTPUTS, _PROBABILITY = 8, 64, 4


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a file. `size` is the uncompressed size of all its columns in bytes."""

    file: str
    number: int
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part: `rows` rows of a row group after `skipped` rows. `first_row` is the number of its first row overall."""

    number: int
    file: str
    row_group: int
    skipped: int
    rows: int
    first_row: int


def most_rows(features: Mapping[str, Feature], task: str) -> int:
    """Return the number of rows that fit into a message with these features, and into an answer for this task.

    An unknown task may answer with probabilities of any number of classes.
    """
    target = TASKS[task].target if task in TASKS else "probabilities"
    answer = _OUTPUTS + (_PROBABILITY * MAX_CLASSES if target == "probabilities" else 0)
    return min(_ANSWER_BYTES // answer, _REQUEST_BYTES // (_VALUE * max(1, len(features))))


def divide(
    groups: Iterable[RowGroup], max_rows: int = MAX_ROWS, target: int = TARGET_BYTES, *, most: int = MAX_ROWS
) -> list[Part]:
    """Return the parts of row groups, in their order. Each row is in exactly one part.

    A part has at most `max_rows` and at most `most` rows.
    """
    parts: list[Part] = []
    first_row = 0
    for group in groups:
        size = rows_of_a_part(group, min(max_rows, most), target)
        for skipped in range(0, group.rows, size):
            rows = min(size, group.rows - skipped)
            parts.append(Part(len(parts), group.file, group.number, skipped, rows, first_row + skipped))
        first_row += group.rows
    return parts


def rows_of_a_part(group: RowGroup, max_rows: int, target: int) -> int:
    """Return the number of rows of a row group with about `target` bytes: at least one, at most `max_rows`."""
    if not group.size:
        return max_rows
    return max(1, min(max_rows, target * group.rows // group.size))


@dataclass(frozen=True, slots=True)
class Speed:
    """The number of recently scored rows, and the seconds in which they were scored."""

    rows: int
    seconds: float

    @property
    def per_second(self) -> float | None:
        return self.rows / self.seconds if self.rows and self.seconds > 0 else None

    def seconds_for(self, left: int) -> float | None:
        """Return the seconds that `left` more rows take at this speed. None if no rows were scored."""
        return left / self.per_second if self.per_second else None

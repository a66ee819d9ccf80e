"""Divides the rows of a data version into parts, and says how far a job is.

A part is a slice of one row group of one file, small enough for one message, as is its answer. The same files give the
same parts, so a job that was interrupted goes on with those that have no scores yet.
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

# Of the rows of a part, as the file encodes them: a quarter of what a message may have, for texts can be longer in some
# rows.
TARGET_BYTES = 2 * 1024 * 1024
# Of the columns of a message, which are plain where the file has each different number once; and of an answer.
_REQUEST_BYTES = 4 * 1024 * 1024
_ANSWER_BYTES = 6 * 1024 * 1024
# Of a row of a message: a float64, or the index of a text. Of a row of an answer: its number, entity, time and error,
# the outputs without probabilities; and a float32 for each class.
_VALUE, _OUTPUTS, _PROBABILITY = 8, 64, 4


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


def most_rows(features: Mapping[str, Feature], task: str) -> int:
    """Return how many rows fit into a message with these features, and into its answer by a model of this task.

    A task that is not known here may answer with probabilities, of any number of classes.
    """
    target = TASKS[task].target if task in TASKS else "probabilities"
    answer = _OUTPUTS + (_PROBABILITY * MAX_CLASSES if target == "probabilities" else 0)
    return min(_ANSWER_BYTES // answer, _REQUEST_BYTES // (_VALUE * max(1, len(features))))


def divide(
    groups: Iterable[RowGroup], max_rows: int = MAX_ROWS, target: int = TARGET_BYTES, *, most: int = MAX_ROWS
) -> list[Part]:
    """Return the parts of row groups, in their order. Together they have each row once.

    A part has at most `max_rows` rows, and at most `most`.
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
        """Return how long the rows that are left take at this speed. None while nothing is scored."""
        return left / self.per_second if self.per_second else None

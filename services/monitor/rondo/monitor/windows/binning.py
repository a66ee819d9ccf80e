"""Counts the columns of a micro-batch into the fixed bins of a model's reference profile.

The counts of all features lie side by side in one vector of integers: merging two counts is adding two vectors.
A numeric feature has its bins, then a place for missing values; a categorical one its categories, a place for
those that the reference does not list, and one for missing values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.events.profile import CategoricalProfile, NumericProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.events.profile import ReferenceProfile

SCORE = f"{OUTPUT}score"


@dataclass(frozen=True)
class Slot:
    """Where the counts of one column lie. `name` is the feature's, or `output.score`."""

    name: str
    column: str
    offset: int
    size: int
    edges: NDArray[np.float32] | None
    categories: pa.Array | None

    def of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this column's counts, the missing values last."""
        return counts[self.offset : self.offset + self.size]


@dataclass(frozen=True)
class Binning:
    """The bins of all columns of one version, and how many counts they take together."""

    slots: tuple[Slot, ...]
    size: int

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Binning:
        """Return the bins of a reference profile: its features in their order, then the score."""
        slots: list[Slot] = []
        offset = 0
        columns = [(name, f"{FEATURE}{name}", part) for name, part in profile.features.items()]
        for name, column, part in [*columns, (SCORE, SCORE, profile.score)]:
            slots.append(_slot(name, column, offset, part))
            offset += slots[-1].size
        return cls(tuple(slots), offset)

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        """Count rows into a vector of `size` integers. A column that the rows lack is missing in each of them."""
        counts = np.zeros(self.size, np.int64)
        for slot in self.slots:
            counts[slot.offset : slot.offset + slot.size] = _count(slot, rows)
        return counts

    def reference(self, profile: ReferenceProfile) -> NDArray[np.int64]:
        """Return the counts of the profile itself, laid out alike."""
        return np.concatenate([_counts(part) for part in (*profile.features.values(), profile.score)])


def _slot(name: str, column: str, offset: int, part: NumericProfile | CategoricalProfile) -> Slot:
    if isinstance(part, NumericProfile):
        # As float32, like the values: an edge that was one of the values is then met exactly.
        return Slot(name, column, offset, len(part.counts) + 1, np.asarray(part.edges, np.float32), None)
    return Slot(name, column, offset, len(part.counts) + 2, None, pa.array([*part.counts, ""], pa.string()))


def _counts(part: NumericProfile | CategoricalProfile) -> NDArray[np.int64]:
    if isinstance(part, NumericProfile):
        return np.array([*part.counts, part.missing], np.int64)
    return np.array([*part.counts.values(), part.other, part.missing], np.int64)


def _count(slot: Slot, rows: pa.Table) -> NDArray[np.int64]:
    if slot.column not in rows.column_names:
        return _all_missing(slot, rows.num_rows)
    column = rows.column(slot.column)
    return _count_categories(slot, column) if slot.edges is None else _count_numbers(slot.edges, slot.size, column)


def _all_missing(slot: Slot, rows: int) -> NDArray[np.int64]:
    counts = np.zeros(slot.size, np.int64)
    counts[-1] = rows
    return counts


def _count_numbers(edges: NDArray[np.float32], size: int, column: pa.ChunkedArray) -> NDArray[np.int64]:
    values = column.to_numpy().astype(np.float32, copy=False)  # null becomes NaN
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=size)
    missing = int(np.isnan(values).sum())
    counts[-2] -= missing  # NaN sorts behind every edge
    counts[-1] = missing
    return counts


def _count_categories(slot: Slot, column: pa.ChunkedArray) -> NDArray[np.int64]:
    # The empty text, last among the categories, is missing too: as it is in the reference.
    unlisted = slot.size - 1
    codes = pc.index_in(column, slot.categories, skip_nulls=True).fill_null(unlisted).to_numpy()
    counts = np.bincount(codes, minlength=slot.size)
    empty, rest = int(counts[-2]), int(counts[-1])
    counts[-2:] = rest - column.null_count, column.null_count + empty
    return counts

"""Counts the columns of a table into the fixed bins of a model's reference profile.

The counts of all columns lie side by side in one vector: two counts merge by addition. A numeric column has its bins,
then one for missing values; a categorical one its categories, one for categories that the reference does not list, and
one for missing values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, UnknownProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import ReferenceProfile


@dataclass(frozen=True)
class ColumnBins:
    """The slice of one column in the vector of counts. `name` is a feature, or an output such as `output.score`."""

    name: str
    column: str
    offset: int
    size: int
    edges: NDArray[np.float32] | None
    categories: pa.Array | None

    def of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this column's counts; the missing values are last."""
        return counts[self.offset : self.offset + self.size]


@dataclass(frozen=True)
class Binning:
    """The bins of every column of a version; `size` is their total number.

    A column whose kind of profile is unknown has none.
    """

    columns: tuple[ColumnBins, ...]
    size: int

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Binning:
        """Return the bins of a reference profile: its features in their order, then its outputs."""
        columns: list[ColumnBins] = []
        offset = 0
        profiles = [(name, f"{FEATURE}{name}", part) for name, part in profile.features.items()]
        outputs = [(f"{OUTPUT}{name}", f"{OUTPUT}{name}", part) for name, part in profile.outputs.items()]
        for name, column, part in [*profiles, *outputs]:
            if isinstance(part, UnknownProfile):
                continue
            columns.append(_column_bins(name, column, offset, part))
            offset += columns[-1].size
        return cls(tuple(columns), offset)

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        """Count rows into a vector of shape (size,). A column that the table lacks counts as missing in every row."""
        counts = np.zeros(self.size, np.int64)
        for column in self.columns:
            column.of(counts)[:] = _count(column, rows)
        return counts

    def reference(self, profile: ReferenceProfile) -> NDArray[np.int64]:
        """Return the counts of the profile itself, shape (size,)."""
        parts = (*profile.features.values(), *profile.outputs.values())
        known = [_profile_counts(part) for part in parts if not isinstance(part, UnknownProfile)]
        return np.concatenate([np.zeros(0, np.int64), *known])


def _column_bins(name: str, column: str, offset: int, part: NumericProfile | CategoricalProfile) -> ColumnBins:
    if isinstance(part, NumericProfile):
        # As float32, like the values: a value equal to an edge then compares as equal.
        return ColumnBins(name, column, offset, len(part.counts) + 1, np.asarray(part.edges, np.float32), None)
    return ColumnBins(name, column, offset, len(part.counts) + 2, None, pa.array([*part.counts, ""], pa.string()))


def _profile_counts(part: NumericProfile | CategoricalProfile) -> NDArray[np.int64]:
    if isinstance(part, NumericProfile):
        return np.array([*part.counts, part.missing], np.int64)
    return np.array([*part.counts.values(), part.other, part.missing], np.int64)


def _count(bins: ColumnBins, rows: pa.Table) -> NDArray[np.int64]:
    if bins.column not in rows.column_names:
        return _all_missing(bins, rows.num_rows)
    column = rows.column(bins.column)
    return _count_categories(bins, column) if bins.edges is None else _count_numbers(bins.edges, bins.size, column)


def _all_missing(bins: ColumnBins, rows: int) -> NDArray[np.int64]:
    counts = np.zeros(bins.size, np.int64)
    counts[-1] = rows
    return counts


def _count_numbers(edges: NDArray[np.float32], size: int, column: pa.ChunkedArray) -> NDArray[np.int64]:
    values = column.to_numpy().astype(np.float32, copy=False)  # null becomes NaN
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=size)
    missing = int(np.isnan(values).sum())
    counts[-2] -= missing  # NaN sorts after every edge
    counts[-1] = missing
    return counts


def _count_categories(bins: ColumnBins, column: pa.ChunkedArray) -> NDArray[np.int64]:
    # The empty text is last among the categories; it is a missing value, as in the reference.
    unlisted = bins.size - 1
    codes = pc.index_in(column, bins.categories, skip_nulls=True).fill_null(unlisted).to_numpy()
    counts = np.bincount(codes, minlength=bins.size)
    empty, rest = int(counts[-2]), int(counts[-1])
    counts[-2:] = rest - column.null_count, column.null_count + empty
    return counts

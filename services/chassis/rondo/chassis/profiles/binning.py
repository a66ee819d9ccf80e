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

from rondo.chassis.profiles.projections import Projector, computable
from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, UnknownProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import FeatureProfile, Projections, ReferenceProfile


# A binary search is full of branches that no processor predicts: with 8,000 rows it takes 3 times as long as comparing
# all values with each of 40 edges, with 300,000 rows 30 times. With fewer rows than these it is quicker.
_MANY_ROWS = 2_048


@dataclass(frozen=True)
class ColumnBins:
    """The slice of one column in the vector of counts.

    `name` is a feature, an output such as `output.score`, or a projection such as `projection 1`, whose `column` is
    empty.
    """

    name: str
    column: str
    offset: int
    size: int
    edges: NDArray[np.float32] | None
    categories: pa.Array | None

    def of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this column's counts; the missing values are last."""
        return counts[self.offset : self.offset + self.size]

    def bins(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the bin of each row, counted from 0, as a new array of shape [rows].

        A column that the table lacks is missing in every row.
        """
        if self.column not in rows.column_names:
            return np.full(rows.num_rows, self.size - 1, np.int64)
        column = rows.column(self.column)
        if self.edges is not None:
            return self.bins_of(column.to_numpy().astype(np.float32, copy=False))  # null becomes NaN
        return _bins_of_categories(self.categories, self.size, column)

    def bins_of(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the bin of each value of a numeric column, as a new array; NaN is missing."""
        assert self.edges is not None  # noqa: S101 - the caller's condition
        found = _edges_up_to(values, self.edges)
        found[np.isnan(values)] = self.size - 1  # NaN sorts after every edge
        return found


@dataclass(frozen=True)
class Binning:
    """The bins of every column of a version, then those of its projections; `size` is their total number.

    A column whose kind of profile is unknown has none.
    """

    columns: tuple[ColumnBins, ...]
    projections: tuple[ColumnBins, ...]
    projector: Projector
    size: int

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Binning:
        """Return the bins of a reference profile: its features in their order, its outputs, its projections."""
        return cls.of_columns(profile.features, profile.outputs, profile.projections)

    @classmethod
    def of_columns(
        cls,
        features: Mapping[str, FeatureProfile],
        outputs: Mapping[str, FeatureProfile],
        projections: Projections | None = None,
    ) -> Binning:
        """Return the bins of features in their order, then of outputs and projections."""
        named = [(name, f"{FEATURE}{name}", part) for name, part in features.items()]
        named += [(f"{OUTPUT}{name}", f"{OUTPUT}{name}", part) for name, part in outputs.items()]
        columns = _side_by_side(named, 0)
        offset = sum(column.size for column in columns)
        profiles = computable(features, projections)
        projector = Projector.of(features, projections.weights if projections and profiles else {})
        projected = _side_by_side([(name, "", part) for name, part in profiles.items()], offset)
        return cls(columns, projected, projector, offset + sum(column.size for column in projected))

    @property
    def watched(self) -> tuple[ColumnBins, ...]:
        """The columns and the projections, in the order of their counts."""
        return (*self.columns, *self.projections)

    def count(self, rows: pa.Table) -> NDArray[np.int64]:
        """Count rows into a vector of shape (size,). A column that the table lacks counts as missing in every row."""
        return self.count_groups(rows, np.zeros(rows.num_rows, np.int64), 1).ravel()

    def indices(self, rows: pa.Table) -> tuple[NDArray[np.int64], ...]:
        """Return where each row is counted in the vector of counts: for each of `watched` an array of shape [rows]."""
        return tuple(column.offset + bins for column, bins in self._bins(rows))

    def count_groups(self, rows: pa.Table, groups: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """Count each group of rows for itself: shape [number, size].

        `groups` has each row's group, from 0 to `number` - 1, shape [rows].
        """
        counts = np.empty((number, self.size), np.int64)
        for column, bins in self._bins(rows):
            places = bins if number == 1 else bins + groups * column.size
            found = np.bincount(places, minlength=number * column.size)
            counts[:, column.offset : column.offset + column.size] = found.reshape(number, column.size)
        return counts

    def reference(self, profile: ReferenceProfile) -> NDArray[np.int64]:
        """Return the counts of the profile itself, shape (size,)."""
        projections = computable(profile.features, profile.projections)
        parts = (*profile.features.values(), *profile.outputs.values(), *projections.values())
        known = [_profile_counts(part) for part in parts if not isinstance(part, UnknownProfile)]
        return np.concatenate([np.zeros(0, np.int64), *known])

    def _bins(self, rows: pa.Table) -> Iterator[tuple[ColumnBins, NDArray[np.int64]]]:
        """Yield the bin of each row by column, then by projection, as new arrays."""
        projected = self.projector.zeros(rows.num_rows)
        for column in self.columns:
            bins = column.bins(rows)
            self.projector.add(projected, column.name, bins)
            yield column, bins
        for column, values in zip(self.projections, np.ascontiguousarray(projected.T), strict=True):
            yield column, column.bins_of(values)


def _side_by_side(profiles: Iterable[tuple[str, str, FeatureProfile]], offset: int) -> tuple[ColumnBins, ...]:
    """Return the bins of names, columns and profiles in a vector of counts from `offset` on."""
    columns: list[ColumnBins] = []
    for name, column, part in profiles:
        if not isinstance(part, UnknownProfile):
            columns.append(_column_bins(name, column, offset, part))
            offset += columns[-1].size
    return tuple(columns)


def _column_bins(name: str, column: str, offset: int, part: NumericProfile | CategoricalProfile) -> ColumnBins:
    if isinstance(part, NumericProfile):
        # As float32, like the values: a value equal to an edge then compares as equal.
        return ColumnBins(name, column, offset, len(part.counts) + 1, np.asarray(part.edges, np.float32), None)
    return ColumnBins(name, column, offset, len(part.counts) + 2, None, pa.array([*part.counts, "", None], pa.string()))


def _profile_counts(part: NumericProfile | CategoricalProfile) -> NDArray[np.int64]:
    if isinstance(part, NumericProfile):
        return np.array([*part.counts, part.missing], np.int64)
    return np.array([*part.counts.values(), part.other, part.missing], np.int64)


def _edges_up_to(values: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return how many edges are at most each value."""
    if len(values) < _MANY_ROWS or len(edges) > np.iinfo(np.uint8).max:
        return np.searchsorted(edges, values, side="right").astype(np.int64, copy=False)
    found = np.zeros(len(values), np.uint8)
    for edge in edges:
        found += values >= edge
    return found.astype(np.int64)


def _bins_of_categories(categories: pa.Array, size: int, column: pa.ChunkedArray) -> NDArray[np.int64]:
    # The categories end with the empty text and null, which are missing, as in the reference.
    codes = pc.index_in(column, categories).fill_null(size).to_numpy()
    missing, unlisted = size - 1, size - 2
    bins = np.append(np.arange(unlisted), [missing, missing, unlisted])
    return bins[np.asarray(codes, np.int64)]

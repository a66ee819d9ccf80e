"""Counts the columns of a table into the fixed bins of a model's reference profile.

The counts of all columns are one vector, so two vectors of counts merge by addition. A numeric column has its bins,
then one bin for missing values. A categorical column has its categories, one bin for categories that the reference does
not list, and one for missing values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.chassis.profiles.dictionary_codes import codes_of
from rondo.chassis.profiles.numeric_bins import NumericBins
from rondo.chassis.profiles.projections import Projector, computable
from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, UnknownProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import FeatureProfile, Projections, ReferenceProfile


# The number of rows whose bins are in memory at once.
_ROWS_AT_ONCE = 16_384


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
        """Return this column's counts. The count of missing values is last."""
        return counts[self.offset : self.offset + self.size]

    def bins(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the bin of each row, counted from 0, as a new array of shape [rows].

        If the table lacks the column, the value of every row is missing.
        """
        if self.edges is None:
            return self.bins_of_categories(rows)
        return self.bins_of(_values([self], rows)[0])

    def bins_of(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the bin of each value of a numeric column, as a new array. NaN is missing."""
        return np.asarray(_numeric_bins([self]).of_values(values[None])[0], np.int64)

    def bins_of_categories(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return `bins` of a categorical column. Its texts may be dictionary-encoded."""
        if self.column not in rows.column_names:
            return np.full(rows.num_rows, self.size - 1, np.int64)
        column = rows.column(self.column)
        if not pa.types.is_dictionary(column.type):
            return self._bins_of_texts(column)
        # Each distinct text is looked up once.
        encoded = column.combine_chunks()
        bins = np.append(self._bins_of_texts(encoded.dictionary), self.size - 1)
        return bins.take(codes_of(encoded, len(bins) - 1))

    def _bins_of_texts(self, texts: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        # The categories end with the empty text and null, which both count as missing, as in the reference.
        codes = pc.index_in(texts, self.categories).fill_null(self.size).to_numpy(zero_copy_only=False)
        missing, unlisted = self.size - 1, self.size - 2
        bins = np.append(np.arange(unlisted), [missing, missing, unlisted])
        return bins[np.asarray(codes, np.int64)]


@dataclass(frozen=True, eq=False)
class AlikeColumns:
    """Columns of the same kind with the same number of bins, and their `numbers` among all columns.

    `places` are the positions of their counts, without missing values, shape [columns, bins].
    """

    is_categorical: bool
    numbers: tuple[int, ...]
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Binning:
    """The bins of every column of a version, then those of its projections. `size` is the total number of bins.

    A column with an unknown kind of profile has no bins.
    """

    columns: tuple[ColumnBins, ...]
    projections: tuple[ColumnBins, ...]
    projector: Projector
    size: int

    @classmethod
    def of(cls, profile: ReferenceProfile) -> Binning:
        """Return the bins of a reference profile: of its features in order, then of its outputs and projections."""
        return cls.of_columns(profile.features, profile.outputs, profile.projections)

    @classmethod
    def of_columns(
        cls,
        features: Mapping[str, FeatureProfile],
        outputs: Mapping[str, FeatureProfile],
        projections: Projections | None = None,
    ) -> Binning:
        """Return the bins of features in order, then of outputs and projections."""
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

    def count_groups(self, rows: pa.Table, groups: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """Return the counts of each group of rows, shape [number, size].

        If the table lacks a column, the value of every row is missing. `groups` has each row's group, from 0 to
        `number` - 1, shape [rows].
        """
        return self.count(self.bins(rows), groups, number)

    def count(self, bins: NDArray[Any], groups: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """Return the same as `count_groups`, from the bins of the rows."""
        if bins.shape[1] > _ROWS_AT_ONCE:
            parts = [slice(first, first + _ROWS_AT_ONCE) for first in range(0, bins.shape[1], _ROWS_AT_ONCE)]
            return np.asarray(sum(self.count(bins[:, part], groups[part], number) for part in parts))
        places = bins + self._offsets
        if number > 1:
            places += groups * self.size
        found = np.bincount(places.ravel(), minlength=number * self.size)
        return found.astype(np.int64, copy=False).reshape(number, self.size)

    def bins(self, rows: pa.Table) -> NDArray[Any]:
        """Return the bin of each value, counted from 0 in each column, shape [watched, rows].

        The type is the smallest unsigned one that can hold the bins of all columns.
        """
        found = np.empty((len(self.watched), rows.num_rows), self._type)
        for first in range(0, rows.num_rows, _ROWS_AT_ONCE):
            self._fill(found[:, first : first + _ROWS_AT_ONCE], rows.slice(first, _ROWS_AT_ONCE))
        return found

    def reference(self, profile: ReferenceProfile) -> NDArray[np.int64]:
        """Return the counts of the profile itself, shape (size,)."""
        projections = computable(profile.features, profile.projections)
        parts = (*profile.features.values(), *profile.outputs.values(), *projections.values())
        known = [_profile_counts(part) for part in parts if not isinstance(part, UnknownProfile)]
        return np.concatenate([np.zeros(0, np.int64), *known])

    def _fill(self, bins: NDArray[Any], rows: pa.Table) -> None:
        """Write the bins of the rows into `bins`."""
        number = len(self.columns)
        numeric = [at for at, column in enumerate(self.columns) if column.edges is not None]
        if numeric:
            bins[numeric] = self._numeric.of_values(_values([self.columns[at] for at in numeric], rows))
        for column, mine in zip(self.columns, bins, strict=False):
            if column.edges is None:
                mine[:] = column.bins_of_categories(rows)
        if self.projections:
            projected = self.projector.zeros(rows.num_rows)
            for column, mine in zip(self.columns, bins, strict=False):
                self.projector.add(projected, column.name, mine)
            bins[number:] = self._projected.of_values(np.ascontiguousarray(projected.T))

    @cached_property
    def _type(self) -> np.dtype[Any]:
        return np.min_scalar_type(max((column.size for column in self.watched), default=1) - 1)

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """The position of the first bin of each column, shape [watched, 1]."""
        return np.array([column.offset for column in self.watched], np.int64)[:, None]

    @cached_property
    def alike(self) -> tuple[AlikeColumns, ...]:
        """The columns in groups of the same shape, so that distributions of many columns are compared at once."""
        found: dict[tuple[bool, int], list[int]] = {}
        for number, column in enumerate(self.columns):
            found.setdefault((column.categories is not None, column.size), []).append(number)
        return tuple(
            AlikeColumns(
                is_categorical, tuple(numbers),
                np.array([self.columns[at].offset for at in numbers])[:, None] + np.arange(size - 1),
            )
            for (is_categorical, size), numbers in found.items()
        )  # fmt: skip

    @cached_property
    def _numeric(self) -> NumericBins:
        return _numeric_bins(self.columns)

    @cached_property
    def _projected(self) -> NumericBins:
        return _numeric_bins(self.projections)


def _side_by_side(profiles: Iterable[tuple[str, str, FeatureProfile]], offset: int) -> tuple[ColumnBins, ...]:
    """Return the bins of profiles, given as (name, column, profile), in a vector of counts from `offset` on."""
    columns: list[ColumnBins] = []
    for name, column, part in profiles:
        if not isinstance(part, UnknownProfile):
            columns.append(_column_bins(name, column, offset, part))
            offset += columns[-1].size
    return tuple(columns)


def _column_bins(name: str, column: str, offset: int, part: NumericProfile | CategoricalProfile) -> ColumnBins:
    if isinstance(part, NumericProfile):
        # Edges are float32, like the values, so that a value equal to an edge compares as equal.
        return ColumnBins(name, column, offset, len(part.counts) + 1, np.asarray(part.edges, np.float32), None)
    return ColumnBins(name, column, offset, len(part.counts) + 2, None, pa.array([*part.counts, "", None], pa.string()))


def _profile_counts(part: NumericProfile | CategoricalProfile) -> NDArray[np.int64]:
    if isinstance(part, NumericProfile):
        return np.array([*part.counts, part.missing], np.int64)
    return np.array([*part.counts.values(), part.other, part.missing], np.int64)


def _numeric_bins(columns: Sequence[ColumnBins]) -> NumericBins:
    found = [(each.edges, each.size - 1) for each in columns if each.edges is not None]
    return NumericBins.of([edges for edges, _ in found], [missing for _, missing in found])


def _values(columns: Sequence[ColumnBins], rows: pa.Table) -> NDArray[np.float32]:
    """Return the values of numeric columns, NaN where missing, shape [columns, rows]."""
    values, known = np.empty((len(columns), rows.num_rows), np.float32), set(rows.column_names)
    for mine, column in zip(values, columns, strict=True):
        if column.column not in known:
            mine[:] = np.nan
            continue
        found = rows.column(column.column)
        # An array without nulls is not copied, and null becomes NaN.
        one = found.num_chunks == 1
        mine[:] = found.chunk(0).to_numpy(zero_copy_only=False) if one else found.to_numpy()
    return values

"""Buckets of event time that still accept rows, for each version: counts by bin, which merge by addition.

Where buckets have few rows, most counts are 0. So the rows of a message are kept as the bin of each column, until their
bucket has another part, or a checkpoint needs the counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import Binning, ColumnBins

# Parts of buckets are merged when there are this many. Rows that arrive one by one then need little memory, and not
# each of them causes a copy of all buckets.
_MOST_PARTS = 64
# Rows of at most this many buckets are counted at once, which takes less time than to keep the rows.
_FEW_BUCKETS = 16


class BucketArrays(NamedTuple):
    """Buckets by their `starts` in microseconds, with their number of `rows`, and sums in `counts`.

    `counts` are the rows by bin, shape `[buckets, bins]`, or other sums of the rows.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    counts: NDArray[Any]

    def at(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> BucketArrays:
        return BucketArrays(self.starts[which], self.rows[which], self.counts[which])

    def counts_of(self, column: ColumnBins) -> NDArray[np.int64]:
        """Return the counts of one column, shape `[buckets, bins]`."""
        return np.asarray(self.counts[:, column.offset : column.offset + column.size])

    def split(self, upto: int) -> tuple[BucketArrays | None, BucketArrays | None]:
        """Return the buckets that start before `upto`, and the others. Each is None if it has no bucket."""
        before = self.starts < upto
        if before.all() or not before.any():
            return (self, None) if before.any() else (None, self)
        count = int(before.sum())
        # Counts are large. In most cases the buckets before `upto` come first, and then a view suffices.
        return self.at(slice(count) if before[:count].all() else before), self.at(~before)


@dataclass(frozen=True, eq=False)
class BucketedRows:
    """Rows in the order of their buckets, none of which is empty.

    `starts` are the starts of the buckets in microseconds, and `rows` their numbers of rows. `bins` has the bin of each
    value of the rows, shape `[watched, rows]`.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    bins: NDArray[Any]
    binning: Binning

    @classmethod
    def of(cls, starts: NDArray[np.int64], bins: NDArray[Any], binning: Binning) -> BucketedRows:
        """Return buckets of rows in any order. `starts` is the start of each row's bucket, shape `[rows]`."""
        if (np.diff(starts) < 0).any():
            order = np.argsort(starts, kind="stable")
            starts, bins = starts[order], bins[:, order]
        firsts = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1))
        return cls(starts[firsts], np.diff(firsts, append=len(starts)), bins, binning)

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The index of the first row of each bucket."""
        return np.asarray(np.cumsum(self.rows) - self.rows)

    @property
    def counted(self) -> BucketArrays:
        numbers = np.repeat(np.arange(len(self.starts)), self.rows)
        return BucketArrays(self.starts, self.rows, self.binning.count(self.bins, numbers, len(self.starts)))

    @property
    def is_sparse(self) -> bool:
        """True if the bins take less memory than counts by bucket. That is so where buckets have few rows."""
        return len(self.starts) > _FEW_BUCKETS and self.bins.nbytes < len(self.starts) * self.binning.size

    def counts_of(self, column: ColumnBins) -> NDArray[np.int64]:
        """Return the counts of one column, shape `[buckets, bins]`."""
        mine = self.bins[[each.name for each in self.binning.watched].index(column.name)]
        places = np.repeat(np.arange(len(self.starts)) * column.size, self.rows) + mine
        counts: NDArray[np.int64] = np.bincount(places, minlength=len(self.starts) * column.size)
        return counts.reshape(len(self.starts), column.size)

    def between(self, first: int, end: int) -> NDArray[np.int64]:
        """Return the counts by bin of the buckets from index `first` to before `end` together, shape `[bins]`."""
        row = int(self.rows[:first].sum())
        bins = self.bins[:, row : row + int(self.rows[first:end].sum())]
        return np.asarray(self.binning.count(bins, np.zeros(bins.shape[1], np.int64), 1)[0])

    def split(self, upto: int) -> tuple[BucketedRows | None, BucketedRows | None]:
        """Return the buckets that start before `upto`, and the others. Each is None if it has no bucket."""
        number = int(self.starts.searchsorted(upto))
        if number in (0, len(self.starts)):
            return (self, None) if number else (None, self)
        row = int(self.rows[:number].sum())
        before = BucketedRows(self.starts[:number], self.rows[:number], self.bins[:, :row], self.binning)
        # A copy, because a view would keep the memory of all rows.
        bins = self.bins[:, row:].copy()
        return before, BucketedRows(self.starts[number:], self.rows[number:], bins, self.binning)


Part = BucketArrays | BucketedRows


@dataclass
class OpenBuckets:
    """The buckets of each version as `parts`. A bucket may be in several parts."""

    parts: dict[int, list[Part]] = field(default_factory=dict)

    def add_rows(self, version: int, rows: BucketedRows) -> None:
        """Add rows. The arrays are kept, so the caller must not change them afterwards."""
        if len(rows.starts):
            self._append(version, rows if rows.is_sparse else rows.counted)

    def add(self, version: int, starts: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add rows and counts, shapes `[buckets]` and `[buckets, bins]`. Empty buckets are left out.

        The arrays are kept, so the caller must not change them afterwards.
        """
        full, added = rows > 0, BucketArrays(starts, rows, counts)
        counts.flags.writeable = False
        if full.any():
            self._append(version, added if full.all() else added.at(full))

    def pop(self, version: int, upto: int) -> list[Part]:
        """Remove the buckets that start before `upto`. Returns their parts, see `added_up`."""
        split = [part.split(upto) for part in self.parts.pop(version, ())]
        if left := [others for _, others in split if others]:
            self.parts[version] = left
        return [before for before, _ in split if before]

    def rename(self, before: int, after: int) -> None:
        """Add the buckets of version `before` to those of version `after`, and remove them from `before`."""
        if parts := self.parts.pop(before, None):
            self.parts[after] = [*parts, *self.parts.get(after, ())]

    def versions(self) -> set[int]:
        return set(self.parts)

    def keep(self, versions: set[int]) -> None:
        """Discard the buckets of other versions."""
        self.parts = {version: parts for version, parts in self.parts.items() if version in versions}

    def __iter__(self) -> Iterator[tuple[tuple[int, int], int, NDArray[np.int64]]]:
        """Yield the version and start of each bucket, its rows, and its counts, in order."""
        for version in sorted(self.parts):
            for start, rows, counts in zip(*self._merge(version), strict=True):
                yield (version, int(start)), int(rows), counts

    def _append(self, version: int, part: Part) -> None:
        parts = self.parts.setdefault(version, [])
        parts.append(part)
        if len(parts) > _MOST_PARTS:
            self._merge(version)

    def _merge(self, version: int) -> BucketArrays:
        """Merge the parts of a version. Returns its buckets in order of time."""
        merged = added_up([each.counted if isinstance(each, BucketedRows) else each for each in self.parts[version]])
        self.parts[version] = [merged]
        return merged


def added_up(parts: Sequence[BucketArrays]) -> BucketArrays:
    """Return the buckets of all parts in order of time, each once."""
    starts = np.concatenate([part.starts for part in parts])
    if (np.diff(starts) > 0).all():
        return parts[0] if len(parts) == 1 else BucketArrays(*map(np.concatenate, zip(*parts, strict=True)))
    all_parts = BucketArrays(*map(np.concatenate, zip(*parts, strict=True)))
    if (np.diff(starts) < 0).any():
        all_parts = all_parts.at(np.argsort(starts, kind="stable"))
    is_first = np.append(True, np.diff(all_parts.starts) > 0)
    found = all_parts.at(is_first)
    # Few buckets are in several parts, so this is quicker than `np.add.reduceat`.
    others = np.flatnonzero(~is_first)
    for at, bucket in zip(others.tolist(), (np.cumsum(is_first)[others] - 1).tolist(), strict=True):
        found.rows[bucket] += all_parts.rows[at]
        found.counts[bucket] += all_parts.counts[at]
    return found

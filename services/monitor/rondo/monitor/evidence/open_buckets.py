"""Buckets of event time that still accept rows: counts by bin, for each version. They merge by addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Parts of buckets are added up when there are so many: rows that arrive one by one then cost neither memory nor a copy
# of all buckets each.
_MOST_PARTS = 64


class BucketArrays(NamedTuple):
    """`starts` in microseconds, `rows`, and `counts` by bin, shape `[buckets, bins]`, or other sums of the rows."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    counts: NDArray[Any]

    def at(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> BucketArrays:
        return BucketArrays(self.starts[which], self.rows[which], self.counts[which])


@dataclass
class OpenBuckets:
    """`parts` by version: a bucket may be in several of them."""

    parts: dict[int, list[BucketArrays]] = field(default_factory=dict)

    def add(self, version: int, starts: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add rows and counts, shapes `[buckets]` and `[buckets, bins]`; empty buckets are left out.

        The arrays are kept, and nobody may change them from now on.
        """
        full, added = rows > 0, BucketArrays(starts, rows, counts)
        counts.flags.writeable = False
        if not full.any():
            return
        parts = self.parts.setdefault(version, [])
        parts.append(added if full.all() else added.at(full))
        if len(parts) > _MOST_PARTS:
            self._merge(version)

    def pop(self, version: int, upto: int) -> list[BucketArrays]:
        """Remove the buckets that start before `upto`; returns the parts of them (see `added_up`)."""
        due = [(part, part.starts < upto) for part in self.parts.get(version, ())]
        if not any(mask.any() for _, mask in due):
            return []
        if left := [part.at(~mask) for part, mask in due if not mask.all()]:
            self.parts[version] = left
        else:
            del self.parts[version]
        # Counts are large, and in most cases all of them or the first ones are due: these need no copy.
        return [part.at(_as_slice(mask)) for part, mask in due if mask.any()]

    def rename(self, before: int, after: int) -> None:
        """Add the buckets of a version to those of another one."""
        if parts := self.parts.pop(before, None):
            self.parts[after] = [*parts, *self.parts.get(after, ())]

    def versions(self) -> set[int]:
        return set(self.parts)

    def keep(self, versions: set[int]) -> None:
        """Discard the buckets of other versions."""
        self.parts = {version: parts for version, parts in self.parts.items() if version in versions}

    def __iter__(self) -> Iterator[tuple[tuple[int, int], int, NDArray[np.int64]]]:
        """Yield version and start, rows, and counts, in order."""
        for version in sorted(self.parts):
            for start, rows, counts in zip(*self._merge(version), strict=True):
                yield (version, int(start)), int(rows), counts

    def _merge(self, version: int) -> BucketArrays:
        """Add up the parts of each bucket of a version; returns its buckets in order of time."""
        merged = added_up(self.parts[version])
        self.parts[version] = [merged]
        return merged


def _as_slice(mask: NDArray[np.bool_]) -> slice | NDArray[np.bool_]:
    count = int(mask.sum())
    return slice(count) if mask[:count].all() else mask


def added_up(parts: Sequence[BucketArrays]) -> BucketArrays:
    """Return the buckets of all parts in order of time, each once."""
    starts = np.concatenate([part.starts for part in parts])
    if (np.diff(starts) > 0).all():
        return parts[0] if len(parts) == 1 else BucketArrays(*map(np.concatenate, zip(*parts, strict=True)))
    order = np.argsort(starts, kind="stable")
    all_parts = BucketArrays(*(np.concatenate(arrays)[order] for arrays in zip(*parts, strict=True)))
    is_first = np.append(True, np.diff(all_parts.starts) > 0)
    found = all_parts.at(is_first)
    # Few buckets are in several parts, so this is quicker than `np.add.reduceat`.
    others = np.flatnonzero(~is_first)
    for at, bucket in zip(others.tolist(), (np.cumsum(is_first)[others] - 1).tolist(), strict=True):
        found.rows[bucket] += all_parts.rows[at]
        found.counts[bucket] += all_parts.counts[at]
    return found

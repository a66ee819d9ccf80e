"""Buckets of event time that still accept rows: counts by bin, for each version. They merge by addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass
class OpenBuckets:
    """`rows` and `counts` (shape `[bins]`) by version and start, in microseconds."""

    rows: dict[tuple[int, int], int] = field(default_factory=dict)
    counts: dict[tuple[int, int], NDArray[np.int64]] = field(default_factory=dict)

    def add(self, version: int, starts: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Add rows and counts, shapes `[buckets]` and `[buckets, bins]`; empty buckets are left out."""
        for at in np.flatnonzero(rows):
            key = (version, int(starts[at]))
            self.rows[key] = self.rows.get(key, 0) + int(rows[at])
            before = self.counts.get(key)
            self.counts[key] = counts[at].copy() if before is None else before + counts[at]

    def pop(self, version: int, upto: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
        """Remove the buckets that start before `upto`; returns their starts, rows and counts, or None without any."""
        keys = sorted(key for key in self.rows if key[0] == version and key[1] < upto)
        if not keys:
            return None
        starts = np.array([start for _, start in keys], np.int64)
        rows = np.array([self.rows.pop(key) for key in keys], np.int64)
        return starts, rows, np.array([self.counts.pop(key) for key in keys])

    def versions(self) -> set[int]:
        return {version for version, _ in self.rows}

    def keep(self, versions: set[int]) -> None:
        """Discard the buckets of other versions."""
        for key in [key for key in self.rows if key[0] not in versions]:
            del self.rows[key], self.counts[key]

    def __iter__(self) -> Iterator[tuple[tuple[int, int], int, NDArray[np.int64]]]:
        """Yield version and start, rows, and counts, in order."""
        for key in sorted(self.rows):
            yield key, self.rows[key], self.counts[key]

"""Blocks of a version's rows as counts by bin, which users' detectors turn into figures.

The figure of a block must not depend on the traffic: a distance of few rows is larger by chance alone. So each block
has the same number of rows. It ends with the bucket that completes it, and then a random sample of `block` of its rows
is kept.

A bucket can't be divided. A sample of a few of its rows is hardly correlated where consecutive rows are, so its figure
would follow the traffic, too. So a bucket that has more than a quarter of a block's rows doubles the rows of the next
blocks, and is left out. Then a block has at most a quarter more rows than are kept. Longer blocks can't be ranked among
shorter ones, so their figures begin with a reference of their own (`figure_tests`). All this depends on the traffic,
and not on the values of the rows.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.chassis.profiles.binning import ColumnBins
    from rondo.monitor.evidence.open_buckets import BucketArrays

# Fewer rows fill few of the bins of a profile. Rows of a long reference make at most `_MOST_OF_REFERENCE` blocks, so
# that a detector is not called more often for a model with much traffic.
_FEWEST_ROWS, _MOST_OF_REFERENCE = 64, 200
_BUCKETS_OF_BLOCK = 4


def rows_of_block(block: int, reference: int) -> int:
    """Return the rows of a block of counts, for a column whose own evidence has blocks of `block` rows.

    `reference` is the number of rows of the reference.
    """
    return max(block, _FEWEST_ROWS, reference // _MOST_OF_REFERENCE)


class CountBlock(NamedTuple):
    """A complete block of the `columns`, from `start` to `end` in microseconds, with the rows of all columns by bin.

    `block` is the number of rows to keep, see `kept_rows`.
    """

    columns: tuple[str, ...]
    block: int
    start: int
    end: int
    counts: NDArray[np.int64]


@dataclass(eq=False)
class OpenCountBlock:
    """The block of columns that is not complete yet: its `start`, `rows`, and rows by bin of all columns.

    `block` is the number of rows that are kept of it. It doubles where traffic is dense.
    """

    columns: tuple[str, ...]
    block: int
    counts: NDArray[np.int64]
    start: int = 0
    rows: int = 0

    def take(self, buckets: BucketArrays, length: int) -> list[CountBlock]:
        """Take buckets of `length` microseconds that follow those before. Returns the blocks that they complete."""
        complete, upto, first, crowded = list[CountBlock](), np.cumsum(buckets.rows), 0, -1
        while first < len(upto):
            if first > crowded:
                crowded = self._crowded(buckets.rows, first)
            if first == crowded:
                self.block, self.rows, self.counts = 2 * self.block, 0, np.zeros_like(self.counts)
                first += 1
                continue
            taken = int(upto[first - 1]) if first else 0
            last = int(upto[:crowded].searchsorted(taken + self.block - self.rows))
            part = slice(first, min(last + 1, crowded))
            self.start = self.start if self.rows else int(buckets.starts[first])
            self.rows += int(buckets.rows[part].sum())
            self.counts = self.counts + buckets.counts[part].sum(axis=0)
            if last < crowded:
                end = int(buckets.starts[last]) + length
                complete.append(CountBlock(self.columns, self.block, self.start, end, self.counts))
                self.rows, self.counts = 0, np.zeros_like(self.counts)
            first = part.stop
        return complete

    def _crowded(self, rows: NDArray[np.int64], first: int) -> int:
        """Return the next bucket from `first` on that has more rows than a part of a block may have."""
        crowded = _BUCKETS_OF_BLOCK * rows[first:] > self.block
        return first + int(crowded.argmax()) if crowded.any() else len(rows)


@dataclass(eq=False)
class CountBlocks:
    """The blocks of a version: `open` ones, one for each length, and the `complete` ones that have no figures yet."""

    open: list[OpenCountBlock] = field(default_factory=list)
    complete: list[CountBlock] = field(default_factory=list)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(column for each in self.open for column in each.columns)

    def begin(self, blocks: Mapping[str, int], bins: int) -> None:
        """Begin with these columns, of which none has begun. `blocks` has the rows of a block of each."""
        for block in sorted(set(blocks.values())):
            columns = tuple(name for name, each in blocks.items() if each == block)
            self.open.append(OpenCountBlock(columns, block, np.zeros(bins, np.int64)))

    def take(self, buckets: BucketArrays, length: int) -> None:
        """Take buckets of `length` microseconds. Their counts are rows by bin of all columns."""
        self.complete += [block for each in self.open for block in each.take(buckets, length)]

    def pop(self) -> list[CountBlock]:
        """Remove the complete blocks. Returns them in the order of their ends."""
        found, self.complete = sorted(self.complete, key=lambda block: (block.end, block.block)), []
        return found

    def snapshot(self) -> CountBlocks:
        return CountBlocks([copy(each) for each in self.open], list(self.complete))


def kept_rows(block: CountBlock, columns: Sequence[ColumnBins], seed: str) -> dict[str, NDArray[np.int64]]:
    """Return a random sample of exactly `block.block` rows of each column of the block, by bin.

    The sample is a function of the seed, the column and the block, so that replicas and a replay take the same one.
    """
    return {
        column.name: _sampled(column.of(block.counts), block.block, f"{seed}/{column.name}/{block.start}")
        for column in columns
        if column.name in block.columns
    }


def _sampled(counts: NDArray[np.int64], rows: int, seed: str) -> NDArray[np.int64]:
    generator = np.random.default_rng(int.from_bytes(blake2b(seed.encode(), digest_size=8).digest()))
    return generator.multivariate_hypergeometric(counts, rows, method="marginals")

"""Hashes of rows, by which trainer and monitor recognise rows that are equal.

The same values have the same hash everywhere and for ever: the monitor keeps hashes in its checkpoints. They are not
cryptographic. Of n rows with different values about n^2 / 2^65 pairs share a hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# An odd number, so that no factor of it is lost modulo 2^64.
_BASE = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(columns: Iterable[pa.Array | pa.ChunkedArray]) -> NDArray[np.uint64]:
    """Return a hash of each row of columns of text, float32 or timestamps, shape `[rows]`.

    A missing value is equal to a missing one, to NaN, and to the empty text; 0 is equal to -0.
    """
    found: NDArray[np.uint64] | None = None
    for column in columns:
        hashes = _hashes(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
        found = hashes if found is None else _mixed(found * _BASE + hashes)
    return np.zeros(0, np.uint64) if found is None else found


def repeated_shares(hashes: NDArray[np.uint64], block: int) -> NDArray[np.float64]:
    """Return, of each whole block of so many rows, the share of rows that repeat an earlier row of the block."""
    ordered = np.sort(hashes[: len(hashes) // block * block].reshape(-1, block), axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).sum(axis=1) / block)


def _hashes(values: pa.Array) -> NDArray[np.uint64]:
    if pa.types.is_floating(values.type):
        numbers = np.asarray(values.cast(pa.float32()).fill_null(np.nan).to_numpy(zero_copy_only=False)) + np.float32(0)
        numbers = np.where(np.isnan(numbers), np.float32(np.nan), numbers).astype(np.float32)
        return _mixed(numbers.view(np.uint32).astype(np.uint64))
    if pa.types.is_timestamp(values.type):
        at = values.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)
        return _mixed(np.asarray(at).view(np.uint64))
    return _of_texts(values.cast(pa.large_string()).fill_null(""))


def _of_texts(values: pa.Array) -> NDArray[np.uint64]:
    """Return polynomials of the bytes, modulo 2^64."""
    _, offsets, content = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    starts, lengths = ends[:-1], np.diff(ends)
    data = np.frombuffer(content or b"", np.uint8)[ends[0] : ends[-1]].astype(np.uint64)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)) + 1, _BASE, np.uint64))
    places = np.arange(ends[0], ends[-1]) - np.repeat(starts, lengths)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((data + np.uint64(1)) * powers[places], dtype=np.uint64)])
    return _mixed(sums[ends[1:] - ends[0]] - sums[starts - ends[0]])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values with their bits mixed (splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    mixed = values + _BASE
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))

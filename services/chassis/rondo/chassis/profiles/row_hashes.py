"""Hashes of rows, with which trainer and monitor recognise equal rows.

The same values have the same hash on all machines and in all releases, because checkpoints of the monitor have hashes.
They are not cryptographic. About n^2 / 2^65 pairs of n rows with different values share a hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.chassis.profiles.dictionary_codes import codes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# An odd number, so that no factor of it is lost modulo 2^64.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_STEPS = tuple((np.uint64(shift), np.uint64(factor))
               for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)))  # fmt: skip
_LAST_SHIFT = np.uint64(31)
# The number of texts whose bytes are in memory at once as 64-bit numbers, and of hashes that are mixed in the cache.
_AT_ONCE = 16_384


def row_hashes(columns: Iterable[pa.Array | pa.ChunkedArray]) -> NDArray[np.uint64]:
    """Return a hash of each row of columns of text, float32 or timestamps, shape `[rows]`.

    Texts may be dictionary-encoded. Each distinct text is then hashed once. Missing values, NaN and the empty text have
    the same hash, and so have 0 and -0.
    """
    found: NDArray[np.uint64] | None = None
    for column in columns:
        hashes = _hashes(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
        if found is None:
            found = hashes
        else:
            found *= _BASE
            found += hashes
            mix(found)
    return np.zeros(0, np.uint64) if found is None else found


def repeated_shares(hashes: NDArray[np.uint64], block: int) -> NDArray[np.float64]:
    """Return the share of rows that repeat an earlier row of their block, for each complete block of `block` rows."""
    ordered = np.sort(hashes[: len(hashes) // block * block].reshape(-1, block), axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).sum(axis=1) / block)


def _hashes(values: pa.Array) -> NDArray[np.uint64]:
    """Return a hash of each value, as a new array."""
    if pa.types.is_dictionary(values.type):
        known = np.append(_hashes(values.dictionary), _hashes(pa.nulls(1, values.type.value_type)))
        return known.take(codes_of(values, len(known) - 1))
    if pa.types.is_floating(values.type):
        as_float32 = values if values.type == pa.float32() else values.cast(pa.float32())
        # Null becomes NaN.
        numbers = np.asarray(as_float32.to_numpy(zero_copy_only=False)) + np.float32(0)
        if (missing := np.isnan(numbers)).any():
            numbers[missing] = np.float32(np.nan)
        return mix(numbers.view(np.uint32).astype(np.uint64))
    if pa.types.is_timestamp(values.type):
        at = values.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)
        return mix(np.asarray(at).view(np.uint64).copy())
    texts = values.cast(pa.large_string()).fill_null("")
    found = np.empty(len(texts), np.uint64)
    for first in range(0, len(texts), _AT_ONCE):
        found[first : first + _AT_ONCE] = _of_texts(texts.slice(first, _AT_ONCE))
    return mix(found)


def _of_texts(values: pa.Array) -> NDArray[np.uint64]:
    """Return a polynomial of the bytes of each text, modulo 2^64."""
    _, offsets, content = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    starts, lengths = ends[:-1], np.diff(ends)
    data = np.frombuffer(content or b"", np.uint8)[ends[0] : ends[-1]].astype(np.uint64)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)) + 1, _BASE, np.uint64))
    places = np.arange(ends[0], ends[-1]) - np.repeat(starts, lengths)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((data + np.uint64(1)) * powers[places], dtype=np.uint64)])
    return np.asarray(sums[ends[1:] - ends[0]] - sums[starts - ends[0]])


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of the values (splitmix64: Steele, Lea, Flood, OOPSLA 2014), and return them.

    The values are a contiguous array, which is overwritten.
    """
    for first in range(0, len(values), _AT_ONCE):
        part = values[first : first + _AT_ONCE]
        shifted = np.empty_like(part)
        part += _BASE
        for shift, factor in _STEPS:
            np.right_shift(part, shift, out=shifted)
            part ^= shifted
            part *= factor
        np.right_shift(part, _LAST_SHIFT, out=shifted)
        part ^= shifted
    return values

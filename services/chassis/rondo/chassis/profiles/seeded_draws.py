"""Pseudorandom numbers in (0, 1) that break ties: all replicas have the same ones, and so has a replay.

They are a function of a seed, the number of a block and a component: splitmix64 of a counter, so that the numbers of
many blocks are drawn at once. A seed of an earlier release still uses a generator for each block, so that a test in a
checkpoint continues with the same numbers.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.row_hashes import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BY_COUNTER = "counter/"
_GAMMA, _BLOCK_BITS = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


def by_counter(seed: str) -> str:
    """Return the seed of a new test, with the scheme of this release."""
    return f"{_BY_COUNTER}{seed}"


def of_reference(seed: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    return _generated(f"{seed}/reference", shape)


def of_blocks(seed: str, first: int, number: int, components: int) -> NDArray[np.float64]:
    """Return two numbers for each component and each of `number` blocks, shape `[2, components, number]`."""
    if not seed.startswith(_BY_COUNTER):
        return np.stack([_generated(f"{seed}/{first + at}", (2, components)) for at in range(number)], axis=-1)
    rows = np.arange(2 * components, dtype=np.uint64).reshape(2, components, 1) << _BLOCK_BITS
    counters = rows + np.arange(first, first + number, dtype=np.uint64)
    key = np.uint64(_hashed(seed))
    mixed = mix(np.asarray(key + counters * _GAMMA, np.uint64).ravel())
    # With a 53rd bit the largest number would be rounded to 1.
    return np.asarray(((mixed >> np.uint64(12)) + 0.5).reshape(counters.shape) * 2.0**-52, np.float64)


def _generated(seed: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.random.default_rng(_hashed(seed)).uniform(np.nextafter(0, 1), 1, shape)


def _hashed(seed: str) -> int:
    return int.from_bytes(blake2b(seed.encode(), digest_size=8).digest())

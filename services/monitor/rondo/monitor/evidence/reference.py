"""From the rows of a reference to a test against it, once the reference holds enough blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.autocorrelation import FEWEST_MEANS, autocorrelation_time
from rondo.monitor.evidence.block_length import FEWEST_BLOCKS, block_length
from rondo.monitor.evidence.block_test import BlockTest

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Means of longer blocks are closer to normal: skewness falls with the square root of the length.
_MOST_SKEWED = 0.3


@dataclass(frozen=True)
class TooShort:
    """A reference of `rows` rows that can't be compared with yet: a block is of `block` rows, and five are needed."""

    rows: int
    block: int

    @property
    def needed(self) -> int:
        """The rows that a reference needs, as far as its memory is known."""
        return FEWEST_BLOCKS * self.block


@dataclass(frozen=True, eq=False)
class Begun:
    """A test, whose blocks are of `block` rows."""

    test: BlockTest
    block: int


def begin(
    seed: str, means: NDArray[np.float64], stretch: int, *, one_sided: bool = False, memory: float = 1.0
) -> Begun | TooShort:
    """Return a test against a reference, given as means of consecutive stretches of `stretch` rows.

    `means` has the shape `[components, stretches]`. `memory` is the autocorrelation time, in rows, that is known from
    scales below a stretch.
    """
    count = means.shape[1]
    rows = count * stretch
    needed = block_length(max(memory, autocorrelation_time(means, stretch)), rows)
    together = math.ceil(needed / stretch)
    if count // together < FEWEST_BLOCKS:
        return TooShort(rows, needed)
    latest = means[:, count % together :]
    blocks = latest.reshape(len(means), -1, together).mean(axis=2)
    return Begun(BlockTest.of(seed, blocks, _normal(means, together), one_sided=one_sided), together * stretch)


def _normal(means: NDArray[np.float64], together: int) -> NDArray[np.bool_]:
    """Return for which components the means of blocks are not skewed, by stretches as long as there are 40 of."""
    scale = 1
    while means.shape[1] // (4 * scale) >= FEWEST_MEANS and 4 * scale <= together:
        scale *= 4
    count = means.shape[1] // scale
    stretches = means[:, : count * scale].reshape(len(means), count, scale).mean(axis=2)
    centred = stretches - stretches.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    skewness = np.divide((centred**3).mean(axis=1), variance**1.5, out=np.full(len(means), np.inf), where=variance > 0)
    return np.asarray(np.abs(skewness) * math.sqrt(scale / together) < _MOST_SKEWED)

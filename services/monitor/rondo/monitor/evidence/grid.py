"""Means on a grid of a millionth, so that equal means stay equal, however they were computed.

Ranks have to see ties as ties: blocks of rows without any missing value are equal, and so are blocks with the same
share of a category. The trainer rounds the means of the reference, and a mean of means has errors of rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 1e6
# No share of rows lies at a border of the shifted grid: shares are multiples of a small power of 1/2 or 1/10, or far
# from the borders.
_SHIFT = 0.3711


def on_grid(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means, each rounded to one place of the grid."""
    return np.asarray(np.floor(means * _STEPS + _SHIFT) / _STEPS)

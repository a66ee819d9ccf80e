"""How many consecutive rows make a block, so that one block hardly remembers the one before."""

from __future__ import annotations

import math

SHORTEST = 32
"""The fewest rows of a block."""
MOST_BLOCKS = 1_000
"""The most blocks that a reference is divided into."""
FEWEST_BLOCKS = 5
"""The fewest blocks of a reference that can be compared with."""
_TIMES = 5.0


def block_length(time: float, rows: int) -> int:
    """Return the rows of a block for a reference of `rows` rows with this autocorrelation time."""
    return max(SHORTEST, math.ceil(_TIMES * time), math.ceil(rows / MOST_BLOCKS))

"""The number of consecutive rows in a block, chosen so that a block is hardly correlated with the one before.

The blocks are batches whose means hardly depend on each other (Flegal and Jones, "Batch means and spectral variance
estimators in Markov chain Monte Carlo", Annals of Statistics 38, 2010).
"""

from __future__ import annotations

import math

SHORTEST = 32
"""The fewest rows of a block, if the reference has enough blocks of that length."""
MOST_BLOCKS = 1_000
"""The largest number of blocks that a reference is divided into."""
FEWEST_BLOCKS = 5
"""The fewest blocks of a reference that live blocks can be compared with."""
# Ranks among a few blocks show little, so a reference with fewer than `_BLOCKS_OF_FEW` blocks gets shorter ones. Live
# rows extend a reference that still has too few.
_SHORTEST_OF_FEW, _BLOCKS_OF_FEW = 8, 24
_TIMES = 5.0
# Columns with the same length of blocks share a test, so lengths are rounded up to a few values.
_GRID_RATIO = 1.1


def block_length(time: float, rows: int, shortest: int = SHORTEST) -> int:
    """Return the rows of a block for a reference of `rows` rows with the autocorrelation time `time`, rounded up.

    The autocorrelation time is in rows.
    """
    needed = max(float(shortest), _TIMES * time, rows / MOST_BLOCKS)
    return math.ceil(shortest * _GRID_RATIO ** math.ceil(math.log(needed / shortest, _GRID_RATIO) - 1e-9))


def shortest_of(rows: int) -> int:
    """Return the fewest rows of a block for a reference of `rows` independent rows."""
    enough = rows >= FEWEST_BLOCKS * SHORTEST
    return min(SHORTEST, max(_SHORTEST_OF_FEW, rows // _BLOCKS_OF_FEW)) if enough else SHORTEST


def longest_autocorrelation(block: int) -> float:
    """Return the longest autocorrelation time, in rows, for which a block of `block` rows is long enough."""
    return max(1.0, block / _TIMES)

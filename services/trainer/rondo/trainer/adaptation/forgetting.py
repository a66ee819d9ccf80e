"""Whether rows before a suspected change are left out: only if a model without them is not worse on the newest rows.

That the loss has risen is no reason by itself: rows from before may still help, and a model of few rows is worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation.record import ChunkScore, chunk_scores, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_KEPT, _KEPT_PER_FEATURE = 200, 10
_LONG, _SHORT = "long", "short"


@dataclass(frozen=True)
class Confirmation:
    """How much less the short window loses than the long one, its standard error, and whether the window moves."""

    advantage: float
    error: float
    moves: bool


def window_start(times: NDArray[np.int64], since: int, features: int) -> int:
    """Return the first row of the window from a change on; a change among the last rows keeps some before it."""
    kept = max(_LEAST_KEPT, _KEPT_PER_FEATURE * features)
    return max(min(int(np.searchsorted(times, since, "left")), len(times) - kept), 0)


def held_back(rows: int, chunk: int) -> int:
    """Return how many of the `rows` rows since the change decide whether the others are enough to fit to."""
    return min(chunk, rows // 2)


def confirm(short: NDArray[np.float64], long: NDArray[np.float64]) -> Confirmation:
    """Compare the losses of both on the same rows. The window moves unless the short one is worse by a standard error.

    The error is the larger one of two: from quarters of the rows, and from single rows.
    """
    scores = {_LONG: _one(long), _SHORT: _one(short)}
    found = compare([scores], _LONG, _SHORT)
    assert found is not None  # noqa: S101 - both have a score
    by_row = float(np.std(long - short) / np.sqrt(len(long)))
    error = max(found.error, by_row)
    return Confirmation(found.advantage, error, moves=found.advantage >= -error)


def _one(losses: NDArray[np.float64]) -> ChunkScore:
    (score,) = chunk_scores(losses, len(losses))
    return score

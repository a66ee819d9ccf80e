"""Whether rows before a suspected change are left out: only if a model without them is better on the newest rows.

That the loss has risen is no reason by itself: rows from before may still help, and a model of few rows is worse. Nor
is a model of one day that is better on the same day: the rows since the change have to be many in time, too.

The comparison of the losses of two models on the same rows, with a standard error that knows that they depend on each
other, is that of Diebold and Mariano ("Comparing predictive accuracy", Journal of Business and Economic Statistics
13, 1995), here by blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation import record
from rondo.trainer.adaptation.dependence import BLOCKS_OF_CHANGE, FEWEST_BLOCKS, block_means, rows_of_blocks
from rondo.trainer.adaptation.record import ChunkScore, chunk_scores
from rondo.trainer.adaptation.strategies import SINCE, WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_KEPT, _KEPT_PER_FEATURE = 200, 10


@dataclass(frozen=True)
class Confirmation:
    """How much less a model of the rows since a change loses than one of the window, its standard error, the decision.

    `moves` is whether the window begins with the change from now on.
    """

    advantage: float
    error: float
    moves: bool


def rows_to_confirm(features: int) -> int:
    """Return the fewest rows since a change with which a model of them can be fitted and compared."""
    return max(_LEAST_KEPT, _KEPT_PER_FEATURE * features)


def window_start(times: NDArray[np.int64], since: int, features: int) -> int:
    """Return the first row of the window from a change on. A change among the last rows keeps some before it."""
    return max(min(int(np.searchsorted(times, since, "left")), len(times) - rows_to_confirm(features)), 0)


def rows_before_look(dependent: float, window: int, least: int) -> int:
    """Return how many rows there are to be since a change before a model of them is compared.

    They are ten times as many as depend on each other, or as many as the `window` has before the change if that is
    less: the window then shows no more than they do. A model that serves has `least` rows.
    """
    return max(least, min(rows_of_blocks(dependent, BLOCKS_OF_CHANGE), window))


def held_back(rows: int, chunk: int, dependent: float = 1.0) -> int:
    """Return how many of the `rows` rows since the change decide whether the others are enough to fit to."""
    return min(max(chunk, rows_of_blocks(dependent, FEWEST_BLOCKS)), rows // 2)


def gap(rows: int, dependent: float) -> int:
    """Return how many of the `rows` rows since the change are neither fitted to nor decide.

    They depend on both: a model of half a day would win on the other half.
    """
    return min(rows_of_blocks(dependent, 1), rows // 4)


def confirm(since: NDArray[np.float64], window: NDArray[np.float64], dependent: float = 1.0) -> Confirmation:
    """Compare the losses of a model of the rows since a change with those of one of the window, on the same rows.

    The window moves to the change if the first is better by a standard error. That is the larger one of two: from
    quarters of the rows, and from blocks of as many rows as are `dependent` on each other.
    """
    scores = {WINDOW: _one(window), SINCE: _one(since)}
    found = record.compare([scores], WINDOW, SINCE)
    assert found is not None  # noqa: S101 - both have a score
    means = block_means(window - since, dependent)
    error = max(found.error, float(np.std(means) / np.sqrt(max(len(means) - 1, 1))))
    return Confirmation(found.advantage, error, moves=found.advantage > error)


def _one(losses: NDArray[np.float64]) -> ChunkScore:
    (score,) = chunk_scores(losses, len(losses))
    return score

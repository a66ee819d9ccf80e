"""Decides whether rows before a suspected change are dropped: only if a model without them has less loss on new rows.

A higher loss is not a sufficient reason: rows from before may still help, and a model of few rows is worse. A model of
one day that is better on the same day is not a sufficient reason either: the rows since the change have to cover a
longer time.

The losses of two models on the same rows are compared as by Diebold and Mariano ("Comparing predictive accuracy",
Journal of Business and Economic Statistics 13, 1995). The standard error accounts for the autocorrelation of the
losses, here by blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation import record
from rondo.trainer.adaptation.label_autocorrelation import BLOCKS_OF_CHANGE, FEWEST_BLOCKS, block_means, rows_of_blocks
from rondo.trainer.adaptation.record import ChunkScore, chunk_scores
from rondo.trainer.adaptation.strategies import SINCE, WINDOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_KEPT, _KEPT_PER_FEATURE = 200, 10


@dataclass(frozen=True)
class Confirmation:
    """The comparison of two models on the same rows: one of the rows since a change, and one of the whole window.

    `advantage` is the mean loss of the second minus that of the first, and `error` its standard error. `moves` is True
    if the window begins with the change from now on.
    """

    advantage: float
    error: float
    moves: bool


def rows_to_confirm(features: int) -> int:
    """Return the fewest rows since a change with which a model of them can be fitted and compared."""
    return max(_LEAST_KEPT, _KEPT_PER_FEATURE * features)


def window_start(times: NDArray[np.int64], since: int, features: int) -> int:
    """Return the first row of the window after a change at `since`.

    If fewer rows follow the change than a model needs, the window keeps some rows before it.
    """
    return max(min(int(np.searchsorted(times, since, "left")), len(times) - rows_to_confirm(features)), 0)


def rows_before_look(dependent: float, window: int, least: int) -> int:
    """Return the number of rows since a change from which a model of them is compared.

    It is the number of rows of ten independent blocks, or the number `window` of rows before the change if that is
    smaller: a short window is no better evidence than as many rows since the change. `least` is the lower bound, the
    fewest rows that a served model is fitted to.
    """
    return max(least, min(rows_of_blocks(dependent, BLOCKS_OF_CHANGE), window))


def held_back(rows: int, chunk: int, dependent: float = 1.0) -> int:
    """Return how many of the `rows` rows since the change decide whether the others are enough to fit to."""
    return min(max(chunk, rows_of_blocks(dependent, FEWEST_BLOCKS)), rows // 2)


def gap(rows: int, dependent: float) -> int:
    """Return the number of the `rows` rows since the change between those that are fitted to and those that decide.

    Rows of the gap are correlated with both parts. Without it a model of half a day would win on the other half.
    """
    return min(rows_of_blocks(dependent, 1), rows // 4)


def confirm(since: NDArray[np.float64], window: NDArray[np.float64], dependent: float = 1.0) -> Confirmation:
    """Compare the losses of two models on the same rows: `since` of the rows since a change, `window` of the window.

    The window moves to the change if the first model is better by more than a standard error. The standard error is
    the larger of two estimates: from quarters of the rows, and from blocks of `dependent` rows.
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

"""The record of strategies: their losses on chunks of rows that they had not seen, and which of them leads.

Recent chunks count more. Another strategy takes the lead if its advantage is larger than chance explains: by two
standard errors, or by one if it is a safe strategy. The standard error is the larger of two estimates, from chunks and
from quarters of chunks, because losses that are close in time are correlated. If they are correlated over more rows
than that, it is larger by the square root of the ratio.

Losses on rows that come after those of the fit are prequential (Dawid, "Statistical theory: the prequential approach",
Journal of the Royal Statistical Society A 147, 1984), with the fading factor of Gama, Sebastião and Rodrigues
(Machine Learning 90, 2013). Han, Huang and Wang (ICML 2024, arXiv 2402.08672) adapt the length of the record. That was
no better here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation.label_autocorrelation import FEWEST_BLOCKS, inflation, rows_of_blocks
from rondo.trainer.adaptation.strategies import CHAMPION, SAFE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# The weight of a chunk relative to the next one. With .8 the record is too short, and .95 gains nothing.
DISCOUNT = 0.9
_QUARTERS = 4
_ERRORS, _ERRORS_OF_SAFE, _ERRORS_OF_HARM = 2.0, 1.0, 4.0
# As a share of the loss.
_ROUNDING = 1e-5
# The variance of fewer chunks is too uncertain.
_ENOUGH_CHUNKS = 4


@dataclass(frozen=True)
class ChunkScore:
    """The mean loss of a chunk of `rows` rows, and of its quarters in order of time."""

    rows: int
    mean: float
    quarters: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """The comparison of a strategy with the leader by their mean losses.

    `advantage` is the loss of the leader minus that of the strategy, `error` its standard error, and `needed` the
    advantage with which the strategy takes the lead. `chunks` is the number of chunks that both have a score of.
    """

    strategy: str
    advantage: float
    error: float
    needed: float
    chunks: int

    @property
    def leads(self) -> bool:
        return self.advantage > self.needed


@dataclass(frozen=True)
class Lead:
    """The strategy that leads, and the comparison of every other one with the previous leader."""

    leader: str
    comparisons: tuple[Comparison, ...]


def chunk_scores(losses: NDArray[np.float64], chunk: int) -> tuple[ChunkScore, ...]:
    """Divide losses in order of time into chunks of about `chunk` rows, whose sizes differ by one row at most."""
    return tuple(_score(part) for part in np.array_split(losses, chunks_of(len(losses), chunk)))


def chunks_of(rows: int, chunk: int) -> int:
    """Return the number of chunks that `rows` rows are divided into."""
    return max(round(rows / chunk), 1)


def lead(
    record: Sequence[Mapping[str, ChunkScore]], leader: str, present: Sequence[str], dependent: float = 1.0
) -> Lead:
    """Return which of the `present` strategies leads by a record in order of time. `leader` is the previous leader.

    `dependent` is the number of consecutive rows that count as one independent row.
    """
    found = [compare(record, leader, each, dependent) for each in present if each != leader]
    comparisons = tuple(each for each in found if each is not None)
    better = [each for each in comparisons if each.leads]
    best = max(better, key=lambda each: each.advantage, default=None)
    return Lead(best.strategy if best else leader, comparisons)


def compare(
    record: Sequence[Mapping[str, ChunkScore]], leader: str, other: str, dependent: float = 1.0
) -> Comparison | None:
    """Compare another strategy with the leader on the chunks that both have a score of.

    None if there is no such chunk, or if these chunks have fewer rows than five independent blocks of `dependent` rows.
    """
    ages = [age for age, chunk in enumerate(reversed(record)) if leader in chunk and other in chunk]
    rows = sum(record[len(record) - 1 - age][leader].rows for age in ages)
    if not ages or rows < rows_of_blocks(dependent, FEWEST_BLOCKS):
        return None
    pairs = [(record[len(record) - 1 - age][leader], record[len(record) - 1 - age][other]) for age in ages]
    weights = DISCOUNT ** np.array(ages, np.float64)
    gains = np.array([theirs.mean - ours.mean for theirs, ours in pairs])
    quarters = [np.subtract(theirs.quarters, ours.quarters) for theirs, ours in pairs]
    of_quarters = np.repeat(weights, [len(each) for each in quarters])
    error = max(
        _standard_error(gains, weights) * inflation(dependent, rows / len(ages)),
        _standard_error(np.concatenate(quarters), of_quarters) * inflation(dependent, rows / len(of_quarters)),
    )
    # The champion may be the model of the leader. Its ONNX graph and the native model differ by rounding.
    rounding = _ROUNDING * max(abs(theirs.mean) for theirs, _ in pairs)
    needed = max((_ERRORS_OF_SAFE if other in SAFE else _ERRORS) * error, rounding)
    return Comparison(other, float(np.average(gains, weights=weights)), error, needed, len(ages))


def gain_of_fits(record: Sequence[Mapping[str, ChunkScore]], leader: str) -> float | None:
    """Return the mean loss of the champion minus that of the leader's new fits. None if no chunk has both."""
    found = compare(record, leader, CHAMPION)
    return None if found is None else -found.advantage


def worse_from(before: Sequence[ChunkScore], new: Sequence[ChunkScore], dependent: float = 1.0) -> float | None:
    """Return the share of the new rows after which the losses of a strategy were higher than before.

    None if they did not rise by more than four standard errors, and by more than four rows with the loss 1 explain. The
    place of the rise comes from quarters of chunks: a least squares fit of a step from the old level to a new one.
    """
    old, added = (np.array([mean for each in chunks for mean in each.quarters]) for chunks in (before, new))
    if min(len(old), len(added)) < _QUARTERS:
        return None
    level = float(old.mean())
    rest = [
        ((added[:place] - level) ** 2).sum() + ((added[place:] - added[place:].mean()) ** 2).sum()
        for place in range(len(added))
    ]
    place = int(np.argmin(rest))
    # Three parameters are estimated: the old level, and the place and the height of the step.
    variance = (((old - level) ** 2).sum() + rest[place]) / (len(old) + len(added) - 3)
    after, share = len(added) - place, 1 - place / len(added)
    rows = sum(each.rows for each in new)
    error = np.sqrt(variance * (1 / len(old) + 1 / after)) * inflation(dependent, rows / len(added))
    error = max(error, 1 / (share * rows))
    if len(before) >= _ENOUGH_CHUNKS:
        spread = np.std([each.mean for each in before], ddof=1)
        error_of_chunks = spread * np.sqrt(1 / len(before) + 1 / (share * len(new)))
        error = max(error, error_of_chunks * inflation(dependent, rows / len(new)))
    rises = added[place:].mean() - level > _ERRORS_OF_HARM * error
    return place / len(added) if rises else None


def _score(losses: NDArray[np.float64]) -> ChunkScore:
    quarters = np.array_split(losses, min(_QUARTERS, len(losses)))
    return ChunkScore(len(losses), float(losses.mean()), tuple(float(each.mean()) for each in quarters))


def _standard_error(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the standard error of a weighted mean of independent values. 0 for a single value."""
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if len(values) == 1:
        return 0.0
    variance = float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))
    return float(np.sqrt(variance / (effective - 1)))

"""The record of strategies: their losses on chunks of rows that they had not seen, and which of them leads.

Recent chunks count more. Another strategy leads where its advantage is larger than chance explains: by two standard
errors, or by one if it is a safe one. The standard error is the larger one of two estimates, from chunk to chunk and
from quarters of chunks, for losses near each other in time resemble each other. Where they do over more rows than
that, it is larger by the square root of the ratio.

Losses on rows that come after those of the fit are prequential (Dawid, "Statistical theory: the prequential approach",
Journal of the Royal Statistical Society A 147, 1984), with a fading factor as that of Gama, Sebastião and Rodrigues
(Machine Learning 90, 2013). Han, Huang and Wang (ICML 2024, arXiv 2402.08672) adapt how far they look back, which was
no better here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.trainer.adaptation.dependence import FEWEST_BLOCKS, inflation, rows_of_blocks
from rondo.trainer.adaptation.strategies import CHAMPION, SAFE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# What a chunk counts beside the one after it. With .8 a record is too short, and .95 gains nothing.
DISCOUNT = 0.9
_QUARTERS = 4
_ERRORS, _ERRORS_OF_SAFE, _ERRORS_OF_HARM = 2.0, 1.0, 4.0
# As a share of the loss.
_ROUNDING = 1e-5
# With fewer chunks their variance says little.
_ENOUGH_CHUNKS = 4


@dataclass(frozen=True)
class ChunkScore:
    """The mean loss of a chunk of `rows` rows, and of its quarters in order of time."""

    rows: int
    mean: float
    quarters: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """A strategy beside the leader: how much less it loses in the mean, its standard error, and what it needs to lead.

    `chunks` is how many both have a score of.
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
    """The strategy that leads, and every other one beside the one that led before."""

    leader: str
    comparisons: tuple[Comparison, ...]


def chunk_scores(losses: NDArray[np.float64], chunk: int) -> tuple[ChunkScore, ...]:
    """Divide losses, in order of time, into chunks of about `chunk` rows, all of the same size to one row."""
    return tuple(_score(part) for part in np.array_split(losses, chunks_of(len(losses), chunk)))


def chunks_of(rows: int, chunk: int) -> int:
    """Return the number of chunks that so many rows are divided into."""
    return max(round(rows / chunk), 1)


def lead(
    record: Sequence[Mapping[str, ChunkScore]], leader: str, present: Sequence[str], dependent: float = 1.0
) -> Lead:
    """Return which of the `present` strategies leads by a record in order of time, after `leader` has led.

    As many rows in sequence as are `dependent` on each other count as one.
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

    None without any, or where these have fewer rows than five independent blocks of `dependent` rows.
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
    # A champion may be the very model of the leader: its graph and the native model differ by roundings.
    rounding = _ROUNDING * max(abs(theirs.mean) for theirs, _ in pairs)
    needed = max((_ERRORS_OF_SAFE if other in SAFE else _ERRORS) * error, rounding)
    return Comparison(other, float(np.average(gains, weights=weights)), error, needed, len(ages))


def gain_of_fits(record: Sequence[Mapping[str, ChunkScore]], leader: str) -> float | None:
    """Return how much more the champion lost than the leader's new fits, in the mean. None where nothing shows it."""
    found = compare(record, leader, CHAMPION)
    return None if found is None else -found.advantage


def worse_from(before: Sequence[ChunkScore], new: Sequence[ChunkScore], dependent: float = 1.0) -> float | None:
    """Return the share of the new rows after which the losses of a strategy were higher than before.

    None where they did not rise by more than four standard errors, nor by more than four rows with the loss 1 explain.
    Quarters of chunks show where: the least squares fit of a step from the old level to one of their own.
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
    # Of the old level, and of the step: its place and its height.
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
    """Return the standard error of a weighted mean of independent values. 0 of a single one."""
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if len(values) == 1:
        return 0.0
    variance = float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))
    return float(np.sqrt(variance / (effective - 1)))

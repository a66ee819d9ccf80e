"""Twelve years of weeks of a model, with concepts that recur, change at once, or stay, and policies with costs.

A row has six features. Its label is on which side of a hyperplane it lies, and the opposite in one of twenty rows. A
concept is a hyperplane. A week has 50 rows, a chunk. The first model learns from a year's half.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from tests.benchmarks.simulation.labelled_streams import LabelledStream
from tests.benchmarks.simulation.prequential import Fit, play

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.simulation.prequential import Known, Models, Played

YEARS, WEEKS, ROWS = 12, 52, 50
FIRST_WEEKS = 26
_NOISE, _FEATURES = 0.05, 6
# A learner for few rows, with which weekly trainings of twelve years take seconds.
_PARAMS = {"n_estimators": 30, "num_leaves": 8, "min_data_in_leaf": 20, "max_bin": 63}
KINDS = ("recurring", "sudden", "no drift")


def changes(kind: str) -> list[int]:
    """Return the weeks at which the concept changes: each year and a half, or in the years 3, 6 and 10."""
    return {
        "recurring": list(range(78, YEARS * WEEKS, 78)),
        "sudden": [2 * WEEKS + 20, 5 * WEEKS + 40, 9 * WEEKS + 10],
        "no drift": [],
    }[kind]


def years(kind: str, seed: int) -> LabelledStream:
    """Return the stream of a kind."""
    rng, rows = np.random.default_rng(seed), YEARS * WEEKS * ROWS
    x = rng.standard_normal((rows, _FEATURES)).astype(np.float32)
    planes = rng.standard_normal((len(changes(kind)) + 1, _FEATURES))
    if kind == "recurring":
        planes = planes[np.arange(len(planes)) % 2]
    week = np.arange(rows) // ROWS
    concept = np.searchsorted(changes(kind), week, side="right")
    side = (x * planes[concept]).sum(axis=1) > 0
    y = (side ^ (rng.random(rows) < _NOISE)).astype(np.int8)
    ends = tuple(range(FIRST_WEEKS * ROWS, rows + 1, ROWS))
    return LabelledStream(kind, x, y, ends, frozenset(), (), (), _PARAMS)


def cost(played: Played, training: float) -> float:
    """Return the cost of a policy if an error costs 1: its errors, and its trainings except the first."""
    labels = played.stream.y[played.stream.first : played.stream.ends[-1]]
    return float(((played.scores >= 0.5) != labels).sum() + training * played.versions)


@dataclass(frozen=True)
class Since:
    """Knows the changes.

    It fits `wait` weeks after a change to the rows since then, and again when these have grown.
    """

    kind: str
    wait: int
    growth: float | None

    def decide(self, known: Known, models: Models) -> Fit | None:  # noqa: ARG002
        past = [0, *(week * ROWS for week in changes(self.kind) if week * ROWS < known.until)]
        fresh = known.serving.since >= past[-1]
        if not fresh:
            return Fit(past[-1], known.until) if known.until - past[-1] >= self.wait * ROWS else None
        grown = self.growth and known.until - past[-1] >= self.growth * known.serving.rows
        return Fit(past[-1], known.until) if grown else None


def oracle(models: Models, kind: str, training: float) -> float:
    """Return the lower cost, in hindsight, of a policy that knows the changes and of no retraining."""
    found = (play(models, Since(kind, wait, growth)) for wait, growth in product((4, 8, 16, 1_000), (None, 2.0, 1.3)))
    return min(cost(played, training) for played in found)


@dataclass
class Cara:
    """Cost-aware retraining (CARA: Mahadevan, Mathioudakis, arXiv 2310.04216) by one of its three variants.

    The staleness of a week is its share of errors. `threshold` retrains if that of the last week exceeds `bound`,
    `cumulative` if the sum since the last training does, and `periodic` every `bound` weeks. A training takes the rows
    of the last `latest` weeks, or all rows.
    """

    variant: Literal["threshold", "cumulative", "periodic"]
    bound: float
    latest: int | None
    _sum: float = field(default=0.0)

    def decide(self, known: Known, models: Models) -> Fit | None:  # noqa: ARG002
        if known.until == known.new:
            return None
        week = 1.0 if self.variant == "periodic" else float(known.errors.mean())
        self._sum = week if self.variant == "threshold" else self._sum + week
        if self._sum < self.bound:
            return None
        self._sum = 0.0
        return Fit(0 if self.latest is None else max(0, known.until - self.latest * ROWS), known.until)


def caras() -> Iterator[Cara]:
    """Yield the settings among which CARA is tuned. A bound of 2 is never exceeded."""
    for latest in (None, FIRST_WEEKS):
        yield from (Cara("threshold", bound, latest) for bound in (0.12, 0.2, 0.3, 0.4, 2.0))
        yield from (Cara("cumulative", bound, latest) for bound in (1.0, 3.0, 10.0, 30.0))
        yield from (Cara("periodic", weeks, latest) for weeks in (4, 13, 52, 156))


def tuned(models: Models, prices: Sequence[float]) -> dict[float, Cara]:
    """Return the setting of CARA that costs least on a stream, by price of a training."""
    played = [(each, play(models, each)) for each in caras()]
    found = {price: min(played, key=lambda pair: cost(pair[1], price))[0] for price in prices}
    return {price: Cara(each.variant, each.bound, each.latest) for price, each in found.items()}

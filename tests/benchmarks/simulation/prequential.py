"""Plays a labelled stream chunk by chunk under a policy of retraining: predict, then learn the labels.

While chunk k is predicted, the labels up to the end of chunk k-1 are known. A policy sees them and the served models,
and may ask for a fit to consecutive rows. The fit serves from the next chunk on. The same fit is done once for all
policies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.simulation.labelled_streams import LabelledStream

_CLIP = 0.01


@dataclass(frozen=True)
class Fit:
    """The labelled rows of a fit, [since, until). With a `half_life` in rows, older rows weigh less."""

    since: int
    until: int
    half_life: float | None = None

    @property
    def rows(self) -> int:
        return self.until - self.since


@dataclass(frozen=True, eq=False)
class Known:
    """The knowledge of a policy at the end of a chunk.

    The labels of the rows before `until` are known. Those from `new` on are new. `errors` and `losses` are those of the
    model that served the new rows.
    """

    chunk: int
    new: int
    until: int
    errors: NDArray[np.float64]
    losses: NDArray[np.float64]
    serving: Fit
    month_ended: bool


class Policy(Protocol):
    """Decides after each chunk which fit serves from now on. None keeps the current fit."""

    def decide(self, known: Known, models: Models) -> Fit | None: ...


@dataclass(frozen=True, eq=False)
class Models:
    """The fits of a stream by LightGBM on one thread, each done once. Scores are probabilities of 1."""

    stream: LabelledStream
    _fitted: dict[Fit, lgb.Booster] = field(default_factory=dict)
    _scores: dict[tuple[Fit, int, int], NDArray[np.float64]] = field(default_factory=dict)

    def scores(self, fit: Fit, start: int, stop: int) -> NDArray[np.float64]:
        """Return the scores of the rows [start, stop) by the model of a fit."""
        key = (fit, start, stop)
        if key not in self._scores:
            if fit not in self._fitted:
                self._fitted[fit] = self._fit(fit)
            predicted = self._fitted[fit].predict(self.stream.x[start:stop], num_threads=1)
            self._scores[key] = np.asarray(predicted, np.float64)
        return self._scores[key]

    def losses(self, fit: Fit, start: int, stop: int) -> NDArray[np.float64]:
        """Return the log loss of each row as a share of the largest, for probabilities clipped to [.01, .99]."""
        return losses(self.scores(fit, start, stop), self.stream.y[start:stop])

    def errors(self, fit: Fit, start: int, stop: int) -> NDArray[np.float64]:
        """Return 1 for each row that is predicted wrongly, else 0."""
        wrong = (self.scores(fit, start, stop) >= 0.5) != self.stream.y[start:stop]
        return np.asarray(wrong, np.float64)

    def _fit(self, fit: Fit) -> lgb.Booster:
        rows = slice(fit.since, fit.until)
        age = np.arange(fit.rows, 0, -1) - 1
        weights = 0.5 ** (age / fit.half_life) if fit.half_life else None
        categories = list(self.stream.categories)
        params = self.stream.params | {"objective": "binary", "num_threads": 1, "seed": 7, "verbose": -1}
        params |= {"deterministic": True, "force_row_wise": True}
        data = lgb.Dataset(self.stream.x[rows], self.stream.y[rows], weight=weights, categorical_feature=categories)
        return lgb.train(params, data)


def losses(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the log losses of probabilities clipped to [.01, .99], as shares of the largest."""
    right = np.where(labels == 1, scores, 1 - scores)
    return np.asarray(np.log(np.clip(right, _CLIP, 1 - _CLIP)) / np.log(_CLIP))


@dataclass(frozen=True, eq=False)
class Played:
    """The models that served in each chunk from the second on, and their scores of all rows after the first chunk."""

    stream: LabelledStream
    served: tuple[Fit, ...]
    scores: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """The share of right predictions over all rows that were served."""
        labels = self.stream.y[self.stream.first : self.stream.ends[-1]]
        return float(((self.scores >= 0.5) == labels).mean())

    @property
    def losses(self) -> NDArray[np.float64]:
        """The log loss of each row that was served, in [0, 1]."""
        return losses(self.scores, self.stream.y[self.stream.first : self.stream.ends[-1]])

    @property
    def versions(self) -> int:
        """The number of models that replaced the first one."""
        changes = zip(self.served, self.served[1:], strict=False)
        return sum(before != after for before, after in changes)


def play(models: Models, policy: Policy) -> Played:
    """Play a stream to its end."""
    ends = models.stream.ends
    serving, served, scores = Fit(0, ends[0]), [], []
    for chunk in range(1, len(ends)):
        served.append(serving)
        scores.append(models.scores(serving, ends[chunk - 1], ends[chunk]))
        # The labels of the previous chunk, whose rows were scored by the fit that served then.
        new, until = (ends[chunk - 2], ends[chunk - 1]) if chunk > 1 else (ends[0], ends[0])
        before = served[-2] if chunk > 1 else serving
        known = Known(
            chunk, new, until, models.errors(before, new, until) if until > new else np.zeros(0),
            models.losses(before, new, until) if until > new else np.zeros(0), serving,
            month_ended=chunk in models.stream.months,
        )  # fmt: skip
        serving = policy.decide(known, models) or serving
    return Played(models.stream, tuple(served), np.concatenate(scores))

"""The default policy of retraining: the trainer's own decisions, after the monitor's own suspicions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rondo.monitor.evidence.stretches import Stretches
from rondo.monitor.evidence.suspicion import ShortReference, Suspicion, begun
from rondo.trainer.adaptation import training_window
from rondo.trainer.adaptation.confirmation import rows_to_confirm
from rondo.trainer.adaptation.growth import (
    GROWTH,
    Costs,
    change_pays,
    chunk_rows,
    gain_of_growth,
    growth_needed,
    next_share,
    pays,
)
from rondo.trainer.adaptation.record import gain_of_fits
from rondo.trainer.adaptation.strategies import CHAMPION, Strategy
from rondo.trainer.adaptation.training_window import AdaptationState, LabelledRows
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_blocks import of_losses
from rondo.trainer.evaluation.reference_profile import counted_rows

from tests.benchmarks.simulation.prequential import Fit
from tests.benchmarks.simulation.prequential import losses as losses_of
from tests.benchmarks.simulation.watching import TASK, buckets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.simulation.prequential import Known, Models

    Vector = NDArray[np.float64]


@dataclass
class Comparing:
    """A fit when the labelled rows have grown by a tenth, or at a suspicion, to the rows of the strategy that leads.

    With `costs`, the benefit of a fit must exceed its cost. `moves` are the successive first rows of the window.
    """

    costs: Costs | None = None
    moves: list[int] = field(default_factory=list)
    suspicions: int = 0
    _state: AdaptationState | None = None
    # The detector on the losses of the served model from row `_served` on, and the number of labelled rows at its fit.
    _suspicion: Suspicion | ShortReference | None = None
    _served: int = 0
    _labelled: int = 0
    _growth: float = GROWTH
    _gain: float | None = None
    # The loss of the served model in its evaluation.
    _loss: float | None = None

    def decide(self, known: Known, models: Models) -> Fit | None:
        stream = models.stream
        now = stream.ends[known.chunk]
        if self._state is None:
            self._begin(models)
        assert self._state
        rows = _rows(models, known.until, now)
        new, change = known.until - self._labelled, self._suspected(known, rows)
        if change is not None:
            self._state = training_window.with_suspected_change(rows, self._state, change)
        change = training_window.change_to_confirm(rows, self._state, change)
        if change is not None and new >= chunk_rows(stream.first) and self._change_pays(rows, change, known):
            self.suspicions += 1
            self._growth = GROWTH
            return self._serve(rows, models, now, *self._reconsidered(rows, models, change))
        if new >= growth_needed(known.serving.rows, self._growth) and self._pays(new, known):
            choice, held, reference = self._compared(rows, models, known.serving)
            self._labelled = len(rows.times)
            return None if choice.keeps else self._serve(rows, models, now, held, reference)
        return None

    def _change_pays(self, rows: LabelledRows, change: int, known: Known) -> bool:
        if self.costs is None:
            return True
        found = self._suspicion.found if self._suspicion else None
        rise, new = found.after - found.before if found else self._loss, known.until - self._labelled
        since = known.until - rows.first_since(change)
        enough = since >= rows_to_confirm(rows.features)
        return enough and change_pays(rise, known.serving.rows, new, self.costs)

    def _begin(self, models: Models) -> None:
        first = models.stream.first
        self._state, self._served, self._labelled = AdaptationState(first), first, first
        held = training_window.plan_comparison(_rows(models, first, first), self._state, None).held
        scores = models.scores(Fit(0, held.fit), held.start, first)
        self._loss = float(losses_of(scores, models.stream.y[held.start : first]).mean())
        self._watch(models, held.start, scores)

    def _pays(self, new: int, known: Known) -> bool:
        gain = gain_of_growth(self._gain, self._loss, known.serving.rows, new)
        return self.costs is None or pays(gain, new, self.costs)

    def _watch(self, models: Models, start: int, scores: Vector) -> None:
        labels = models.stream.y[start : start + len(scores)].astype(np.float32)
        loss = of_losses(TASK, counted_rows(Scored(TASK, labels, {"score": scores})))
        assert loss
        stretches = Stretches(loss.rows, loss.autocorrelation_rows, np.array([loss.means]))
        self._suspicion = begun(str(start), stretches)

    def _suspected(self, known: Known, rows: LabelledRows) -> int | None:
        """Return the event time at which the losses of the served model began to rise. None if they have not."""
        start = max(known.new, self._served)
        if known.until <= start:
            return None
        losses = known.losses[start - known.new :]
        if self._suspicion is not None:
            self._suspicion = self._suspicion.take(buckets(start, losses))
        found = self._suspicion.found if self._suspicion else None
        return None if found is None else int(rows.times[found.since])

    def _compared(self, rows: LabelledRows, models: Models, serving: Fit) -> tuple[training_window.Choice, int, Vector]:
        assert self._state
        planned = training_window.plan_comparison(rows, self._state, int(rows.times[serving.until - 1]))
        start, end, fit = planned.held.start, len(rows.times), planned.held.fit
        fits = {each.name: _fit(each, fit) for each in planned.strategies}
        losses = {name: models.losses(each, start, end) for name, each in fits.items()}
        if planned.compared and rows.times[start] > rows.times[serving.until - 1] + rows.delay:
            losses[CHAMPION] = models.losses(serving, start, end)
        choice = training_window.choose_leader(rows, self._state, planned, losses)
        if choice.worse_since is not None:
            return choice, *self._reconsidered(rows, models, choice.worse_since)
        self._state = choice.state
        if planned.compared:
            self._gain = gain_of_fits([each.scores for each in choice.state.record], choice.state.leader)
            if self._gain is not None and self.costs:
                self._growth = next_share(self._growth, self._gain)
        return choice, start, models.scores(fits[choice.leader], start, end)

    def _reconsidered(self, rows: LabelledRows, models: Models, change: int) -> tuple[int, Vector]:
        assert self._state
        planned = training_window.plan_confirmation(rows, self._state, change)
        start, end = planned.held.start, len(rows.times)
        fits = {each.name: _fit(each, start) for each in planned.strategies}
        losses = {name: models.losses(each, start, end) for name, each in fits.items()}
        choice = training_window.decide_window_start(rows, self._state, planned, losses)
        moved = choice.state.since is not None and choice.state.since != self._state.since
        if moved and choice.state.since is not None:
            self.moves.append(rows.first_since(choice.state.since))
            self._gain = None
        self._state = choice.state
        return start, models.scores(fits[choice.leader], start, end)

    def _serve(self, rows: LabelledRows, models: Models, now: int, start: int, scores: Vector) -> Fit:
        """Return the refit to all rows. Its losses are later compared with the scores of its evaluation."""
        assert self._state
        self._served, self._labelled = now, len(rows.times)
        self._loss = float(losses_of(scores, models.stream.y[start : len(rows.times)]).mean())
        self._watch(models, start, scores)
        return _fit(training_window.leading_strategy(rows, self._state, len(rows.times)), len(rows.times))


def _rows(models: Models, known: int, now: int) -> LabelledRows:
    stream = models.stream
    times = np.arange(now) if stream.times is None else stream.times
    delay = int(times[now - 1] - times[known - 1])
    labels = stream.y[None, :known].astype(np.float64)
    return LabelledRows(times[:known], delay, stream.x.shape[1], fades=True, labels=labels)


def _fit(strategy: Strategy, until: int) -> Fit:
    return Fit(strategy.first, until, strategy.half_life)

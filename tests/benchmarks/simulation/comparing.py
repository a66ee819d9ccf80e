"""The default policy of retraining: the trainer's own decisions, and a suspicion by the monitor's evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rondo.chassis.profiles.autocorrelation import autocorrelation_time
from rondo.monitor.evidence.block_length import block_length
from rondo.monitor.evidence.block_test import BlockTest
from rondo.trainer.adaptation import comparison
from rondo.trainer.adaptation.comparison import Rows, State
from rondo.trainer.adaptation.growth import chunk_rows, growth_needed
from rondo.trainer.adaptation.strategies import CHAMPION, Strategy

from tests.benchmarks.simulation.prequential import Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.simulation.prequential import Known, Models

    Vector = NDArray[np.float64]

SUSPICION = 0.01
# Blocks may be shorter than the memory asks for, so a suspicion is no alarm: at least eight in the reference.
LEAST_BLOCK, BLOCKS = 16, 8


@dataclass
class Comparing:
    """A fit when the labelled rows have grown by a tenth, or at a suspicion, to the rows of the strategy that leads.

    `moves` are the rows at which the window began, one after the other.
    """

    moves: list[int] = field(default_factory=list)
    suspicions: int = 0
    _state: State | None = None
    # The losses of the holdout of what serves, the row from which on it serves, and the rows that were labelled then.
    _reference: Vector = field(default_factory=lambda: np.zeros(0))
    _served: int = 0
    _labelled: int = 0

    def decide(self, known: Known, models: Models) -> Fit | None:
        stream = models.stream
        now = stream.ends[known.chunk]
        if self._state is None:
            self._state, self._served, self._labelled = State(stream.first), stream.first, stream.first
            held = comparison.course(_rows(models, stream.first, 0), self._state, None).held
            self._reference = models.losses(Fit(0, held.fit), held.start, stream.first)
        new, change = known.until - self._labelled, self._suspected(known, models)
        rows = _rows(models, known.until, now - known.until)
        if change is not None and new >= chunk_rows(stream.first):
            self.suspicions += 1
            return self._serve(rows, models, now, self._reconsidered(rows, models, change))
        if new >= growth_needed(known.serving.rows):
            return self._serve(rows, models, now, self._compared(rows, models, known.serving))
        return None

    def _suspected(self, known: Known, models: Models) -> int | None:
        if known.until <= self._served:
            return None
        live = models.losses(known.serving, self._served, known.until)
        change = suspicion(self._reference, live)
        return None if change is None else self._served + change

    def _compared(self, rows: Rows, models: Models, serving: Fit) -> Vector:
        assert self._state
        planned = comparison.course(rows, self._state, serving.until - 1)
        start, end, fit = planned.held.start, len(rows.times), planned.held.fit
        losses = {each.name: models.losses(_fit(each, fit), start, end) for each in planned.strategies}
        scored = dict(losses)
        if planned.compared and start > serving.until - 1 + rows.delay:
            scored[CHAMPION] = models.losses(serving, start, end)
        choice = comparison.choose(rows, self._state, planned, scored)
        if choice.worse_since is not None:
            return self._reconsidered(rows, models, choice.worse_since)
        self._state = choice.state
        return losses[choice.leader]

    def _reconsidered(self, rows: Rows, models: Models, change: int) -> Vector:
        assert self._state
        planned = comparison.course_of_suspicion(rows, self._state, change)
        start, end = planned.held.start, len(rows.times)
        losses = {each.name: models.losses(_fit(each, start), start, end) for each in planned.strategies}
        choice = comparison.reconsider(rows, self._state, planned, losses)
        if choice.state.since is not None and choice.state.since != self._state.since:
            self.moves.append(choice.state.since)
        self._state = choice.state
        return losses[choice.leader]

    def _serve(self, rows: Rows, models: Models, now: int, reference: Vector) -> Fit:  # noqa: ARG002
        assert self._state
        self._reference, self._served, self._labelled = reference, now, len(rows.times)
        return _fit(comparison.taken(rows, self._state, len(rows.times)), len(rows.times))


def suspicion(reference: Vector, live: Vector) -> int | None:
    """Return how many live rows were before a change to larger losses; None where nothing suggests one."""
    rows = len(reference)
    block = max(LEAST_BLOCK, min(block_length(autocorrelation_time(reference[None], 1), rows), rows // BLOCKS))
    before, since = (_means(each, block) for each in (reference, live))
    if not len(since):
        return None
    test = BlockTest.of("suspicion", before[None], np.array([True]), one_sided=True).with_blocks(since[None])
    if test.evidence()[0] < np.log(1 / SUSPICION):
        return None
    count = len(since)
    gains = [q * (count - q) / count * max(since[q:].mean() - since[:q].mean(), 0) ** 2 for q in range(1, count)]
    return (int(np.argmax(gains)) + 1) * block if max(gains, default=0) > 0 else 0


def _means(rows: Vector, block: int) -> Vector:
    return rows[: len(rows) // block * block].reshape(-1, block).mean(axis=1)


def _rows(models: Models, known: int, delay: int) -> Rows:
    return Rows(np.arange(known), delay, models.stream.x.shape[1], fades=True)


def _fit(strategy: Strategy, until: int) -> Fit:
    return Fit(strategy.first, until, strategy.half_life)

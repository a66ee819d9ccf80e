"""The state of a model from its trainings: the number of new rows, and the state after a training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import TriggerKind
from rondo.trainer.adaptation.comparability import comparability_digest
from rondo.trainer.adaptation.growth import GROWTH, Costs, next_share
from rondo.trainer.adaptation.record import gain_of_fits
from rondo.trainer.adaptation.strategies import CHAMPION
from rondo.trainer.adaptation.training_window import AdaptationState
from rondo.trainer.run import Training

if TYPE_CHECKING:
    from rondo.contracts.events.training import ModelTrained
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.fitting.choose import Chosen
    from rondo.trainer.run import Run


def known_by(spec: ModelSpec, known: Training | None) -> Training | None:
    """Return the part of the state that applies to a spec.

    Losses by another label or trainer have another scale, so record, leader, gain, loss and growth begin again. The
    window stays. Without costs no training has to be worth its cost, so growth stays a tenth.
    """
    if known is None:
        return None
    basis = comparability_digest(spec)
    if known.basis != basis:
        state = AdaptationState(known.state.first, known.state.since, unconfirmed=known.state.unconfirmed)
        return replace(known, state=state, growth=GROWTH, gain=None, loss=None, basis=basis)
    return known if Costs.of(spec) else replace(known, growth=GROWTH)


def unfitted_rows(spec: ModelSpec, training_set: TrainingSet, known: Training | None) -> int:
    """Return the number of labelled rows that arrived since the last training: the larger of two counts.

    The rows after the newest row of the last training miss late labels. The growth of the number of rows misses rows if
    `trainer.window` moves on, because as many rows leave the window as enter it.
    """
    rows = training_set.rows
    if known is None:
        return rows.height
    later = int((rows[spec.data.event_time] > known.until).sum())
    return max(rows.height - known.rows, later)


def trained_now(run: Run, training_set: TrainingSet, trained: ModelTrained, known: Training | None) -> Training | None:
    """Return the state after a training. None for a registration, which does not train."""
    if run.trigger.kind == TriggerKind.REGISTRATION:
        return None
    rows, until = training_set.rows.height, trained.summary.event_time_to
    fitted = rows if run.spec.refits else trained.summary.rows_trained
    if known is None:
        return Training(rows, fitted, until, AdaptationState(rows), basis=comparability_digest(run.spec))
    return replace(known, rows=rows, fitted=fitted, until=until)


def compared_now(run: Run, training_set: TrainingSet, chosen: Chosen, known: Training | None) -> Training:
    """Return the state after strategies were compared, whether or not the run made a candidate."""
    rows, state = training_set.rows.height, chosen.choice.state
    refitted = rows - chosen.served.first if run.spec.refits else chosen.parts.training.height
    fitted = known.fitted if known is not None and chosen.choice.keeps else refitted
    growth, gain = (GROWTH, None) if known is None else (known.growth, known.gain)
    confirmation = chosen.choice.confirmation
    if confirmation is not None:
        # The gain of fits before a change does not predict the gain after it.
        growth, gain = GROWTH, None if confirmation.moves else gain
    elif chosen.planned.fit_plan.compared:
        gain = gain_of_fits([each.scores for each in state.record], state.leader)
        if gain is not None and Costs.of(run.spec):
            growth = next_share(growth, gain)
    until = training_set.rows[run.spec.data.event_time][-1]
    loss = chosen.losses[CHAMPION if chosen.choice.keeps else chosen.choice.leader]
    return Training(rows, fitted, until, state, growth, gain, comparability_digest(run.spec), loss)

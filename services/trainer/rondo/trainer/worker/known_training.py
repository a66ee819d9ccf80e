"""What is known of a model from its trainings: how many rows are new, and what a training adds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import TriggerKind
from rondo.trainer.adaptation.comparison import State
from rondo.trainer.run import Training

if TYPE_CHECKING:
    from rondo.contracts.events.training import ModelTrained
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.run import Run


def unfitted_rows(spec: ModelSpec, training_set: TrainingSet, known: Training | None) -> int:
    """Return the labelled rows that came since the last training.

    A late label adds a row before the newest one, and where `trainer.window` moves on as many rows leave as come: the
    larger of both counts is meant.
    """
    rows = training_set.rows
    if known is None:
        return rows.height
    later = int((rows[spec.data.event_time] > known.until).sum())
    return max(rows.height - known.rows, later)


def trained_now(run: Run, training_set: TrainingSet, trained: ModelTrained, known: Training | None) -> Training | None:
    """Return what is known after a training; None for a registration, which trains nothing."""
    if run.trigger.kind == TriggerKind.REGISTRATION:
        return None
    rows, summary = training_set.rows.height, trained.summary
    first = Training(rows, summary.rows_trained, summary.event_time_to, State(rows))
    if known is None:
        return first
    return replace(known, rows=rows, fitted=summary.rows_trained, until=summary.event_time_to)

"""Training runs as the registry records them, and requests for new ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from rondo.contracts.events.base import Value
from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.contracts.text import Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import NoteCode, RunState, SkipReason, open_to
from rondo.registry.audit.hash_chain import Action, AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.training import (
        ModelTrained,
        TrainingFailed,
        TrainingProgressed,
        TrainingSkipped,
        TrainingStarted,
    )
    from rondo.registry.model.model import Actor

# Notes on published rows that a training could not use.
_LEFT_OUT = (NoteCode.ROWS_WITHOUT_FEATURE, NoteCode.ROWS_OUTSIDE_LIMITS)


class Run(Value):
    """A training run, or a decision not to train.

    A decision not to train is `skipped` without a start, and its `run_id` begins with `skip-`. There is one for each
    trigger, with the latest decision. `reason` is a SkipReason.
    """

    run_id: str
    model: str
    state: Annotated[Text, open_to(RunState)]
    trigger: Trigger
    started_at: Utc | None = None
    finished_at: Utc | None = None
    reason: str | None = None
    detail: str = ""


class RunPosition(NamedTuple):
    """A position in the list of runs, which is ordered by the latest change."""

    updated_at: datetime
    run_id: str


@dataclass(frozen=True)
class ListedRun:
    """A run and its position in the list of runs."""

    run: Run
    position: RunPosition


def request(model: str, trigger: Trigger, actor: Actor) -> tuple[TrainingRequested, AuditEntry]:
    """Return the event that requests a training or a registration, and its audit entry."""
    evidence = {"trigger": trigger.model_dump(mode="json"), "reason": actor.reason}
    event = TrainingRequested(model=model, trigger=trigger, requested_by=actor.name)
    action: Action = "registration_requested" if trigger.artifact else "training_requested"
    return event, AuditEntry(action, evidence)


def started(event: TrainingStarted) -> Run:
    return Run(
        run_id=event.run_id,
        model=event.model,
        state=RunState.RUNNING,
        trigger=event.trigger,
        started_at=event.started_at,
    )


def progressed(event: TrainingProgressed) -> Run:
    """Return the run of a progress event, with the progress of its search as `detail`."""
    return Run(
        run_id=event.run_id, model=event.model, state=RunState.RUNNING, trigger=event.trigger, detail=event.detail
    )


def trained(event: ModelTrained) -> Run:
    """Return the run that made a candidate. `detail` has the reason for its rows, and the rows it could not use."""
    chosen = [event.summary.adaptation.reason] if event.summary.adaptation else []
    left_out = [note.message for note in event.summary.notes if note.code in _LEFT_OUT]
    return Run(
        run_id=event.run_id,
        model=event.model,
        state=RunState.TRAINED,
        trigger=event.trigger,
        started_at=event.started_at,
        finished_at=event.finished_at,
        detail="; ".join([*chosen, *left_out]),
    )


def failed(event: TrainingFailed, at: datetime) -> Run:
    """Return the run that ended without a candidate. `at` is the time of the event."""
    tried = f" (after {event.attempts} attempts)" if event.attempts > 1 else ""
    detail = f"{event.reason}{tried}"
    return Run(
        run_id=event.run_id,
        model=event.model,
        state=RunState.FAILED,
        trigger=event.trigger,
        finished_at=at,
        detail=detail,
    )


def skipped(event: TrainingSkipped, at: datetime) -> Run:
    """Return the run that ended for lack of data, or the decision not to train. `at` is the time of the event."""
    # If another run was in flight, `run_id` is that run.
    own = event.run_id if event.reason != SkipReason.IN_FLIGHT else None
    return Run(
        run_id=own or _skip_id(event),
        model=event.model,
        state=RunState.SKIPPED,
        trigger=event.trigger,
        finished_at=at,
        reason=event.reason,
        detail=f"{event.reason}: {event.detail}",
    )


def _skip_id(event: TrainingSkipped) -> str:
    cause = hashlib.sha256(f"{event.model} {event.trigger.id}".encode())
    return f"skip-{cause.hexdigest()[:16]}"


def merge(known: Run | None, update: Run) -> Run:
    """Merge an update into the stored run. Topics have no order between them, so an end may arrive before its start."""
    if known is None:
        return update
    if update.state == RunState.RUNNING:
        running = known.state == RunState.RUNNING
        detail = (update.detail or known.detail) if running else known.detail
        return known.model_copy(update={"started_at": known.started_at or update.started_at, "detail": detail})
    return update.model_copy(update={"started_at": update.started_at or known.started_at})

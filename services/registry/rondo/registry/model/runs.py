"""Training runs as the registry records them, and requests for new ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.base import Value
from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import SkipReason
from rondo.registry.audit.hash_chain import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
    from rondo.registry.model.model import Actor

RunState = Literal["running", "trained", "failed", "skipped"]


class Run(Value):
    """A training run, or a decision not to start one: what triggered it, when it ran, how it ended."""

    run_id: str
    model: str
    state: RunState
    trigger: Trigger
    started_at: Utc | None = None
    finished_at: Utc | None = None
    detail: str = ""


def request(model: str, trigger: Trigger, actor: Actor) -> tuple[TrainingRequested, AuditEntry]:
    """Return the event that requests a training, and its audit entry."""
    evidence = {"trigger": trigger.model_dump(mode="json"), "reason": actor.reason}
    event = TrainingRequested(model=model, trigger=trigger, requested_by=actor.name)
    return event, AuditEntry("training_requested", evidence)


def started(event: TrainingStarted) -> Run:
    return Run(
        run_id=event.run_id, model=event.model, state="running", trigger=event.trigger, started_at=event.started_at
    )


def trained(event: ModelTrained) -> Run:
    return Run(
        run_id=event.run_id,
        model=event.model,
        state="trained",
        trigger=event.trigger,
        started_at=event.started_at,
        finished_at=event.finished_at,
    )


def failed(event: TrainingFailed, at: datetime) -> Run:
    """Return the failed run; `at` is the time of the event, which the trainer writes when the run ends."""
    return Run(
        run_id=event.run_id,
        model=event.model,
        state="failed",
        trigger=event.trigger,
        finished_at=at,
        detail=f"{event.reason} (after {event.attempts} attempts)",
    )


def skipped(event: TrainingSkipped, at: datetime) -> Run:
    """Return the skipped run, or the decision not to start one, which is listed like a run."""
    # A trigger that arrives while another run is in flight names that run, which goes on.
    own = event.run_id if event.reason != SkipReason.IN_FLIGHT else None
    return Run(
        run_id=own or _decision_id(event),
        model=event.model,
        state="skipped",
        trigger=event.trigger,
        finished_at=at,
        detail=f"{event.reason}: {event.detail}",
    )


def _decision_id(event: TrainingSkipped) -> str:
    """Return an id for a trigger without a run, other than the id of the run that it may still get."""
    decision = hashlib.sha256(f"{event.model} {event.trigger.id} {event.reason}".encode())
    return f"skip-{decision.hexdigest()[:16]}"


def merge(known: Run | None, update: Run) -> Run:
    """Merge an update into the stored run. Topics have no order between them, so an end may arrive before its start."""
    if known is None:
        return update
    if update.state == "running":
        return known if known.started_at else known.model_copy(update={"started_at": update.started_at})
    return update.model_copy(update={"started_at": update.started_at or known.started_at})

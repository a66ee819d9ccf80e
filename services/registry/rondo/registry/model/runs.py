"""What the registry remembers of a training run, and what a new event about it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.base import Value
from rondo.contracts.events.training import Trigger
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import SkipReason

if TYPE_CHECKING:
    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted

RunState = Literal["running", "trained", "failed", "skipped"]


class Run(Value):
    """A training run: what asked for it, when it ran, how it ended."""

    run_id: str
    model: str
    state: RunState
    trigger: Trigger
    started_at: Utc | None = None
    finished_at: Utc | None = None
    detail: str = ""


def started(event: TrainingStarted) -> Run:
    """Return the run that began."""
    return Run(
        run_id=event.run_id, model=event.model, state="running", trigger=event.trigger, started_at=event.started_at
    )


def trained(event: ModelTrained) -> Run:
    """Return the run that ended with a candidate."""
    return Run(
        run_id=event.run_id,
        model=event.model,
        state="trained",
        trigger=event.trigger,
        started_at=event.started_at,
        finished_at=event.finished_at,
    )


def failed(event: TrainingFailed) -> Run:
    """Return the run that ended without one."""
    detail = f"{event.reason} (after {event.attempts} attempts)"
    return Run(run_id=event.run_id, model=event.model, state="failed", trigger=event.trigger, detail=detail)


def skipped(event: TrainingSkipped) -> Run | None:
    """Return the run that ended for want of data; None for a trigger that led to no run of its own."""
    # A trigger that came while another run was in flight names that one.
    if event.run_id is None or event.reason == SkipReason.IN_FLIGHT:
        return None
    return Run(run_id=event.run_id, model=event.model, state="skipped", trigger=event.trigger, detail=event.detail)


def merge(known: Run | None, news: Run) -> Run:
    """Put together what is known and what came now: topics have no order between them, so an end may come first."""
    if known is None:
        return news
    if news.state == "running":
        return known if known.started_at else known.model_copy(update={"started_at": news.started_at})
    return news.model_copy(update={"started_at": news.started_at or known.started_at})

"""The trainings of a run, with trigger and end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelPromoted, ModelRegistered, ModelRejected
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingStarted

if TYPE_CHECKING:
    from rondo.flights.observers.history import History


@dataclass(frozen=True)
class Training:
    """A training run: kind and detail of its trigger, and its end as text for people."""

    run_id: str
    kind: str
    detail: str
    ended: str


def trainings(history: History) -> list[Training]:
    """Return the runs in order of their start. A run that was started twice occurs once."""
    runs = {e.data.run_id: e.data.trigger for e in history.of(TrainingStarted)}
    return [Training(run, trigger.kind, trigger.detail, _end(history, run)) for run, trigger in runs.items()]


def _end(history: History, run: str) -> str:
    for failure in history.of(TrainingFailed, ModelRejected):
        if failure.data.run_id == run:
            return _failure(failure.data)
    if (skip := history.skipped().get(run)) is not None:
        return f"no new model: {skip.detail}"
    version = next((e.data.model_version for e in history.of(ModelRegistered) if e.data.run_id == run), None)
    if version is not None and any(e.data.model_version == version for e in history.of(ModelPromoted)):
        return f"version {version} was promoted"
    if version is not None:
        return f"version {version} was registered, not promoted before the end"
    trained = any(e.data.run_id == run for e in history.of(ModelTrained))
    return "trained, not evaluated before the end" if trained else "not finished before the end"


def _failure(end: TrainingFailed | ModelRejected) -> str:
    if isinstance(end, TrainingFailed):
        return f"failed: {end.reason}"
    return f"version {end.model_version} was rejected: {'; '.join(g.message for g in end.gates if not g.passed)}"

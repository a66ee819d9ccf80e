"""Each training that was begun: what asked for it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelPromoted, ModelRegistered, ModelRejected
from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingStarted

if TYPE_CHECKING:
    from rondo.flights.observers.history import History


@dataclass(frozen=True)
class Training:
    """A run: the kind and the words of what asked for it, and its end as a sentence for people."""

    run_id: str
    kind: str
    detail: str
    ended: str


def trainings(history: History) -> list[Training]:
    """Return the runs in the order in which they began; one that a worker began twice is one."""
    runs = {e.data.run_id: e.data.trigger for e in history.of(TrainingStarted)}
    return [Training(run, trigger.kind, trigger.detail, _end(history, run)) for run, trigger in runs.items()]


def _end(history: History, run: str) -> str:
    for said in history.of(TrainingFailed, ModelRejected):
        if said.data.run_id == run:
            return _failure(said.data)
    version = next((e.data.model_version for e in history.of(ModelRegistered) if e.data.run_id == run), None)
    if version is not None and any(e.data.model_version == version for e in history.of(ModelPromoted)):
        return f"version {version} took over"
    if version is not None:
        return f"version {version} was registered, and not promoted by the end"
    trained = any(e.data.run_id == run for e in history.of(ModelTrained))
    return "trained, and not judged by the end" if trained else "not over by the end"


def _failure(end: TrainingFailed | ModelRejected) -> str:
    if isinstance(end, TrainingFailed):
        return f"failed: {end.reason}"
    return f"version {end.model_version} was rejected: {'; '.join(g.message for g in end.gates if not g.passed)}"

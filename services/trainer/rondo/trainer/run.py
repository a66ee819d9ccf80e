"""Training runs and their trials as values: what handlers record, what a worker claims, and the history."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from rondo.trainer.adaptation.growth import GROWTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, Trigger
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.policy import Value
    from rondo.trainer.adaptation.training_window import AdaptationState

RunState = Literal["queued", "running", "trained", "failed", "skipped"]
TrialState = Literal["complete", "pruned", "failed"]
Result: TypeAlias = "ModelTrained | TrainingFailed | TrainingSkipped"
IN_FLIGHT: tuple[RunState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Batch:
    """The latest batch of a dataset. `until` is the newest event time in it."""

    id: str
    until: datetime


@dataclass(frozen=True)
class ChampionVersion:
    """The version that serves now, and the digest of its artifact."""

    model_version: int
    digest: str


@dataclass(frozen=True)
class Run:
    """A run that a worker has claimed. `attempt` counts from 1. `worker` and `attempt` identify the claim."""

    id: str
    trigger: Trigger
    spec: ModelSpec
    attempt: int
    worker: str
    started_at: datetime
    traceparent: str | None = None

    @property
    def model(self) -> str:
        return self.spec.model


@dataclass(frozen=True)
class LastTraining:
    """The last run of a model that trained, no registration: by which spec and, by their digests, on which rows.

    If a function of the user's own trained, `function_digest` is that of its code.
    """

    run_id: str
    spec_digest: str
    training_set_digest: str
    function_digest: str | None = None


@dataclass(frozen=True)
class Training:
    """What is known of a model after its last training: the labelled rows, those that the last model was fitted to.

    `until` is their newest event time. `growth` is the share by which `fitted` must grow before the next training, and
    `gain` the loss that the last fits saved in the mean. None where it is not known. `loss` is that of the last model,
    evaluated. None where strategies were not compared. Record, `growth`, `gain` and `loss` are of losses by the
    spec with this `basis` (`adaptation.comparability`).
    """

    rows: int
    fitted: int
    until: datetime
    state: AdaptationState
    growth: float = GROWTH
    gain: float | None = None
    basis: str = ""
    loss: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a run ended. `training` is what is known of its model now, and None where that is as it was.

    `unfitted` are the labelled rows that came since the last training. None where the run did not count them.
    """

    result: Result
    training: Training | None = None
    unfitted: int | None = None


@dataclass(frozen=True)
class Labels:
    """The labelled rows that came since the last training, by the events so far: `new` of them.

    `first` are the labelled rows of the first training, `fitted` those that the last model was fitted to. Both are 0
    before any training. `growth`, `gain`, `basis`, `until` and `loss` are as in `Training`. With `again` new rows a
    change that was not confirmed is looked into again.
    """

    new: int = 0
    first: int = 0
    fitted: int = 0
    growth: float = GROWTH
    gain: float | None = None
    basis: str = ""
    until: datetime | None = None
    again: int | None = None
    loss: float | None = None


@dataclass(frozen=True)
class PastRun:
    """A run that was admitted before. `before_removal`: the model was removed since, and is a new one."""

    id: str
    trigger: Trigger
    spec_digest: str
    state: RunState
    before_removal: bool = False


@dataclass(frozen=True)
class History:
    """The latest runs of one model, newest first. `ever_trained` also counts older runs, but none before a removal.

    A registration is a run, and counts as no training.

    `removed_revision` is that of the last removal of the model. 0 if it never was removed. `champion` is the version
    that serves now. None where none does, or none is known.
    """

    runs: tuple[PastRun, ...] = ()
    ever_trained: bool = False
    removed_revision: int = 0
    labels: Labels = Labels()
    champion: int | None = None


@dataclass(frozen=True)
class Proposal:
    """The parameters of a trial, those of the search alone, and where they come from (`ParameterOrigin`).

    Trials are numbered from 0.
    """

    number: int
    params: Mapping[str, Value]
    origin: str


@dataclass(frozen=True)
class Trial(Proposal):
    """A trial that ended. `values` has the metric of each split that was fitted. None where it is not defined."""

    values: tuple[float | None, ...] = ()
    state: TrialState = "complete"
    seconds: float = 0.0
    detail: str = ""

    @property
    def value(self) -> float | None:
        """The mean of the values. None if there is none."""
        return mean(self.values)


@dataclass(frozen=True)
class RecordedTrials:
    """The trials of a run that have ended, by number. `lost` was started twice, and its worker died both times."""

    ended: tuple[Trial, ...] = ()
    lost: Proposal | None = None


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are defined. None if none is."""
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None

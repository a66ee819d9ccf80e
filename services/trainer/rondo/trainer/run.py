"""Training runs and their trials as values: queued and claimed runs, their ends, and the history of a model."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from rondo.contracts.vocabularies import EndedTrialState
from rondo.trainer.adaptation.growth import GROWTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, Trigger
    from rondo.contracts.spec.dataset.source import SourceDataset
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.spec.policy import Value
    from rondo.trainer.adaptation.training_window import AdaptationState

QueueState = Literal["queued", "running", "trained", "failed", "skipped"]
Result: TypeAlias = "ModelTrained | TrainingFailed | TrainingSkipped"
IN_FLIGHT: tuple[QueueState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Batch:
    """The latest batch of a dataset. `until` is the newest event time in it."""

    id: str
    until: datetime


@dataclass(frozen=True)
class ChampionVersion:
    """The version that serves, and the digest of its artifact."""

    model_version: int
    digest: str


@dataclass(frozen=True)
class Run:
    """A run that a worker has claimed. `attempt` counts from 1. `worker` and `attempt` identify the claim.

    `sources` are the datasets from which features of the spec are joined.
    """

    id: str
    trigger: Trigger
    spec: ModelSpec
    attempt: int
    worker: str
    started_at: datetime
    traceparent: str | None = None
    sources: tuple[SourceDataset, ...] = ()

    @property
    def model(self) -> str:
        return self.spec.model


@dataclass(frozen=True)
class LastTraining:
    """The last run of a model that trained, with the digests of its spec and its rows. A registration does not count.

    `function_digest` is the digest of the user's code, if a function trained.
    """

    run_id: str
    spec_digest: str
    training_set_digest: str
    function_digest: str | None = None


@dataclass(frozen=True)
class Training:
    """The state of a model after its last training.

    `rows` is the number of labelled rows, `until` their newest event time, and `fitted` the number of rows that the
    last model was fitted to. `growth` is the share by which `fitted` must grow before the next training. `gain` is the
    mean loss that the last fits saved, None if it is not known. `loss` is the loss of the last model on its holdout,
    None if strategies were not compared. `basis` is the digest of the spec whose losses are in the record, `growth`,
    `gain` and `loss` (`adaptation.comparability`).
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
    """The end of a run. `training` is the new state of its model, and None if the state has not changed.

    `unfitted` is the number of labelled rows that arrived since the last training. None if the run did not count them.
    """

    result: Result
    training: Training | None = None
    unfitted: int | None = None


@dataclass(frozen=True)
class Labels:
    """The labelled rows of a model by the events so far. `new` of them arrived since the last training.

    `first` is the number of labelled rows of the first training, and `fitted` the number of rows that the last model
    was fitted to. Both are 0 before any training. `growth`, `gain`, `basis`, `until` and `loss` are as in `Training`.
    `again` is the number of new rows from which a change that was not confirmed is checked again.
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
    """A run that was admitted before. `before_removal` is True if the model was removed since, and is a new one."""

    id: str
    trigger: Trigger
    spec_digest: str
    state: QueueState
    before_removal: bool = False


@dataclass(frozen=True)
class History:
    """The latest runs of one model, newest first. `ever_trained` also covers older runs, but none before a removal.

    A registration is a run, but no training.

    `removed_revision` is the revision of the last removal of the model, 0 if it was never removed. `champion` is the
    version that serves. None if no version serves, or none is known.
    """

    runs: tuple[PastRun, ...] = ()
    ever_trained: bool = False
    removed_revision: int = 0
    labels: Labels = Labels()
    champion: int | None = None


@dataclass(frozen=True)
class Proposal:
    """The parameters of a trial that the search varies, and their origin (`ParameterOrigin`).

    Trials are numbered from 0.
    """

    number: int
    params: Mapping[str, Value]
    origin: str


@dataclass(frozen=True)
class Trial(Proposal):
    """A trial that ended. `values` has the metric of each fitted split, None where it is not defined."""

    values: tuple[float | None, ...] = ()
    state: EndedTrialState = EndedTrialState.COMPLETE
    seconds: float = 0.0
    detail: str = ""

    @property
    def value(self) -> float | None:
        """The mean of the values. None if there is none."""
        return mean(self.values)


@dataclass(frozen=True)
class RecordedTrials:
    """The ended trials of a run, by number. `lost` is a trial that was started twice, and whose worker died twice."""

    ended: tuple[Trial, ...] = ()
    lost: Proposal | None = None


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are defined. None if none is."""
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None

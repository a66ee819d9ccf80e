"""Training runs as values: what the handlers record, what a worker claims, and what admission remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.model import ModelSpec

RunState = Literal["queued", "running", "trained", "failed", "skipped"]
IN_FLIGHT: tuple[RunState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Batch:
    """The latest batch of a dataset; `until` is the newest event time in it."""

    id: str
    until: datetime


@dataclass(frozen=True)
class ChampionVersion:
    """The version that serves now, and the digest of its artifact."""

    model_version: int
    digest: str


@dataclass(frozen=True)
class Run:
    """A run that a worker has claimed. `attempt` counts from 1; `worker` and `attempt` identify the claim."""

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

    `removed_revision` is that of the last removal of the model; 0 if it never was removed.
    """

    runs: tuple[PastRun, ...] = ()
    ever_trained: bool = False
    removed_revision: int = 0

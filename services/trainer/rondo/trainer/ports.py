"""What the trainer needs from outside: its database, the data, and a runtime for ONNX models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime, timedelta

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.data import BatchAccepted
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.contracts.events.models import ModelRemoved, ModelRolledBack, SpecApplied
    from rondo.contracts.events.training import (
        FunctionVersion,
        TrainingProgressed,
        TrainingStarted,
        Trigger,
    )
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.onnx_graph.feature_model import FeatureModel
    from rondo.trainer.preparation.inputs import Inputs
    from rondo.trainer.preparation.preparation import Preparation
    from rondo.trainer.run import (
        Batch,
        ChampionVersion,
        Ended,
        History,
        LastTraining,
        Proposal,
        RecordedTrials,
        Run,
        Training,
        Trial,
    )


T = TypeVar("T")
A = TypeVarTuple("A")


class UnitOfWork(Protocol):
    """The database of the handlers, within one event. Everything in it commits together, with the event's inbox row."""

    async def lock_dataset(self, dataset: str) -> None:
        """Wait for the lock of a dataset and hold it until the end.

        A batch and a spec of the same dataset are then handled one after the other, and each sees the other's rows.
        """
        ...

    async def lock_model(self, model: str) -> None:
        """Wait for the lock of a model and hold it until the end: only the holder may admit triggers or end runs."""
        ...

    async def save_spec(self, applied: SpecApplied) -> None:
        """Save a spec, unless a later revision is saved."""
        ...

    async def remove_spec(self, removed: ModelRemoved) -> None:
        """Delete the spec of a model, unless a later revision is known. An earlier one changes nothing afterwards.

        Runs of earlier revisions are `before_removal` from now on, and what their trainings made known is deleted.
        """
        ...

    async def spec(self, model: str) -> ModelSpec | None:
        """Return the spec in force."""
        ...

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        """Return the models that train on a dataset, sorted: two handlers lock them in the same order."""
        ...

    async def save_batch(self, accepted: BatchAccepted) -> None:
        """Save the latest batch of a dataset: the one with the newest event time."""
        ...

    async def latest_batch(self, dataset: str) -> Batch | None: ...

    async def save_champion(self, changed: DeploymentChanged, at: datetime) -> None:
        """Save the champion, unless a later revision is saved, and wake workers that wait for a promotion.

        A withdrawal, which has no champion, ends the series of the last champions. `at` is when it was published.
        """
        ...

    async def save_rollback(self, rolled_back: ModelRolledBack, at: datetime) -> None:
        """Save the version that was withdrawn. Its deployment may arrive later: topics have no order among them."""
        ...

    async def history(self, model: str) -> History:
        """Return the model's latest runs."""
        ...

    async def enqueue(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        """Record a queued run and wake the workers. A model has at most one in flight, beside its registrations."""
        ...

    async def count_labels(self, model: str, rows: int) -> None:
        """Add labelled rows that an event reported. `history` has those since the last training."""
        ...

    async def last_skip(self, model: str, kind: str) -> str | None:
        """Return what `save_skip` saved of a kind since the last run was queued, or the model was removed, or None."""
        ...

    async def save_skip(self, model: str, kind: str, reason: str) -> None:
        """Save why a trigger of a kind that is repeated was skipped."""
        ...

    async def defer(self, model: str, trigger: Trigger) -> None:
        """Keep a trigger of a model for later: each registration, the last drop of the performance, and one other.

        A later trigger of a training takes the place of an earlier one. A manual one is replaced only by another.
        """
        ...

    async def pop_harm(self, model: str) -> Trigger | None:
        """Return the deferred drop of the performance, and delete it."""
        ...

    async def pop_deferred(self, model: str) -> tuple[Trigger, ...]:
        """Return the triggers that were kept, in the order in which they came, and delete them."""
        ...

    async def publish(self, event: Event) -> object:
        """Publish an event when the unit of work commits."""
        ...


class RunQueue(Protocol):
    """The queue of runs for one worker. A claim that another worker has taken over changes nothing any more."""

    async def listen(self) -> None:
        """Subscribe to notifications of new runs. Must come before the first claim, so that none is missed.

        Raises:
            UnavailableError: the database does not answer (so do all the methods below).

        """
        ...

    async def wait(self, seconds: float) -> None:
        """Return when a run was recorded, or after a timeout."""
        ...

    async def claim(self, max_attempts: int) -> Run | None:
        """Claim the oldest run that no worker holds, of a model that has no other run with a worker.

        A run that was claimed `max_attempts` times before fails.
        """
        ...

    async def renew(self, run: Run) -> bool:
        """Extend the lease of a claim. False when it is lost."""
        ...

    async def champion(self, model: str) -> ChampionVersion | None:
        """Return the version that serves now."""
        ...

    async def last_champions(self, model: str, count: int) -> tuple[ChampionVersion, ...]:
        """Return the last versions that became the champion, each once, the newest first; at most `count`.

        Those before a withdrawal of the model do not count, nor those that were rolled back and are not champion again.
        """
        ...

    async def wait_for_promotion(self, model: str, within: timedelta) -> None:
        """Wait until the deployment changes after the model's last candidate, or that is older than `within`."""
        ...

    async def last_training(self, model: str) -> LastTraining | None: ...

    async def training(self, model: str) -> Training | None:
        """Return what is known from the trainings of a model. None before the first."""
        ...

    async def begin(
        self, run: Run, started: TrainingStarted, training_set_digest: str, function_digest: str | None
    ) -> None:
        """Publish that the run began, and save what it trains on and by which function.

        Every attempt uses the same event id, so that subscribers take it once.
        """
        ...

    async def trials(self, run: Run, training_set_digest: str) -> RecordedTrials:
        """Return the trials of a run's search that were recorded on the same rows, and delete those on others."""
        ...

    async def begin_trial(self, run: Run, training_set_digest: str, proposal: Proposal) -> bool:
        """Record that a trial begins. False when the claim is lost."""
        ...

    async def end_trial(self, run: Run, trial: Trial, progressed: TrainingProgressed) -> bool:
        """Record how a trial ended, and publish the progress. False when the claim is lost."""
        ...

    async def finish(self, run: Run, ended: Ended) -> bool:
        """Save the end of a run, publish it, and admit the deferred triggers. False when the claim is lost."""
        ...

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        """Queue the run again. It can be claimed after the pause. The attempt counts."""
        ...

    async def postpone(self, run: Run, pause: timedelta) -> None:
        """Queue the run again. It can be claimed after the pause. The attempt does not count."""
        ...


class Datasets(Protocol):
    """The data that a model can be trained on. Blocking: call it off the event loop."""

    def rows_at_most(self, spec: ModelSpec) -> int:
        """Return an upper bound of the rows there are, without reading them.

        Raises:
            DatasetMissingError: there is no data at all.
            UnavailableError: the storage does not answer.

        """
        ...

    def read(self, spec: ModelSpec, at: datetime) -> TrainingSet:
        """Return the training set for a trigger at this event time.

        Raises:
            DatasetMissingError: there is no data at all.
            ColumnMissingError: the data lacks a column that the spec names.
            DataDamagedError: a file does not match its table's log.
            UnavailableError: the storage does not answer.

        """
        ...


class RetryWhileUnavailable(Protocol):
    """Repeats a call while it raises `UnavailableError`."""

    def __call__(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]: ...


class Blocking(Protocol):
    """Runs a call that blocks off the event loop, one after the other."""

    def __call__(self, call: Callable[[*A], T], *arguments: *A) -> Awaitable[T]: ...


class FunctionTrainer(Protocol):
    """Trains with a function of the user's own, `trainer.function`. Blocking, for as long as the function takes."""

    def version(self, function: str) -> FunctionVersion:
        """Return which code the function is now.

        Raises:
            TrainingImpossibleError: there is no such package, or it can't be read.

        """
        ...

    def fit(
        self,
        spec: ModelSpec,
        classes: tuple[str, ...],
        rows: pl.DataFrame,
        preparation: Preparation,
        matrix: NDArray[np.float32],
        targets: NDArray[np.float32],
    ) -> FeatureModel:
        """Return the model that the function makes of training rows. `matrix` and `targets` are theirs.

        Raises:
            TrainingImpossibleError: the function made no model that can be served. The message says why.

        """
        ...


class Score(Protocol):
    """Runs an ONNX model as serving does."""

    def __call__(self, model: bytes, inputs: Inputs) -> Mapping[str, NDArray[Any]]:
        """Return the outputs by name, as `Task.predictions` has them. Inputs that the model lacks are ignored.

        Raises:
            GraphFailedError: the model fails on a row.

        """
        ...

    def loaded(self, model: bytes) -> Callable[[Inputs], Mapping[str, NDArray[Any]]]:
        """Return the same as a function of the inputs, with the model in memory as long as it is referenced."""
        ...

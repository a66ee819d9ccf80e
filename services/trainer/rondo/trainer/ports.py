"""The ports of the trainer: its database, the data, and a runtime for ONNX models."""

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
    from rondo.contracts.spec.dataset.source import SourceDataset
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
        """Wait for the lock of a dataset and hold it until the end of the transaction.

        A batch and a spec of the same dataset are then handled one after the other, and each sees the other's rows.
        """
        ...

    async def lock_model(self, model: str) -> None:
        """Wait for the lock of a model and hold it until the end of the transaction.

        Only the holder may admit triggers or end runs.
        """
        ...

    async def save_spec(self, applied: SpecApplied) -> None:
        """Save a spec, unless a later revision is saved."""
        ...

    async def remove_spec(self, removed: ModelRemoved) -> None:
        """Delete the spec of a model, unless a later revision is known. An earlier revision is ignored from now on.

        Runs of earlier revisions are `before_removal` from now on, and the state of their trainings is deleted.
        """
        ...

    async def spec(self, model: str) -> ModelSpec | None:
        """Return the spec in force."""
        ...

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        """Return the models that train on a dataset, sorted, so that two handlers lock them in the same order."""
        ...

    async def save_batch(self, accepted: BatchAccepted) -> None:
        """Save the latest batch of a dataset: the one with the newest event time."""
        ...

    async def latest_batch(self, dataset: str) -> Batch | None: ...

    async def save_champion(self, changed: DeploymentChanged, at: datetime) -> None:
        """Save the champion, unless a later revision is saved, and wake workers that wait for a promotion.

        A withdrawal, which has no champion, ends the series of the last champions. `at` is the time of publication.
        """
        ...

    async def save_rollback(self, rolled_back: ModelRolledBack, at: datetime) -> None:
        """Save the version that was rolled back. Its deployment may arrive later: topics have no order between them."""
        ...

    async def history(self, model: str) -> History:
        """Return the model's latest runs."""
        ...

    async def enqueue(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        """Record a queued run with the sources of the spec in force, and wake the workers.

        A model has at most one run in flight, besides registrations.
        """
        ...

    async def count_labels(self, model: str, rows: int) -> None:
        """Add labelled rows that an event reported. `history` has the sum since the last training."""
        ...

    async def last_skip(self, model: str, kind: str) -> str | None:
        """Return the reason that `save_skip` saved last for a kind.

        None if a run was queued or the model was removed since, or if nothing was saved.
        """
        ...

    async def save_skip(self, model: str, kind: str, reason: str) -> None:
        """Save why a trigger of a repeated kind was skipped."""
        ...

    async def defer(self, model: str, trigger: Trigger) -> None:
        """Defer a trigger of a model: each registration, the last drop of the performance, and one other trigger.

        A later trigger of a training replaces an earlier one. A manual trigger is replaced only by another manual one.
        """
        ...

    async def pop_harm(self, model: str) -> Trigger | None:
        """Return the deferred drop of the performance, and delete it."""
        ...

    async def pop_deferred(self, model: str) -> tuple[Trigger, ...]:
        """Return the deferred triggers in the order of their arrival, and delete them."""
        ...

    async def publish(self, event: Event) -> object:
        """Publish an event when the unit of work commits."""
        ...


class RunQueue(Protocol):
    """The queue of runs for one worker. After another worker has taken a claim over, this one can't change the run."""

    async def listen(self) -> None:
        """Subscribe to notifications of new runs. Call it before the first claim, so that no run is missed.

        Raises:
            UnavailableError: the database does not answer. All methods below raise it, too.

        """
        ...

    async def wait(self, seconds: float) -> None:
        """Wait until a run is recorded, at most `seconds`."""
        ...

    async def claim(self, max_attempts: int) -> Run | None:
        """Claim the oldest run that no worker holds. A model has at most one claimed run at a time.

        A run that was already claimed `max_attempts` times fails.
        """
        ...

    async def renew(self, run: Run) -> bool:
        """Extend the lease of a claim. Return False if the claim is lost."""
        ...

    async def champion(self, model: str) -> ChampionVersion | None:
        """Return the version that serves now."""
        ...

    async def last_champions(self, model: str, count: int) -> tuple[ChampionVersion, ...]:
        """Return at most `count` versions that became the champion last, each once, the newest first.

        Versions before a withdrawal of the model do not count. Versions that were rolled back count only if they became
        the champion again.
        """
        ...

    async def wait_for_promotion(self, model: str, within: timedelta) -> None:
        """Wait until the deployment changes after the model's last candidate, or that candidate is `within` old."""
        ...

    async def last_training(self, model: str) -> LastTraining | None: ...

    async def training(self, model: str) -> Training | None:
        """Return the state of a model after its last training. None before the first training."""
        ...

    async def begin(
        self, run: Run, started: TrainingStarted, training_set_digest: str, function_digest: str | None
    ) -> None:
        """Publish that the run began, and save its training set and the code of its function.

        Every attempt uses the same event id, so that subscribers process it once.
        """
        ...

    async def trials(self, run: Run, training_set_digest: str) -> RecordedTrials:
        """Return the recorded trials of a run's search on the same rows, and delete its trials on other rows."""
        ...

    async def begin_trial(self, run: Run, training_set_digest: str, proposal: Proposal) -> bool:
        """Record that a trial begins. Return False if the claim is lost."""
        ...

    async def end_trial(self, run: Run, trial: Trial, progressed: TrainingProgressed) -> bool:
        """Record the end of a trial, and publish the progress. Return False if the claim is lost."""
        ...

    async def finish(self, run: Run, ended: Ended) -> bool:
        """Save the end of a run, publish it, and admit the deferred triggers. Return False if the claim is lost."""
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
        """Return an upper bound of the number of rows, without reading them.

        Raises:
            DatasetMissingError: there is no data at all.
            UnavailableError: the storage does not answer.

        """
        ...

    def read(self, spec: ModelSpec, at: datetime, sources: tuple[SourceDataset, ...] = ()) -> TrainingSet:
        """Return the training set for a trigger at this event time. Features are joined from `sources`.

        Raises:
            DatasetMissingError: there is no data at all.
            ColumnMissingError: the data lacks a column that the spec names.
            SourceUnknownError: the spec has features of a dataset that is not in `sources`.
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
    """Trains with the user's function `trainer.function`. A call blocks as long as the function runs."""

    def version(self, function: str) -> FunctionVersion:
        """Return the current version of the function's code.

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
        """Return the model that the function makes of training rows. `matrix` and `targets` belong to these rows.

        Raises:
            TrainingImpossibleError: the function made no model that can be served. The message says why.

        """
        ...


class Score(Protocol):
    """Runs an ONNX model as serving does."""

    def __call__(self, model: bytes, inputs: Inputs) -> Mapping[str, NDArray[Any]]:
        """Return the outputs by name, as `Task.predictions` takes them. Inputs that the model lacks are ignored.

        Raises:
            GraphFailedError: the model fails on a row.

        """
        ...

    def loaded(self, model: bytes) -> Callable[[Inputs], Mapping[str, NDArray[Any]]]:
        """Return the same as a function of the inputs. The model stays in memory as long as the function exists."""
        ...

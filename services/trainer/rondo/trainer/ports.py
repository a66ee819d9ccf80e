"""What the trainer needs from libraries and from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.data import BatchAccepted
    from rondo.contracts.deployment import DeploymentChanged
    from rondo.contracts.event import Event
    from rondo.contracts.models import SpecApplied
    from rondo.contracts.spec import ModelSpec
    from rondo.contracts.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted, Trigger
    from rondo.trainer.admission import History
    from rondo.trainer.candidate import Candidate, Champion, Learned
    from rondo.trainer.hyperparameters import Value
    from rondo.trainer.preparation import Inputs
    from rondo.trainer.runs import Batch, Run, Serving
    from rondo.trainer.training_set import TrainingSet


class FittedTrees(Protocol):
    """A fitted model: its scores for a matrix, and its trees as `trees.read` takes them."""

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of the positive class for each row of `[rows, features]`."""
        ...

    def dump(self) -> dict[str, Any]:
        """Return the trees as LightGBM describes them."""
        ...


class Fit(Protocol):
    """Fits trees. The same arguments give the same trees."""

    def __call__(
        self, params: Mapping[str, Value], seed: int, matrix: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> FittedTrees:
        """Return trees fitted to `[rows, features]` and labels of 0 and 1; `params` are checked."""
        ...


class Score(Protocol):
    """Runs an ONNX model the way serving does."""

    def __call__(self, model: bytes, inputs: Inputs) -> NDArray[np.float32]:
        """Return the scores, shape `[rows]`. Inputs that the model does not have are left out."""
        ...


class Training(Protocol):
    """Makes a candidate. Blocking, for seconds to hours: to be called off the event loop."""

    def learn(self, spec: ModelSpec, training_set: TrainingSet, champion: Champion | None) -> Learned:
        """Fit a model; the holdout is cut after what the champion knows.

        Raises:
            ValueError: the data or the spec can't be trained on; the message is for whoever wrote them.

        """
        ...

    def judge(self, spec: ModelSpec, learned: Learned, champion: Champion | None) -> Candidate:
        """Judge it and the champion, who may be another by now, on the same rows."""
        ...


class Work(Protocol):
    """The unit of work of one event: what is saved and published in it happens as a whole, or not at all."""

    async def save_spec(self, applied: SpecApplied) -> None:
        """Keep a spec, unless a later revision is known."""
        ...

    async def spec(self, model: str) -> ModelSpec | None:
        """Return the spec in force."""
        ...

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        """Return the models that train on a dataset."""
        ...

    async def save_batch(self, accepted: BatchAccepted) -> None:
        """Keep the latest batch of a dataset."""
        ...

    async def latest_batch(self, dataset: str) -> Batch | None:
        """Return the latest batch of a dataset."""
        ...

    async def save_champion(self, changed: DeploymentChanged) -> None:
        """Keep who is champion, unless a later revision is known."""
        ...

    async def history(self, model: str) -> History:
        """Return the model's runs. Until the work ends nobody else decides about this model."""
        ...

    async def start(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        """Record a run and wake the workers."""
        ...

    async def defer(self, model: str, trigger: Trigger) -> None:
        """Keep a trigger until the run in flight has ended; a later one takes the place of an earlier."""
        ...

    async def take_deferred(self, model: str) -> Trigger | None:
        """Return the trigger that was kept, and forget it."""
        ...

    async def publish(self, event: Event) -> object:
        """Publish an event with the work."""
        ...


class Runs(Protocol):
    """The runs, as a worker sees them. A claim that was lost to another worker changes nothing any more."""

    async def listen(self) -> None:
        """Be told of runs from now on; before the first claim, so that none falls in between."""
        ...

    async def claim(self, attempts: int) -> Run | None:
        """Take the oldest run that nobody holds; one that was begun `attempts` times already ends as failed."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when a run was recorded, or after a while."""
        ...

    async def renew(self, run: Run) -> bool:
        """Extend the lease; False when the run is no longer ours."""
        ...

    async def serving(self, model: str) -> Serving | None:
        """Return who serves now."""
        ...

    async def verdict(self, model: str, patience: timedelta) -> None:
        """Wait until it shows who serves after the last candidate, at most until that is `patience` old."""
        ...

    async def begin(self, run: Run, started: TrainingStarted) -> None:
        """Publish that the run began; once, however many attempts it takes."""
        ...

    async def finish(self, run: Run, result: ModelTrained | TrainingFailed | TrainingSkipped) -> bool:
        """Save the end of a run and publish it, as one; False when the run is no longer ours."""
        ...

    async def hand_back(self, run: Run) -> None:
        """Let the run be claimed again at once."""
        ...


class Datasets(Protocol):
    """The data that a model can be trained on. Blocking: to be called off the event loop."""

    def rows_at_most(self, spec: ModelSpec) -> int:
        """Return an upper bound of the rows there are, cheaply.

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
            UnavailableError: the storage does not answer.

        """
        ...


class Artifacts(Protocol):
    """The artifact store, see `rondo.chassis.artifacts`."""

    async def put(self, content: bytes) -> str:
        """Store an artifact and return its digest."""
        ...

    async def get(self, digest: str) -> bytes:
        """Return an artifact."""
        ...

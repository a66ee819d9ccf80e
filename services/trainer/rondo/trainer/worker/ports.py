"""What the worker needs from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rondo.contracts.events.training import ModelTrained, TrainingFailed, TrainingSkipped, TrainingStarted
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.dataset.training_set import TrainingSet
    from rondo.trainer.evaluation.candidate import Candidate, Champion, Learned
    from rondo.trainer.runs.run import Run, Serving


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

    async def hand_back(self, run: Run, pause: timedelta) -> None:
        """Let the run be claimed again after a pause; others are claimed meanwhile."""
        ...

    async def postpone(self, run: Run, pause: timedelta) -> None:
        """Hand the run back as if it had not been begun: what it lacks is no fault of its own."""
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
            DataDamagedError: a file is not what its table says.
            UnavailableError: the storage does not answer.

        """
        ...


class Artifacts(Protocol):
    """The artifact store, see `rondo.chassis.artifacts`."""

    async def put(self, content: bytes) -> str:
        """Store an artifact and return its digest."""
        ...

    async def get(self, digest: str) -> bytes:
        """Return an artifact.

        Raises:
            ArtifactMissingError: there is none.
            ArtifactCorruptError: its bytes are others.
            ArtifactUnreadableError: it can't be read now.

        """
        ...


class Training(Protocol):
    """Makes a candidate. Blocking, for seconds to hours: to be called off the event loop."""

    def learn(self, spec: ModelSpec, training_set: TrainingSet) -> Learned:
        """Fit a model to all rows but the holdout.

        Raises:
            ValueError: the data or the spec can't be trained on; the message is for whoever wrote them.

        """
        ...

    def judge(self, spec: ModelSpec, learned: Learned, champion: Champion | None) -> Candidate:
        """Judge it and the champion on the same rows."""
        ...

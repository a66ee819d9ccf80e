"""What the trainer needs from libraries and from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.data import BatchAccepted
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.contracts.events.models import SpecApplied
    from rondo.contracts.events.training import Trigger
    from rondo.contracts.spec.lightgbm_params import Value
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.graph.encoding import Inputs
    from rondo.trainer.runs.run import Batch
    from rondo.trainer.triggers.admission import History


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

    async def take_turn_of_dataset(self, dataset: str) -> None:
        """Wait until nobody else handles a batch or a spec of this dataset: each must see what the other has saved."""
        ...

    async def start(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        """Record a run and wake the workers."""
        ...

    async def defer(self, model: str, trigger: Trigger) -> None:
        """Keep a trigger until the run in flight has ended or the spec has come; a later one takes its place.

        Only another that was asked for takes the place of what somebody asked for.
        """
        ...

    async def take_deferred(self, model: str) -> Trigger | None:
        """Return the trigger that was kept, and forget it."""
        ...

    async def publish(self, event: Event) -> object:
        """Publish an event with the work."""
        ...

"""The ports of the assignment, and the values that they exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from rondo.monitor.label_requests.wanted_labels import WantedLabels
    from rondo.monitor.status.model_status import ModelStatus, ModelSummary


@dataclass(frozen=True)
class Assignment:
    """The partitions `assigned` to a replica, and the number of partitions of each topic."""

    assigned: frozenset[int]
    partitions: Mapping[str, int]


class Models(Protocol):
    """Answers about some models. The methods that take a model raise UnknownModelError."""

    @property
    def is_loaded(self) -> bool:
        """True if the state of the models is loaded, so that answers are possible."""
        ...

    def knows(self, model: str) -> bool:
        """Return whether an answer about a model is possible now."""
        ...

    async def status(self, model: str) -> ModelStatus: ...

    async def wanted_labels(self, model: str, budget: int, uncertain: bool) -> WantedLabels: ...  # noqa: FBT001

    async def summaries(self) -> tuple[ModelSummary, ...]: ...


class OtherModels(Protocol):
    """Answers about any model, from its last checkpoint.

    Every method raises UnavailableError while PostgreSQL is unavailable.
    """

    async def require(self, model: str) -> None: ...

    async def status(self, model: str) -> ModelStatus: ...

    async def wanted_labels(self, model: str, budget: int, uncertain: bool) -> WantedLabels: ...  # noqa: FBT001

    async def summaries(self, besides: Collection[str]) -> tuple[ModelSummary, ...]:
        """Return the summaries of all models except these."""
        ...


class Part(Protocol):
    """The work on a partition number. `models` answers about its models, also before its state is loaded."""

    @property
    def models(self) -> Models: ...

    async def run(self) -> None:
        """Read and save until cancelled."""
        ...

    async def check(self) -> None:
        """Raise UnavailableError while the work does not advance."""
        ...

    def close(self) -> None:
        """Remove the metrics of the models. Called after `run` has ended."""
        ...


class ReplicaGroup(Protocol):
    """Divides partitions among replicas."""

    async def run(self, take: Callable[[Assignment], Awaitable[None]]) -> None:
        """Call `take` with each assignment, until cancelled. If `take` raises UnavailableError, it is called again."""
        ...

    async def check(self) -> None:
        """Raise UnavailableError while this replica is not a member of the group."""
        ...

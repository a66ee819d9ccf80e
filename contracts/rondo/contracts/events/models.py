"""Events of specs and of the life cycle of model versions, published by the registry."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import ModelEvent, Value
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.dataset.source import SourceDataset
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.vocabularies import GateName, open_to


class GateResult(Value):
    """The result of one gate. `message` is a sentence for people."""

    gate: Annotated[Text, open_to(GateName)]
    passed: bool
    observed: float | None
    bound: float | None
    message: Message


class SpecApplied(ModelEvent):
    """A model spec was applied. `revision` counts the specs of this model from 1.

    `dataset_revision` is the revision of the last DatasetApplied or DatasetRemoved of its dataset. It is 0 if there was
    none, or if an earlier release published the event. Events of different topics have no common order, so the contract
    of the dataset is not known until that revision has arrived.

    `sources` are the datasets from which the features with `from` are joined, by name.
    """

    topic: ClassVar[str] = "specs.applied"

    revision: int
    digest: Digest
    spec: ModelSpec
    dataset_revision: int = 0
    sources: tuple[SourceDataset, ...] = ()


class ModelRemoved(ModelEvent):
    """A model was removed: its spec is no longer in force, and its deployment is withdrawn.

    `revision` is the next revision of its spec. The event supersedes every SpecApplied with a lower revision, including
    one that arrives later, because events of different topics have no common order. A spec that is applied afterwards
    has a higher revision.
    """

    topic: ClassVar[str] = "models.removed"

    revision: int
    decided_by: Text


class ModelRegistered(ModelEvent):
    """A candidate became a version. Its number is never used again."""

    topic: ClassVar[str] = "models.registered"

    model_version: int
    digest: Digest
    run_id: Text


class ModelRejected(ModelEvent):
    """A candidate failed its gates. The champion keeps serving."""

    topic: ClassVar[str] = "models.rejected"

    model_version: int
    digest: Digest
    run_id: Text
    gates: tuple[GateResult, ...]


class ModelPromoted(ModelEvent):
    """A version became the champion. `trigger` is the trigger of its training.

    None if a person promoted the version.
    """

    topic: ClassVar[str] = "models.promoted"

    model_version: int
    digest: Digest
    previous_version: int | None
    decided_by: Text
    gates: tuple[GateResult, ...] = ()
    trigger: Trigger | None = None
    metrics: dict[Text, float] = Field(default_factory=dict)


class ModelRolledBack(ModelEvent):
    """An earlier version became the champion again."""

    topic: ClassVar[str] = "models.rolled-back"

    from_version: int
    to_version: int
    digest: Digest
    reason: Message
    decided_by: Text


class ModelRetired(ModelEvent):
    """A version was retired for good. Its artifact and evidence are kept."""

    topic: ClassVar[str] = "models.retired"

    model_version: int
    digest: Digest

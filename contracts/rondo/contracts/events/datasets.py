"""Events of the specs of declared datasets, published by the registry."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts.events.base import Event, Value
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.vocabularies import SchemaChange, open_to


class DatasetEvent(Event):
    """An event about one declared dataset, keyed by its name."""

    dataset: Text

    @property
    def key(self) -> str:
        """The dataset's name."""
        return self.dataset


class ContractChange(Value):
    """A change of a column, or of a key of the spec, since the previous revision. `message` is a sentence for people.

    If `is_stricter`, batches that the previous revision accepts may be rejected now.
    """

    column: Text
    change: Annotated[Text, open_to(SchemaChange)]
    message: Message
    is_stricter: bool


class DatasetApplied(DatasetEvent):
    """A dataset spec was applied. It alone is the contract of the dataset's batches from now on.

    `revision` counts the specs and the removals of this dataset from 1.
    """

    topic: ClassVar[str] = "datasets.applied"

    revision: int
    digest: Digest
    spec: DatasetSpec
    changes: tuple[ContractChange, ...] = ()


class DatasetRemoved(DatasetEvent):
    """A dataset is no longer declared. The models that name it define its contract again. Its rows are kept.

    The event supersedes every DatasetApplied with a lower `revision`, including one that arrives later, as ModelRemoved
    does for SpecApplied.
    """

    topic: ClassVar[str] = "datasets.removed"

    revision: int
    decided_by: Text

"""Events of declared datasets: their specs, published by the registry."""

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
    """A change of a column, or of a key of the spec, against the revision before. `message` is a sentence for people.

    With `is_stricter`, batches that fitted before may not fit now.
    """

    column: Text
    change: Annotated[Text, open_to(SchemaChange)]
    message: Message
    is_stricter: bool


class DatasetApplied(DatasetEvent):
    """A dataset spec was applied: it alone is the contract of the dataset's batches now.

    `revision` counts the specs of this dataset from 1, and its removals.
    """

    topic: ClassVar[str] = "datasets.applied"

    revision: int
    digest: Digest
    spec: DatasetSpec
    changes: tuple[ContractChange, ...] = ()


class DatasetRemoved(DatasetEvent):
    """A dataset is no longer declared: the models that name it decide its contract again. Its rows stay.

    `revision` supersedes every DatasetApplied with a lower one, also one that arrives later, as that of ModelRemoved.
    """

    topic: ClassVar[str] = "datasets.removed"

    revision: int
    decided_by: Text

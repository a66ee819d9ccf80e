"""The events of ingestion: batches and outcomes that were accepted or rejected."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts.events.base import Event, ModelEvent, Value
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import Source, open_to


class DataVersion(Value):
    """A version of a Delta table and the digest of its content: the same digest means the same rows."""

    table: Text
    version: int
    digest: Digest


class RowCounts(Value):
    """The rows of a batch."""

    total: int
    accepted: int
    quarantined: int


class BatchAccepted(Event):
    """A batch became part of a data version. `report` is the digest of its quality report in the artifact store."""

    topic: ClassVar[str] = "batches.accepted"

    dataset: Text
    batch_id: Text
    source: Annotated[Text, open_to(Source)]
    data_version: DataVersion
    rows: RowCounts
    report: Digest
    event_time_from: Utc
    event_time_to: Utc

    @property
    def key(self) -> str:
        """The dataset's name."""
        return self.dataset


class BatchRejected(Event):
    """A batch was rejected as a whole, and nothing of it was written.

    `reasons` are the first ones. All of them are in the quality report in the artifact store, which `report` names.
    `rows` is None if the rows could not be checked.
    """

    topic: ClassVar[str] = "batches.rejected"

    dataset: Text
    batch_id: Text
    source: Annotated[Text, open_to(Source)]
    reasons: tuple[Message, ...]
    rows: RowCounts | None = None
    report: Digest

    @property
    def key(self) -> str:
        """The dataset's name."""
        return self.dataset


class OutcomesAccepted(ModelEvent):
    """Outcomes were written to the feedback data of a model.

    `joined` is the number of outcomes that match a recent prediction. It is a lower bound: ingestion keeps about
    100,000 predictions of a model, and none from before its own start. A training joins all outcomes, from the tables.
    """

    topic: ClassVar[str] = "outcomes.accepted"

    data_version: DataVersion
    rows: int
    joined: int
    known_from: Utc
    known_to: Utc


class SkewExample(Value):
    """A row that was served with one value of a feature and published with another, as texts. None where missing."""

    entity: Message
    event_time: Utc
    served: Message | None
    published: Message | None


class FeatureSkew(Value):
    """A feature with `differing` values, and the at most three rows with the largest differences."""

    feature: Text
    differing: int
    largest: tuple[SkewExample, ...]


class SkewMeasured(ModelEvent):
    """The rows of a batch were compared with the features that the model's primary received in requests.

    `served` counts the primary's predictions within the event times of the batch. `joined` counts those with the entity
    and the event time of a row of the batch. `compared` are the features of the spec that both tables have. `features`
    are the first hundred of them with a value that differs.
    """

    topic: ClassVar[str] = "skew.measured"

    dataset: Text
    batch_id: Text
    event_time_from: Utc
    event_time_to: Utc
    served: int
    joined: int
    compared: tuple[Text, ...]
    features: tuple[FeatureSkew, ...]

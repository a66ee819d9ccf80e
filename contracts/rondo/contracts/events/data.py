"""What ingestion says: batches and outcomes that came in, or did not."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rondo.contracts.events.base import Event, ModelEvent, Value
from rondo.contracts.text import Digest, Message, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import Source, open_to


class DataVersion(Value):
    """A version of a Delta table and the digest of what it holds: the same digest means the same rows."""

    table: Text
    version: int
    digest: Digest


class ColumnQuality(Value):
    """What one column of a batch looked like. `distinct` counts values; `low` and `high` are of numbers only."""

    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None


class QualityReport(Value):
    """How many rows came, how many were accepted, and why the others were quarantined (reason to rows)."""

    rows: int
    accepted: int
    quarantined: int
    reasons: dict[Message, int] = Field(default_factory=dict)
    columns: dict[Text, ColumnQuality] = Field(default_factory=dict)


class BatchAccepted(Event):
    """A batch became part of a data version."""

    topic: ClassVar[str] = "batches.accepted"

    dataset: Text
    batch_id: Text
    source: Annotated[Text, open_to(Source)]
    data_version: DataVersion
    quality: QualityReport
    event_time_from: Utc
    event_time_to: Utc

    @property
    def key(self) -> str:
        """The dataset's name."""
        return self.dataset


class BatchRejected(Event):
    """A batch was refused whole, and nothing of it was written."""

    topic: ClassVar[str] = "batches.rejected"

    dataset: Text
    batch_id: Text
    source: Annotated[Text, open_to(Source)]
    reasons: tuple[Message, ...]
    quality: QualityReport | None = None

    @property
    def key(self) -> str:
        """The dataset's name."""
        return self.dataset


class OutcomesAccepted(ModelEvent):
    """Outcomes were written to the feedback data of a model.

    `joined` of them met a prediction that landed lately. That is a lower bound: ingestion remembers some 100,000
    predictions of a model, and none from before its start. A training joins all of them, from the tables.
    """

    topic: ClassVar[str] = "outcomes.accepted"

    data_version: DataVersion
    rows: int
    joined: int
    known_from: Utc
    known_to: Utc

"""The dataset spec: the contract of the batches of a dataset, as frozen values."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from rondo.contracts.spec.data import Share, SpecSection, TimeZone, TypedColumn
from rondo.contracts.spec.duration import Duration
from rondo.contracts.text import Column, Name, Text
from rondo.contracts.vocabularies import UnknownColumns, known

KIND = "dataset"


class DatasetColumn(TypedColumn):
    """One column of the dataset: its type and its allowed values. A row with another value goes to the quarantine."""

    optional: bool = False
    """True if the value may be missing or null, and the column absent."""


class DatasetSpec(SpecSection):
    """The specification of a dataset. A batch that fits it is accepted, independent of the models of the dataset."""

    kind: Literal["dataset"]
    """Distinguishes the file from a model spec."""
    dataset: Name
    """The name of the dataset, as `rondo publish` and `data.dataset` of a model spec give it. A file defines one
    dataset."""
    entity: Annotated[tuple[Column, ...], Field(min_length=1, max_length=8)]
    """The columns that identify the subject of a row: text or whole numbers, each stored as text. Within a batch no two
    rows may have the same entity and event time. A model can use the dataset only if it has one such column."""
    event_time: Column
    """The column with the time of the event, from 1900 to one day from now: a time with a zone, or seconds,
    milliseconds, microseconds or nanoseconds since 1970."""
    time_zone: TimeZone | None = None
    """The time zone of event times in files that name none, as `data.time_zone` of a model spec: `UTC`, or a name of
    the IANA database such as `Europe/Berlin`. Without this key such event times are invalid."""
    # Both are left out of the canonical JSON if they are None, so that specs without them keep their digest.
    known_after: Annotated[Duration | None, Field(exclude_if=lambda value: value is None)] = None
    """The time from the event time of a row until the row is known, such as `1h` for a reading that is delivered an
    hour later. A model is to take features from the dataset only as they were known, so it needs this key or
    `known_at`. Joins are not supported yet, and nothing else uses the key."""
    known_at: Annotated[Column | None, Field(exclude_if=lambda value: value is None)] = None
    """The column with the time since which a row is known, in place of `known_after`. Every row needs one. A row that
    is published again with a later time is a correction: it counts from that time on. Batches are held to the key
    already, and joins are not supported yet."""
    columns: Annotated[dict[Column, DatasetColumn], Field(min_length=1)]
    """The other columns by name, both features and labels. A column of `entity` may be listed, too, as a category, to
    limit its values."""
    max_bad_share: Share = 0.05
    """The largest share of invalid rows with which a batch is accepted. Invalid rows go to the quarantine. A batch with
    a larger share is rejected as a whole."""
    unknown_columns: Annotated[Text, Field(examples=known(UnknownColumns))] = UnknownColumns.REPORT.value
    """The treatment of a batch with columns that are not listed. `report` drops and reports them, and rejects a batch
    in which such a column looks like a misspelling of an optional one that is absent. `reject` rejects the batch,
    `ignore` drops and reports them without that check."""

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical JSON. Specs with the same meaning have the same digest."""
        return f"sha256:{hashlib.sha256(self.canonical_json().encode()).hexdigest()}"

    def canonical_json(self) -> str:
        """The spec as JSON with every default written out. The order of the columns is kept, because tables have it."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the JSON of `canonical_json`."""
        return cls.model_validate_json(text)

    def as_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, for an event or an HTTP body."""
        return self.model_dump(mode="json")

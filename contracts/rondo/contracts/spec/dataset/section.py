"""The dataset spec: the contract of the batches of a dataset, as frozen values."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from rondo.contracts.spec.data import Share, SpecSection, TimeZone, TypedColumn
from rondo.contracts.text import Column, Name, Text
from rondo.contracts.vocabularies import UnknownColumns, known

KIND = "dataset"


class DatasetColumn(TypedColumn):
    """One column of the dataset: its type and its allowed values. A row with another value goes to the quarantine."""

    optional: bool = False
    """Whether the value may be missing or null, and the column absent."""


class DatasetSpec(SpecSection):
    """The specification of a dataset. A batch that fits it is accepted, whatever models use the dataset."""

    kind: Literal["dataset"]
    """Tells this file from a model spec."""
    dataset: Name
    """The name of the dataset, as `rondo publish` and `data.dataset` of a model spec give it. One file, one dataset."""
    entity: Annotated[tuple[Column, ...], Field(min_length=1, max_length=8)]
    """The columns that identify the subject of a row: text or whole numbers, each stored as text. Within a batch no two
    rows have the same entity and event time. A model needs a dataset with one such column."""
    event_time: Column
    """The column with the time of the event, from 1900 to one day from now: a time with a zone, or seconds,
    milliseconds, microseconds or nanoseconds since 1970."""
    time_zone: TimeZone | None = None
    """The zone of event times without one in files, as `data.time_zone` of a model spec: `UTC`, or a name of the IANA
    database such as `Europe/Berlin`. Without it they are invalid."""
    columns: Annotated[dict[Column, DatasetColumn], Field(min_length=1)]
    """The other columns, each with its name: features and labels alike. A column of `entity` may be listed, too, as a
    category, so that its values are bounded."""
    max_bad_share: Share = 0.05
    """The largest share of invalid rows with which a batch is accepted. They go to the quarantine. With more, the batch
    is rejected as a whole."""
    unknown_columns: Annotated[Text, Field(examples=known(UnknownColumns))] = UnknownColumns.REPORT.value
    """What happens to a batch with columns that are not listed. `report` drops and reports them, and rejects a batch in
    which such a column looks like a misspelling of an optional one that is absent. `reject` rejects the batch, `ignore`
    drops and reports them without that check."""

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical JSON: the same for the same meaning."""
        return f"sha256:{hashlib.sha256(self.canonical_json().encode()).hexdigest()}"

    def canonical_json(self) -> str:
        """JSON with every default written out. The order of the columns is kept: tables have it."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `canonical_json` wrote."""
        return cls.model_validate_json(text)

    def as_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, for an event or an HTTP body."""
        return self.model_dump(mode="json")

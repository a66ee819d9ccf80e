"""The data contract of a model spec: where its data is, what each column means, which values it may take."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.spec.duration import Duration, PositiveDuration
from rondo.contracts.spec.labels import BinaryLabels
from rondo.contracts.text import Column, Name, Text
from rondo.contracts.vocabularies import UnknownColumns, known

Share = Annotated[float, Field(ge=0, le=1)]
# The largest float32. A model sees its numbers so, and batches and requests are held to their limits so.
LARGEST_FLOAT32 = 3.4028234663852886e38


class Part(BaseModel):
    """Every part of a spec: a frozen value whose numbers are finite.

    In a file a key that is not known is an error, never ignored: `rondo.contracts.spec.file` sees to that. In an
    event it is ignored, like every other field that an older reader does not know. What each key means stands below
    it, and `docs/spec.md` is made from that.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


class Data(Part):
    """Where the training data comes from, and what the columns mean that are no features."""

    dataset: Name
    """The dataset whose batches this model is trained on: the first word of `rondo publish`. Several models may share
    one; a batch must then please all of them."""
    entity: Column
    """The column that says what a row is about, as text or whole numbers. Predictions and outcomes are joined by it."""
    event_time: Column
    """The column that says when it happened: a time with a zone, from 1900 to a day ahead of now."""
    label: Column
    """The column with the outcome to predict: 0 or 1, or true or false. `positive` and `negative` name other values."""
    positive: Text | None = None
    """The text that stands for 1 in the label column and in outcomes, such as `UP`. It needs `negative` beside it."""
    negative: Text | None = None
    """The text that stands for 0, such as `DOWN`. Any other text is an invalid label."""
    label_delay: Duration = timedelta(0)
    """How long after its event time an outcome may still come. A window of the monitor waits this long for outcomes
    once it is over."""
    max_bad_share: Share = 0.05
    """The share of bad rows up to which a batch is taken in, with those rows in the quarantine. With more it is refused
    whole."""
    unknown_columns: Annotated[Text, Field(examples=known(UnknownColumns))] = UnknownColumns.REPORT.value
    """What happens to a batch with columns that no model of the dataset names. `report` drops and reports them, and
    rejects a batch in which such a column looks like a misspelling of an optional one that is absent. `reject` rejects
    the batch, `ignore` drops and reports them without that check."""

    @property
    def row_key(self) -> tuple[str, str]:
        """The columns that identify a row: the event time and the entity. One entity may occur at several times."""
        return (self.event_time, self.entity)

    @property
    def labels(self) -> BinaryLabels:
        """The values of the label."""
        return BinaryLabels(self.positive, self.negative)


class Feature(Part):
    """One column of the data contract: its type and the values it may have.

    A row of a batch that is outside of this goes to the quarantine, and a request that is outside of it is refused.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    type: Literal["category", "float", "int", "bool"]
    """`category` is text; the others are numbers, whole numbers, and true or false. A column of Parquet or Arrow may
    not be text for these; the texts of CSV and JSON Lines are read."""
    optional: bool = False
    """Whether it may be missing or null, in batches and in requests."""
    min: float | None = None
    """The least value of a number; the value itself is allowed."""
    max: float | None = None
    """The greatest value of a number; the value itself is allowed."""
    values: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """All values that a category may have. Without it every text is allowed."""
    source: Name | None = Field(default=None, alias="from")
    """Another dataset that the feature is joined from at the event time. Not supported yet: refused, as are the next
    two."""
    on: tuple[Column, ...] = ()
    """The columns that it is joined by."""
    max_age: PositiveDuration | None = None
    """How old the joined value may be."""

"""The data contract of a model spec: its dataset, the meaning of each column, and its allowed values."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from rondo.contracts.batch_files.times import zone_hint, zone_named
from rondo.contracts.spec.duration import Duration, PositiveDuration
from rondo.contracts.text import Column, Name, Text
from rondo.contracts.vocabularies import FeatureType, UnknownColumns, known


def _is_zone(name: str) -> str:
    if zone_named(name) is None:
        raise PydanticCustomError(
            "unknown_time_zone", "{name} is not a time zone: {hint}", {"name": name, "hint": zone_hint(name)}
        )
    return name


TimeZone = Annotated[Text, AfterValidator(_is_zone)]
Share = Annotated[float, Field(ge=0, le=1)]
# The largest float32. Models read numbers as float32, so the limits of batches and requests are compared as float32.
LARGEST_FLOAT32 = 3.4028234663852886e38
# Up to this number float32 represents every whole number exactly, because it has 24 significant bits.
LARGEST_EXACT_INT = 2**24


class SpecSection(BaseModel):
    """The base of the parts of a spec: a frozen value whose numbers are finite.

    An unknown key is an error in a file (`rondo.contracts.spec.file`). In an event it is ignored, like every field that
    an older reader does not know. `docs/spec.md` is generated from the docstrings of the fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


class Data(SpecSection):
    """The dataset, and the meaning of the columns that are not features."""

    dataset: Name
    """The dataset whose batches this model is trained on: the first argument of `rondo publish`. Several models may
    share one. A batch must then fit the contracts of all of them. If the dataset has a dataset spec, that spec alone
    decides about batches, and must have the columns of this spec with the same types."""
    entity: Column
    """The column that identifies the subject of a row: text or whole numbers. It joins predictions and outcomes: a
    prediction gets the first outcome of its entity that is known at or after the prediction's event time."""
    event_time: Column
    """The column with the time of the event, from 1900 to one day from now: a time with a zone, or seconds,
    milliseconds, microseconds or nanoseconds since 1970."""
    # Left out of the canonical JSON if it is None, so that specs without it keep their digest.
    time_zone: Annotated[TimeZone | None, Field(exclude_if=lambda zone: zone is None)] = None
    """The time zone of event times in files that name none, such as `2013-01-31 10:00` or `2013-01-31` (midnight):
    `UTC`, or a name of the IANA database such as `Europe/Berlin`. Without this key such event times are invalid. An
    hour that the clocks of the zone skip or repeat is invalid. Event times in requests and outcomes always name their
    zone."""
    label: Column
    """The column with the outcome to predict. For the task `binary` it has 0 or 1, or true or false, unless `positive`
    and `negative` name other values. For `multiclass` it has a text or a whole number, and for `regression` a finite
    number."""
    positive: Text | None = None
    """For `binary`, the text that stands for 1 in the label column and in outcomes, such as `UP`. It needs the key
    `negative`, too."""
    negative: Text | None = None
    """For `binary`, the text that stands for 0, such as `DOWN`. Any third text is an invalid label."""
    label_delay: Duration = timedelta(0)
    """The longest time from an event time to the arrival of its outcome. After its end, a window of the monitor waits
    this long for outcomes."""
    max_bad_share: Share = 0.05
    """The largest share of invalid rows with which a batch is accepted. Invalid rows go to the quarantine. A batch with
    a larger share is rejected as a whole. If the dataset has a dataset spec, that spec's `max_bad_share` and
    `unknown_columns` apply in place of this key and the next."""
    unknown_columns: Annotated[Text, Field(examples=known(UnknownColumns))] = UnknownColumns.REPORT.value
    """The treatment of a batch with columns that no model of the dataset names. `report` drops and reports them, and
    rejects a batch in which such a column looks like a misspelling of an optional one that is absent. `reject` rejects
    the batch, `ignore` drops and reports them without that check."""

    @property
    def row_key(self) -> tuple[str, str]:
        """The columns that identify a row: the event time and the entity. One entity may occur at several times."""
        return (self.event_time, self.entity)


class TypedColumn(SpecSection):
    """A column with a type and the values that it allows."""

    type: Annotated[Text, Field(examples=known(FeatureType))]
    """`category` is a text, `float` a number, `int` a whole number, and `bool` true or false. For the last three a
    column of Parquet or Arrow must not be text, and texts of CSV and JSON Lines are parsed."""
    optional: bool = False
    min: float | None = None
    """The lowest allowed value of a number, itself included."""
    max: float | None = None
    """The highest allowed value of a number, itself included."""
    values: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """The allowed values of a category. By default every text is allowed."""


class Feature(TypedColumn):
    """One column of the data contract: its type and its allowed values.

    A row of a batch with a value that is not allowed goes to the quarantine. A request with such a value is refused.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    optional: bool = False
    """True if the value may be missing or null, in batches and in requests."""
    source: Name | None = Field(default=None, alias="from")
    """Another dataset from which the feature is joined at the event time. Not supported yet: `rondo apply` refuses this
    key, `column`, `on` and `max_age`."""
    # Left out of the canonical JSON if it is None, so that specs without it keep their digest.
    column: Annotated[Column | None, Field(exclude_if=lambda column: column is None)] = None
    """The column of that dataset. By default it has the name of the feature. Not supported yet."""
    on: tuple[Column, ...] = ()
    """The columns of the join. Not supported yet."""
    max_age: PositiveDuration | None = None
    """The greatest age of a joined value. Not supported yet."""

    @property
    def is_sent(self) -> bool:
        """True if batches and requests have the feature. False if it is joined from another dataset."""
        return self.source is None

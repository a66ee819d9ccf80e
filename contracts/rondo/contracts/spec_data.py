"""The data contract of a model spec: where its data is, what each column means, which values it may take."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rondo.contracts.duration import Duration, PositiveDuration

# Names become topic keys, table folders and metric labels, so they are kept to a safe alphabet.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Every part of a spec: a frozen value whose numbers are finite.

    In a file a key that is not known is an error, never ignored: `rondo.contracts.spec_file` sees to that. In an
    event it is ignored, like every other field that an older reader does not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Data(Part):
    """Where the training data comes from and what its columns mean."""

    dataset: Name
    entity: Column
    event_time: Column
    label: Column
    label_delay: Duration = timedelta(0)
    max_bad_share: Share = 0.05


class Feature(Part):
    """One column of the data contract: its type and the values it may take.

    `type` is `category` (text), `float`, `int` or `bool`. An `optional` feature may be missing
    or null; any other may not. `source` (in the file: `from`), `on` and `max_age` ask for a
    point-in-time join.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    type: Literal["category", "float", "int", "bool"]
    optional: bool = False
    min: float | None = None
    max: float | None = None
    values: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    source: Name | None = Field(default=None, alias="from")
    on: tuple[Column, ...] = ()
    max_age: PositiveDuration | None = None

    @model_validator(mode="after")
    def _limits_fit_the_type(self) -> Self:
        if self.type == "category" and (self.min is not None or self.max is not None):
            message = "a category has no min or max: list its `values` instead"
            raise ValueError(message)
        if self.type != "category" and self.values is not None:
            message = f"`values` is for a category, and this is a {self.type}: use min and max"
            raise ValueError(message)
        if self.min is not None and self.max is not None and self.min > self.max:
            message = f"min {self.min:g} is above max {self.max:g}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _a_join_has_a_source(self) -> Self:
        if self.source is None and (self.on or self.max_age is not None):
            message = "`on` and `max_age` join another dataset: name it with `from`"
            raise ValueError(message)
        return self

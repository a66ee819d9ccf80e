"""The model spec: what `rondo.yaml` may say, as frozen values.

Reading a file, with errors that name the line, is `rondo.contracts.spec_file`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `15m`, `6h`, `14d` or `2w`.

    Raises:
        ValueError: the text is none of these; the message shows the form.

    """
    if isinstance(value, timedelta):
        return value
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        message = f"{value!r} is not a duration: write a number and a unit, such as 90s, 15m, 6h, 14d or 2w"
        raise ValueError(message)
    return timedelta(**{_UNITS[matched[2]]: float(matched[1])})


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that divides it: the inverse of `parse_duration`."""
    seconds = value.total_seconds()
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]
# Names become topic keys, table folders and metric labels, so they are kept to a safe alphabet.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    """Every part of a spec: frozen, and a key that is not known is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Part):
    """Where the training data comes from and what its columns mean."""

    dataset: Name
    entity: Column
    event_time: Column
    label: Column
    label_delay: Duration = timedelta(0)
    max_bad_share: Share = 0.05


class Feature(_Part):
    """One column of the data contract: its type and the values it may take.

    `type` is `category` (text), `float`, `int` or `bool`. An `optional` feature may be missing
    or null; any other may not. `source` (in the file: `from`), `on` and `max_age` ask for a
    point-in-time join.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    type: Literal["category", "float", "int", "bool"]
    optional: bool = False
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None
    source: Name | None = Field(default=None, alias="from")
    on: tuple[Column, ...] = ()
    max_age: Duration | None = None

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


class Trainer(_Part):
    """How a candidate is made. `holdout` is the latest share of the rows, kept for the evaluation."""

    kind: Literal["lightgbm", "xgboost", "sklearn", "function"] = "lightgbm"
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    params: dict[str, int | float | str | bool] = Field(default_factory=dict)
    window: Duration | None = None
    holdout: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    min_rows: Annotated[int, Field(ge=1)] = 1_000
    seed: int = 7


class MetricGate(_Part):
    """Bounds on one metric of the holdout, the second against the serving champion on the same rows."""

    min: float | None = None
    not_worse_than_champion: Annotated[float, Field(ge=0)] | None = None


class FairnessGate(_Part):
    """The largest gap of the metric that is allowed between any two groups of column `by`."""

    by: Column
    max_gap: Share


class Gates(_Part):
    """What a candidate must pass before it may serve."""

    roc_auc: MetricGate = MetricGate()
    slices: tuple[Column, ...] = ()
    slice_tolerance: Share = 0.05
    min_slice_rows: Annotated[int, Field(ge=1)] = 200
    fairness: FairnessGate | None = None


_TRIGGERS = ("data", "drift", "performance", "quality")


def _known_trigger(value: str) -> str:
    if value not in _TRIGGERS and not value.startswith("cron: "):
        message = f"{value!r} is no trigger: use one of {', '.join(_TRIGGERS)} or 'cron: <minute hour day month weekday>'"
        raise ValueError(message)
    return value


class Retrain(_Part):
    """When to train again. Cooldown and budget count in event time."""

    on: tuple[Annotated[str, BeforeValidator(_known_trigger)], ...] = ("drift", "performance")
    cooldown: Duration = timedelta(days=1)
    budget_per_week: Annotated[int, Field(ge=1)] = 5


class Rollout(_Part):
    """How a version takes over. `steps` are percentages of the traffic."""

    strategy: Literal["replace", "canary", "blue_green", "shadow", "ab"] = "replace"
    steps: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (100,)
    step_length: Duration = timedelta(minutes=10)


class Monitor(_Part):
    """How the model is watched, in windows of event time.

    `false_alarm_rate` bounds the share of windows that may alarm without a change; `drift` is the
    population stability index from which a feature counts as drifted; `consecutive` windows in a
    row must agree before an alarm (hysteresis); `performance_drop` is the loss of ROC AUC against
    the holdout that counts as degraded.
    """

    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    window: Duration = timedelta(days=7)
    min_rows: Annotated[int, Field(ge=10)] = 500
    drift: Annotated[float, Field(gt=0)] = 0.25
    performance_drop: Annotated[float, Field(gt=0, lt=1)] = 0.03
    consecutive: Annotated[int, Field(ge=1)] = 2


def _fault(message: str, *path: str) -> PydanticCustomError:
    """Build a fault that two parts of the spec have together, placed at `path` so that its line can be named."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "path": path})


class ModelSpec(_Part):
    """Everything that Rondo needs to know of a model; a run refers to its `digest`."""

    model: Name
    data: Data
    features: Annotated[dict[Column, Feature], Field(min_length=1)]
    trainer: Trainer = Trainer()
    gates: Gates = Gates()
    retrain: Retrain = Retrain()
    rollout: Rollout = Rollout()
    monitor: Monitor = Monitor()

    @model_validator(mode="after")
    def _columns_play_one_part(self) -> Self:
        label, clashes = self.data.label, {self.data.entity, self.data.event_time}
        if label in self.features:
            message = (
                f"the label {label!r} is also a feature: the model would be told the answer it is asked for; "
                f"take {label!r} out of `features`"
            )
            raise _fault(message, "features", label)
        if label in clashes:
            message = f"the label {label!r} is also the entity or the event time: each needs a column of its own"
            raise _fault(message, "data", "label")
        named = {*self.gates.slices, *([self.gates.fairness.by] if self.gates.fairness else [])}
        if unknown := sorted(named - self.features.keys()):
            message = f"the gates name {', '.join(unknown)}, which the model has no feature for"
            raise _fault(message, "gates")
        return self

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical JSON: the same for the same meaning."""
        return f"sha256:{hashlib.sha256(self.canonical_json().encode()).hexdigest()}"

    def canonical_json(self) -> str:
        """JSON with every default written out. The order of the features is kept: it is the model's signature."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `canonical_json` wrote."""
        return cls.model_validate_json(text)

    def as_dict(self) -> dict[str, Any]:
        """The spec as plain JSON values, for an event or an HTTP body."""
        return self.model_dump(mode="json", by_alias=True)

"""The model spec: what `rondo.yaml` may say, as frozen values.

Reading a file, with errors that name the line, is `rondo.contracts.spec_file`.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from rondo.contracts.duration import Duration, format_duration, parse_duration
from rondo.contracts.spec_data import Column, Data, Feature, Name, Part, Share
from rondo.contracts.spec_policy import FairnessGate, Gates, MetricGate, Monitor, Retrain, Rollout, Trainer

__all__ = [
    "WRITTEN",
    "Column",
    "Data",
    "Duration",
    "FairnessGate",
    "Feature",
    "Gates",
    "MetricGate",
    "ModelSpec",
    "Monitor",
    "Name",
    "Retrain",
    "Rollout",
    "Share",
    "Trainer",
    "format_duration",
    "parse_duration",
]
# In the context of a validation: the spec is being written by somebody, and not read back.
WRITTEN = "written"


def _fault(message: str, *path: str | int) -> PydanticCustomError:
    """Build a fault that two parts of the spec have together, placed at `path` so that its line can be named."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "path": path})


class ModelSpec(Part):
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
        if self.data.entity == self.data.event_time:
            message = f"{self.data.entity!r} is both the entity and the event time: each needs a column of its own"
            raise _fault(message, "data", "event_time")
        return self

    @model_validator(mode="after")
    def _keys_are_no_features(self, info: ValidationInfo) -> Self:
        # Asked of who writes a spec, and not of one that is read back: one that was applied before this rule goes on.
        if not (info.context or {}).get(WRITTEN):
            return self
        for part, column in (("entity", self.data.entity), ("event_time", self.data.event_time)):
            if column in self.features:
                message = (
                    f"{column!r} is the {part.replace('_', ' ')} and also a feature: rows carry it beside the "
                    "features; give the feature a column of its own, or take it out"
                )
                raise _fault(message, "features", column)
        return self

    @model_validator(mode="after")
    def _gates_name_features(self) -> Self:
        named: list[tuple[str, tuple[str | int, ...]]]
        named = [(column, ("gates", "slices", index)) for index, column in enumerate(self.gates.slices)]
        if self.gates.fairness is not None:
            named.append((self.gates.fairness.by, ("gates", "fairness", "by")))
        for column, path in named:
            if column not in self.features:
                message = f"{column!r} is no feature of this model; it has {', '.join(self.features)}"
                raise _fault(message, *path)
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
        """Return the spec as plain JSON values, for an event or an HTTP body."""
        return self.model_dump(mode="json", by_alias=True)

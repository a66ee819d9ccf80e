"""The model spec: the content of `rondo.yaml` as frozen values.

`rondo.contracts.spec.file` parses a file, with errors that name the line.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from rondo.contracts.spec.cross_checks import Problem, contradictions
from rondo.contracts.spec.data import Data, Feature, Share, SpecSection
from rondo.contracts.spec.duration import Duration, format_duration, parse_duration
from rondo.contracts.spec.gates import ErrorCosts, FairnessGate, Gates, MetricGate, Prediction
from rondo.contracts.spec.policy import Monitor, Retrain, Serving, Trainer
from rondo.contracts.spec.preparation.section import Prepare
from rondo.contracts.spec.rollout import Rollout
from rondo.contracts.tasks.registry import DEFAULT, TASKS, task_named
from rondo.contracts.text import Column, Name, Text

if TYPE_CHECKING:
    from rondo.contracts.tasks.base import Labels

__all__ = [
    "Data",
    "Duration",
    "ErrorCosts",
    "FairnessGate",
    "Feature",
    "Gates",
    "MetricGate",
    "ModelSpec",
    "Monitor",
    "Prediction",
    "Prepare",
    "Retrain",
    "Rollout",
    "Serving",
    "Share",
    "Trainer",
    "format_duration",
    "parse_duration",
]


class ModelSpec(SpecSection):
    """The specification of a model. A run refers to its `digest`."""

    model: Name
    """The name of the model, as requests and commands give it. A file defines one model."""
    task: Annotated[
        Text,
        Field(
            description="What the model predicts: "
            + ", ".join(f"`{name}` {task.description}" for name, task in TASKS.items())
            + ".",
            examples=list(TASKS),
        ),
    ] = DEFAULT
    data: Data
    """The dataset and the meaning of its columns."""
    features: Annotated[dict[Column, Feature], Field(min_length=1)]
    """The columns from which the model predicts, by name. Their order is kept, because it is the model's signature."""
    prepare: Prepare = Prepare()
    """The conversion of features to the numbers that an estimator gets."""
    trainer: Trainer = Trainer()
    """The training of a candidate for the next version."""
    prediction: Prediction = Prediction()
    """The threshold or the interval of answers."""
    gates: Gates = Gates()
    """The conditions that a candidate must meet before it may serve."""
    retrain: Retrain = Retrain()
    """The conditions of further trainings."""
    rollout: Rollout = Rollout()
    """The way in which a new version replaces the champion."""
    serving: Serving = Serving()
    """The treatment of requests."""
    monitor: Monitor = Monitor()
    """The monitoring of the model."""

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if problems := [_error(each) for each in contradictions(self.model_dump(by_alias=True))]:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self

    @property
    def labels(self) -> Labels:
        """The values of the label."""
        return task_named(self.task).labels(self.data.positive, self.data.negative)

    @property
    def refits(self) -> bool:
        """True if the model that serves is fitted to the holdout, too."""
        wanted = self.retrain.is_automatic if self.trainer.refit is None else self.trainer.refit
        return wanted and self.trainer.ensemble == 1

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical JSON. Specs with the same meaning have the same digest."""
        return f"sha256:{hashlib.sha256(self.canonical_json().encode()).hexdigest()}"

    def canonical_json(self) -> str:
        """The spec as JSON with every default written out.

        The order of the features is kept: it is the model's signature.
        """
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the JSON of `canonical_json`."""
        return cls.model_validate_json(text)

    def as_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, for an event or an HTTP body."""
        return self.model_dump(mode="json", by_alias=True)


def _error(problem: Problem) -> InitErrorDetails:
    """Return a problem with its path as pydantic reports it."""
    what = PydanticCustomError("contradiction", "{message}", {"message": problem.message})
    return InitErrorDetails(type=what, loc=problem.path, input=None)

"""Requests, answers and outcomes of the data plane, one JSON object per Kafka message.

Serving and ingestion parse and write these messages without the classes, for speed. The classes are the contract. Tests
compare both services with it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, FiniteFloat

from rondo.contracts.events.base import ModelEvent
from rondo.contracts.text import Digest, Id, Message, Text, checked
from rondo.contracts.times import Utc

# 1 MiB, Kafka's default for a message. The broker refuses a longer request, and the application gets the error.
MAX_REQUEST_BYTES = 1024 * 1024


def _checked(value: Any) -> Any:
    return checked(value) if isinstance(value, str) else value


# A text, number, bool or null. Numbers may be NumPy's. Serving checks them against the features of the model.
FeatureValue = Annotated[Any, AfterValidator(_checked)]


class PredictionRequested(ModelEvent):
    """An application asks for a prediction. `entity` is its subject, and `event_time` the time that it is for."""

    topic: ClassVar[str] = "predictions.requested"

    id: Id
    entity: Id | None = None
    event_time: Utc | None = None
    features: dict[Text, FeatureValue]


class PredictionMade(ModelEvent):
    """A request was answered by one version. `output` has the outputs of the model's task.

    `binary`: `score` is the probability of the positive label, and `label` is the positive one if the score is at least
    the model's threshold. `multiclass`: `label`, its probability `score`, and `probabilities` by class. `regression`:
    `value`, and `low` and `high` if the spec asks for an interval. A label is a text or a whole number. `warnings` name
    the fields of an answered request that the model does not have.
    """

    topic: ClassVar[str] = "predictions.made"

    id: Id
    model_version: int
    digest: Digest
    output: dict[Text, FiniteFloat | int | Text | dict[Text, FiniteFloat]]
    made_at: Utc
    warnings: tuple[Message, ...] = ()


class OutcomeObserved(ModelEvent):
    """The outcome of a prediction, named by the prediction's `id` or `entity`.

    `outcome` is a label of the model's task. `binary`: 0 or 1, true or false, or one of the texts `positive` and
    `negative` of the spec. `multiclass`: a text or a whole number. `regression`: a finite number.
    """

    topic: ClassVar[str] = "outcomes.observed"

    id: Id | None = None
    entity: Id | None = None
    outcome: bool | FiniteFloat | Text
    event_time: Utc

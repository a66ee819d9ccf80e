"""The data plane's values: requests, answers and outcomes, one JSON object per Kafka message.

Serving and ingestion parse and write them without these classes, for speed. These are the contract. Tests compare both
with it.
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
    """An application asks for a prediction. `entity` is what it is about, `event_time` when it is asked for."""

    topic: ClassVar[str] = "predictions.requested"

    id: Id
    entity: Id | None = None
    event_time: Utc | None = None
    features: dict[Text, FeatureValue]


class PredictionMade(ModelEvent):
    """A request was answered by one version. `output` holds what the task of the model answers.

    `binary`: `score`, the probability of the positive label, and `label`, the positive one from the model's threshold
    on. `multiclass`: `label`, `score`, its probability, and `probabilities` by class. `regression`: `value`, and `low`
    and `high` where the spec asks for an interval. A label is a text, or a whole number. `warnings` are about
    what the request has and the model has not, where it is answered all the same.
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

    `outcome` is a label of the model's task: 0 or 1, true or false, or one of the texts `positive` and `negative`; for
    `multiclass` a text or a whole number; for `regression` a finite number.
    """

    topic: ClassVar[str] = "outcomes.observed"

    id: Id | None = None
    entity: Id | None = None
    outcome: bool | FiniteFloat | Text
    event_time: Utc

"""The table of topics. The services create the topics from it, and the documents are generated from it.

A topic has one writing service. `applications` and `data-teams` are outside the five services.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events import (
    access,
    data,
    datasets,
    deployment,
    logs,
    models,
    monitoring,
    predictions,
    scores,
    scoring,
    training,
)

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

Cleanup = Literal["delete", "compact"]
SERVICES = ("ingestion", "trainer", "registry", "serving", "monitor")
BATCHES_SUBMITTED = "batches.submitted"
PREDICTIONS_FAILED = "predictions.failed"
# The control plane has a low rate, with a model or dataset as key. Replicas share the data plane by partition.
CONTROL_PARTITIONS, DATA_PARTITIONS = 3, 6
# The limit of the bytes that the headers of a dead letter add to the original message.
HEADER_ROOM = 64 * 1024
# The headers of every dead letter (KIP-1191). The message itself keeps its bytes.
DEAD_LETTER_HEADERS = {
    "__dlq.errors.topic": "the topic that the message came from",
    "__dlq.errors.partition": "its partition there",
    "__dlq.errors.offset": "its offset there",
    "__dlq.errors.group": "the consumer group that could not handle it",
    "__dlq.errors.delivery.count": "how often it was tried",
    "__dlq.errors.exception": "the class of the error",
    "__dlq.errors.message": "what is wrong with it, in a sentence; no stack trace, no secrets",
    "__dlq.errors.first.failed": "when it failed for the first time, ISO 8601, UTC",
}
DROPPED_HEADER = "__dlq.errors.dropped"
DROPPED = {DROPPED_HEADER: "only if something of the original was too large: what was left out, and where it lies"}


@dataclass(frozen=True)
class Topic:
    """One row of the table. `event` is the class of the JSON values, and None if the values are bytes or Arrow."""

    name: str
    writer: str
    readers: tuple[str, ...]
    description: str
    event: type[Event] | None = None
    key: str = "model"
    partitions: int = CONTROL_PARTITIONS
    cleanup: Cleanup = "delete"
    retention: timedelta = timedelta(days=30)
    max_message_bytes: int = predictions.MAX_REQUEST_BYTES


def _control(event: type[Event], writer: str, *readers: str, key: str = "model", cleanup: Cleanup = "delete") -> Topic:
    description = (event.__doc__ or "").splitlines()[0]
    return Topic(event.topic, writer, readers, description, event, key=key, cleanup=cleanup)


def dead_letters(service: str) -> str:
    """Return the name of a service's dead-letter topic."""
    return f"{service}.dead-letters"


def _dead_letters(service: str) -> Topic:
    description = f"Events that {service} could not handle: the original bytes, untouched, and why in the headers."
    # The headers make a dead letter larger than its original. With the limit of the original's topic, the broker would
    # refuse the largest messages, and they would block their partition.
    largest = max(topic.max_message_bytes for topic in (*CONTROL_PLANE, *DATA_PLANE) if service in topic.readers)
    return Topic(
        dead_letters(service),
        service,
        ("operators",),
        description,
        key="original",
        max_message_bytes=largest + HEADER_ROOM,
    )


DATA_PLANE = (
    Topic(
        BATCHES_SUBMITTED, "data-teams", ("ingestion",),
        "A batch as a file: the bytes, with the headers dataset, batch_id and content-type.",
        key="dataset", partitions=CONTROL_PARTITIONS, max_message_bytes=8 * 1024 * 1024,
    ),
    Topic(
        predictions.PredictionRequested.topic, "applications", ("serving",),
        "An application asks for a prediction.", predictions.PredictionRequested,
        key="entity or id", partitions=DATA_PARTITIONS, retention=timedelta(days=7),
    ),
    Topic(
        predictions.PredictionMade.topic, "serving", ("applications",),
        "A request was answered by one version.", predictions.PredictionMade,
        key="as requested", partitions=DATA_PARTITIONS, retention=timedelta(days=7),
    ),
    Topic(
        PREDICTIONS_FAILED, "serving", ("applications", "operators"),
        "A request that can't be answered: the original bytes, untouched, and why in the headers.",
        key="as requested", partitions=DATA_PARTITIONS,
        max_message_bytes=predictions.MAX_REQUEST_BYTES + HEADER_ROOM,
    ),
    Topic(
        logs.PREDICTIONS_LOG, "serving", ("ingestion", "monitor"),
        "The inference log: Arrow IPC, one message per micro-batch and version.",
        partitions=DATA_PARTITIONS, retention=timedelta(days=7), max_message_bytes=8 * 1024 * 1024,
    ),
    Topic(
        predictions.OutcomeObserved.topic, "applications", ("ingestion",),
        "The outcome of a prediction.", predictions.OutcomeObserved,
        key="entity or id", partitions=DATA_PARTITIONS, retention=timedelta(days=7),
    ),
    Topic(
        logs.OUTCOMES_LOG, "ingestion", ("ingestion", "monitor"),
        "The valid outcomes: Arrow IPC, one message per micro-batch and model.",
        partitions=DATA_PARTITIONS, retention=timedelta(days=7), max_message_bytes=8 * 1024 * 1024,
    ),
    Topic(
        scores.SCORES_REQUESTED, "ingestion", ("serving",),
        "Rows for a version to score: Arrow IPC, one record batch per message, with the version in its metadata.",
        key="job/part", partitions=DATA_PARTITIONS, retention=timedelta(days=7),
        max_message_bytes=scores.MAX_MESSAGE_BYTES,
    ),
    Topic(
        scores.SCORES_MADE, "serving", ("ingestion",),
        "The scores of a message of scores.requested: Arrow IPC, one record batch per message.",
        key="job/part", partitions=DATA_PARTITIONS, retention=timedelta(days=7),
        max_message_bytes=scores.MAX_MESSAGE_BYTES,
    ),
)  # fmt: skip

CONTROL_PLANE = (
    _control(models.SpecApplied, "registry", "ingestion", "trainer", "monitor", "client", cleanup="compact"),
    _control(datasets.DatasetApplied, "registry", "ingestion", "client", key="dataset", cleanup="compact"),
    _control(datasets.DatasetRemoved, "registry", "ingestion", "client", key="dataset", cleanup="compact"),
    _control(data.BatchAccepted, "ingestion", "trainer", "client", key="dataset"),
    _control(data.BatchRejected, "ingestion", "client", key="dataset"),
    _control(data.OutcomesAccepted, "ingestion", "client"),
    _control(data.SkewMeasured, "ingestion", "monitor", "client"),
    _control(training.TrainingRequested, "registry", "trainer"),
    _control(monitoring.DriftDetected, "monitor", "trainer", "client"),
    _control(monitoring.PerformanceDegraded, "monitor", "trainer", "client"),
    _control(monitoring.PerformanceSuspected, "monitor", "trainer", "client"),
    _control(monitoring.DataQualityDegraded, "monitor", "trainer", "client"),
    _control(monitoring.WindowClosed, "monitor", "trainer", "client"),
    _control(training.TrainingStarted, "trainer", "registry", "client"),
    _control(training.TrainingProgressed, "trainer", "registry", "client"),
    _control(training.ModelTrained, "trainer", "registry", "monitor", "client"),
    _control(training.TrainingFailed, "trainer", "registry", "client"),
    _control(training.TrainingSkipped, "trainer", "registry", "client"),
    _control(models.ModelRemoved, "registry", "ingestion", "trainer", "monitor", "client", cleanup="compact"),
    _control(models.ModelRegistered, "registry", "client"),
    _control(models.ModelRejected, "registry", "client"),
    _control(models.ModelPromoted, "registry", "client"),
    _control(models.ModelRolledBack, "registry", "trainer", "client"),
    _control(models.ModelRetired, "registry", "client"),
    _control(deployment.DeploymentChanged, "registry", "serving", "monitor", "trainer", "client", cleanup="compact"),
    _control(deployment.ReplicaChanged, "serving", "registry", "client"),
    _control(deployment.RolloutChanged, "registry", "monitor", "client"),
    _control(monitoring.RolloutEvidence, "monitor", "registry", "client"),
    _control(monitoring.LabelsWanted, "monitor", "client"),
    _control(scoring.ScoringRequested, "registry", "ingestion", "client"),
    _control(scoring.ScoringEnded, "ingestion", "client"),
    _control(monitoring.AlertRaised, "monitor", "client"),
    _control(monitoring.AlertResolved, "monitor", "client"),
    _control(access.TokenChanged, "registry", *SERVICES, key="token_id", cleanup="compact"),
)

DEAD_LETTERS = tuple(_dead_letters(service) for service in SERVICES)
TOPICS: tuple[Topic, ...] = (*CONTROL_PLANE, *DATA_PLANE, *DEAD_LETTERS)
ARROW_TOPICS = (logs.PREDICTIONS_LOG, logs.OUTCOMES_LOG, scores.SCORES_REQUESTED, scores.SCORES_MADE)
DEAD_LETTER_TOPICS = (PREDICTIONS_FAILED, *(topic.name for topic in DEAD_LETTERS))
BY_NAME = {topic.name: topic for topic in TOPICS}
EVENTS: tuple[type[Event], ...] = tuple(topic.event for topic in TOPICS if topic.event is not None)
CONTROL_EVENTS: tuple[type[Event], ...] = tuple(topic.event for topic in CONTROL_PLANE if topic.event is not None)

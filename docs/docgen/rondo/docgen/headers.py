"""The Kafka headers of each topic as JSON Schema, for the documents."""

from __future__ import annotations

from typing import Any

from rondo.contracts.events.cloudevents import CONTENT_TYPE
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.topics import (
    BATCHES_SUBMITTED,
    CONTROL_EVENTS,
    DEAD_LETTER_HEADERS,
    DEAD_LETTER_TOPICS,
    DROPPED,
    Topic,
)

CLOUDEVENT_HEADERS = {
    "ce_specversion": "always 1.0",
    "ce_id": "the event's id: the same id is the same event, however often it is delivered",
    "ce_source": "the service that wrote it",
    "ce_type": "the event's class and version, such as rondo.ModelPromoted.v1",
    "ce_subject": "the same as the Kafka key",
    "ce_time": "when it became true, RFC 3339, UTC",
    "content-type": f"always {CONTENT_TYPE}",
}
TRACE_HEADER = {"traceparent": "W3C Trace Context; there only while tracing is on"}
_BATCH_HEADERS = {
    "dataset": "the dataset that the batch is for",
    "batch_id": "the batch's own id: the same id twice is a no-op",
    "content-type": "the format of the file: Parquet, CSV, JSON Lines or Arrow",
}


def schema_of(topic: Topic) -> dict[str, Any]:
    """Return the schema of a topic's headers. Streams of micro-batches have none."""
    required = _required(topic)
    optional = (TRACE_HEADER if _traced(topic) else {}) | (DROPPED if topic.name in DEAD_LETTER_TOPICS else {})
    properties: dict[str, Any] = {
        name: {"type": "string", "description": text} for name, text in (required | optional).items()
    }
    if topic.event in CONTROL_EVENTS and topic.event is not None:
        properties["ce_specversion"]["const"] = "1.0"
        properties["ce_type"]["const"] = topic.event.event_type()
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def _traced(topic: Topic) -> bool:
    """Return whether the topic's messages have trace headers. Events and messages of applications have them."""
    begun_outside = (BATCHES_SUBMITTED, PredictionRequested.topic)
    return topic.event in CONTROL_EVENTS or topic.name in DEAD_LETTER_TOPICS or topic.name in begun_outside


def _required(topic: Topic) -> dict[str, str]:
    if topic.event in CONTROL_EVENTS:
        return CLOUDEVENT_HEADERS
    if topic.name in DEAD_LETTER_TOPICS:
        return DEAD_LETTER_HEADERS
    return _BATCH_HEADERS if topic.name == BATCHES_SUBMITTED else {}

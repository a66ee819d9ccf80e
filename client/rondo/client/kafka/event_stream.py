"""Subscriptions to events. Converts names of topics and events to topics, and Kafka messages to envelopes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from rondo.client.errors import UnknownTopicError
from rondo.client.kafka.connection import retry_while_unavailable, translated
from rondo.client.kafka.consumer import consumer_of
from rondo.contracts.events import cloudevents
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.cloudevents import Envelope, MalformedEventError
from rondo.contracts.topics import BY_NAME, CONTROL_EVENTS, EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from aiokafka import AIOKafkaConsumer

    from rondo.contracts.events.base import Event
    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
Since = Literal["now", "beginning"] | datetime
_BY_TOPIC: dict[str, type[Event]] = {event.topic: event for event in EVENTS}
_BY_CLASS = {event.__name__: event.topic for event in EVENTS}


def topics_of(names: Sequence[str]) -> list[str]:
    """Return the topics of `names`, which are topics or events.

    Without names, return all topics of the control plane except the topic of access tokens.

    Raises:
        UnknownTopicError: a name is neither a topic with events nor an event.

    """
    if not names:
        return [event.topic for event in CONTROL_EVENTS if event is not TokenChanged]
    return list(dict.fromkeys(_topic_of(name) for name in names))


def _topic_of(name: str) -> str:
    topic = _BY_CLASS.get(name, name)
    if topic in _BY_TOPIC:
        return topic
    if topic in BY_NAME:
        raise UnknownTopicError(name, "that topic holds bytes, not events; see docs/events/topics.md")
    close = get_close_matches(name, [*_BY_TOPIC, *_BY_CLASS], n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(sorted(_BY_TOPIC))}"
    raise UnknownTopicError(name, hint)


async def watch(kafka: KafkaConnection, topics: Sequence[str], since: Since) -> AsyncGenerator[Envelope[Any], None]:
    """Yield events until closed. A malformed message is logged and skipped.

    After the start, the generator waits while Kafka is unavailable.

    Raises:
        UnreachableError: Kafka does not answer at the start.
        NotFoundError: a topic does not exist.

    """
    offset_reset = "earliest" if since == "beginning" else "latest"
    async with consumer_of(kafka, topics, auto_offset_reset=offset_reset) as consumer:
        if isinstance(since, datetime):
            await _seek(consumer, kafka, since)
        while True:
            with translated(kafka):
                fetched = await retry_while_unavailable(lambda: consumer.getmany(timeout_ms=1000))
            messages = [message for of_partition in fetched.values() for message in of_partition]
            for message in sorted(messages, key=lambda message: message.timestamp):
                if (envelope := _decode(message)) is not None:
                    yield envelope


async def _seek(consumer: AIOKafkaConsumer, kafka: KafkaConnection, since: datetime) -> None:
    milliseconds = int(since.timestamp() * 1000)
    with translated(kafka):
        found = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), milliseconds))
        for partition, place in found.items():
            if place is None:
                await consumer.seek_to_end(partition)
            else:
                consumer.seek(partition, place.offset)


def _decode(message: Any) -> Envelope[Any] | None:
    event = _BY_TOPIC[message.topic]
    place = f"{message.topic}/{message.partition}/{message.offset}"
    try:
        if event in CONTROL_EVENTS:
            headers = {name: (value or b"").decode() for name, value in message.headers}
            return cloudevents.read(event, headers, message.value)
        # Messages of the data plane have no CloudEvents headers: topic, partition and offset identify them.
        time = datetime.fromtimestamp(message.timestamp / 1000, UTC)
        return Envelope(place, BY_NAME[message.topic].writer, time, event.model_validate_json(message.value or b""))
    except (MalformedEventError, ValidationError, UnicodeDecodeError) as error:
        log.warning("skipped the message at %s: %s", place, error)
        return None

"""Subscribing to events: names to topics, and messages to envelopes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from rondo.client.errors import UnknownTopicError
from rondo.client.kafka.connection import reading, translated
from rondo.contracts.events import cloudevents
from rondo.contracts.events.cloudevents import Envelope, MalformedEventError
from rondo.contracts.topics import BY_NAME, CONTROL_EVENTS, CONTROL_PLANE, EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from aiokafka import AIOKafkaConsumer

    from rondo.contracts.events.base import Event

log = logging.getLogger(__name__)
Since = Literal["now", "beginning"] | datetime
_BY_TOPIC: dict[str, type[Event]] = {event.topic: event for event in EVENTS}
_BY_CLASS = {event.__name__: event.topic for event in EVENTS}


def topics_of(names: Sequence[str]) -> list[str]:
    """Return the topics of names, each a topic's or an event's; of none the whole control plane.

    Raises:
        UnknownTopicError: a name is neither.

    """
    if not names:
        return [topic.name for topic in CONTROL_PLANE if "client" in topic.readers]
    return list(dict.fromkeys(_topic_of(name) for name in names))


def _topic_of(name: str) -> str:
    topic = _BY_CLASS.get(name, name)
    if topic in _BY_TOPIC:
        return topic
    if topic in BY_NAME:
        raise UnknownTopicError(name, "that topic carries bytes, not events; docs/events/topics.md says which")
    close = get_close_matches(name, [*_BY_TOPIC, *_BY_CLASS], n=1)
    raise UnknownTopicError(name, f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(_BY_TOPIC))}")


async def watch(bootstrap: str, topics: Sequence[str], since: Since) -> AsyncGenerator[Envelope[Any], None]:
    """Yield events as they come, until closed; what is no event is logged and passed over."""
    offset_reset = "earliest" if since == "beginning" else "latest"
    async with reading(bootstrap, topics, auto_offset_reset=offset_reset) as consumer:
        if isinstance(since, datetime):
            await _seek(consumer, bootstrap, since)
        while True:
            with translated(bootstrap):
                fetched = await consumer.getmany(timeout_ms=1000)
            messages = [message for of_one in fetched.values() for message in of_one]
            for message in sorted(messages, key=lambda message: message.timestamp):
                if (envelope := _read(message)) is not None:
                    yield envelope


async def _seek(consumer: AIOKafkaConsumer, bootstrap: str, since: datetime) -> None:
    milliseconds = int(since.timestamp() * 1000)
    with translated(bootstrap):
        found = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), milliseconds))
        for partition, place in found.items():
            if place is None:
                await consumer.seek_to_end(partition)
            else:
                consumer.seek(partition, place.offset)


def _read(message: Any) -> Envelope[Any] | None:
    event = _BY_TOPIC[message.topic]
    place = f"{message.topic}/{message.partition}/{message.offset}"
    try:
        if event in CONTROL_EVENTS:
            headers = {name: (value or b"").decode() for name, value in message.headers}
            return cloudevents.read(event, headers, message.value)
        # The data plane has no CloudEvents headers: its place in the topic names a message.
        time = datetime.fromtimestamp(message.timestamp / 1000, UTC)
        return Envelope(place, BY_NAME[message.topic].writer, time, event.model_validate_json(message.value or b""))
    except (MalformedEventError, ValidationError, UnicodeDecodeError) as error:
        log.warning("the message at %s is passed over: %s", place, error)
        return None

"""Reads the events of the control plane, in order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException

from rondo.contracts.events import cloudevents
from rondo.contracts.topics import CONTROL_EVENTS
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.history import History
from rondo.flights.observers.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.kafka_connection import KafkaConnection

_CONNECT_SECONDS = 10.0
_CLASSES: dict[str, type[Event]] = {event.topic: event for event in CONTROL_EVENTS}


class EventListener:
    """Reads the control plane from its beginning into a history, in its own thread.

    `timeout` (seconds) limits the first request to Kafka.
    """

    def __init__(self, kafka: KafkaConnection, timeout: float = _CONNECT_SECONDS) -> None:
        self._timeout = timeout
        self.history = History()
        self._changed = threading.Condition()
        self._ended = False
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                **kafka.confluent(),
                "client.id": "timeline",
                "group.id": "timeline",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Read until stopped.

        Raises:
            UnreadableError: Kafka does not answer.

        """
        try:
            self._read_events()
        except KafkaException as error:
            raise UnreadableError(str(error)) from error
        finally:
            self._consumer.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read_events(self) -> None:
        self._consumer.assign(partitions(self._consumer, tuple(_CLASSES), self._timeout))
        while not self._stop.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is None:
                    self._add(_decode(message))

    def stop(self) -> None:
        self._stop.set()

    def wait_for(self, enough: Callable[[History], bool], timeout: float) -> bool:
        """Wait until the history satisfies `enough`. False if reading ends or `timeout` seconds pass before."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or enough(self.history), timeout)
            return enough(self.history)

    def _add(self, envelope: Envelope[Any]) -> None:
        with self._changed:
            self.history.envelopes.append(envelope)
            self._changed.notify_all()


def _decode(message: Message) -> Envelope[Any]:
    pairs: Any = message.headers() or ()
    headers = {name: value.decode() for name, value in pairs}
    return cloudevents.read(_CLASSES[message.topic() or ""], headers, message.value())

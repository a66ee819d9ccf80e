"""Hears what the services say, in order: the events of the control plane."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException

from rondo.contracts.events import cloudevents
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import CONTROL_EVENTS
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.history import History
from rondo.flights.observers.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope

_PATIENCE_SECONDS = 10.0
_CLASSES: dict[str, type[Event]] = {event.topic: event for event in CONTROL_EVENTS}


class Listener:
    """Reads the control plane on a thread of its own, from its beginning, into a history.

    Kafka has `patience` seconds for its first answer.
    """

    def __init__(self, bootstrap: str, patience: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience
        self.history = History()
        self._heard = threading.Condition()
        self._over = False
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                **KafkaConnection(bootstrap).confluent(),
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
        """Listen until stopped.

        Raises:
            UnreadableError: Kafka does not answer.

        """
        try:
            self._listen()
        except KafkaException as error:
            raise UnreadableError(str(error)) from error
        finally:
            self._consumer.close()
            with self._heard:
                self._over = True
                self._heard.notify_all()

    def _listen(self) -> None:
        self._consumer.assign(partitions(self._consumer, tuple(_CLASSES), self._patience))
        while not self._stop.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is None:
                    self._hear(_read(message))

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def wait_for(self, enough: Callable[[History], bool], timeout: float) -> bool:
        """Wait (seconds) until the history satisfies `enough`; False when the time, or the listening, is over first."""
        with self._heard:
            self._heard.wait_for(lambda: self._over or enough(self.history), timeout)
            return enough(self.history)

    def _hear(self, envelope: Envelope[Any]) -> None:
        with self._heard:
            self.history.envelopes.append(envelope)
            self._heard.notify_all()


def _read(message: Message) -> Envelope[Any]:
    pairs: Any = message.headers() or ()
    headers = {name: value.decode() for name, value in pairs}
    return cloudevents.read(_CLASSES[message.topic() or ""], headers, message.value())

"""Sends the replay to Kafka on time, from a thread of its own, with every message acknowledged or accounted for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer

from rondo.contracts.events.predictions import OutcomeObserved, PredictionRequested
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.flights.errors import NotDeliveredError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from confluent_kafka import KafkaError, Message

    from rondo.flights.dataset.messages import Due, Pace

_PATIENCE_SECONDS = 60.0
# What librdkafka may need beyond a message's own timeout to say that it is over.
_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.5


@dataclass
class Progress:
    """How far the replay is: messages handed over, the event clock, and how late (seconds) it runs."""

    requests: int = 0
    outcomes: int = 0
    event_time: datetime | None = None
    behind: float = 0.0
    failures: list[str] = field(default_factory=list)


class Sender:
    """Sends tick after tick when it falls due. `progress` may be read from anywhere.

    A message that Kafka has not acknowledged within `patience` seconds has failed.
    """

    def __init__(self, bootstrap: str, ticks: Iterable[Due], pace: Pace, patience: float = _PATIENCE_SECONDS) -> None:
        self.progress = Progress()
        self._ticks = ticks
        self._pace = pace
        self._patience = patience
        self._stop = threading.Event()
        self._producer = Producer(
            {
                **KafkaConnection(bootstrap).confluent(),
                "client.id": "flights",
                # Retries must not make a second request of one.
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": int(patience * 1000),
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Send everything; returns when Kafka has acknowledged the last message, or soon after `stop`.

        Raises:
            NotDeliveredError: some message was refused or timed out.

        """
        try:
            for due in self._ticks:
                wait = self._pace.due_at(due.until) - time.monotonic()
                self.progress.behind = max(0.0, -wait)
                if self._stop.wait(max(0.0, wait)):
                    self._producer.purge()
                    return
                self._send_tick(due)
        except KafkaException as error:
            raise NotDeliveredError(len(self._producer), str(error)) from error
        self._await_acknowledgements()

    def stop(self) -> None:
        """End the replay at the next tick, and wait for nothing more; what is not yet on its way is thrown away."""
        self._stop.set()

    def _send_tick(self, due: Due) -> None:
        self._send(PredictionRequested.topic, due.requests)
        self._send(OutcomeObserved.topic, due.outcomes)
        self.progress.requests += len(due.requests)
        self.progress.outcomes += len(due.outcomes)
        self.progress.event_time = due.until
        self._producer.poll(0)

    def _send(self, topic: str, messages: list[tuple[bytes, bytes]]) -> None:
        for key, value in messages:
            while not self._stop.is_set():
                try:
                    self._producer.produce(topic, value, key, on_delivery=self._delivered)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break

    def _await_acknowledgements(self) -> None:
        deadline = time.monotonic() + self._patience + _GRACE_SECONDS
        while (left := self._producer.flush(_LOOK_SECONDS)) and time.monotonic() < deadline:
            if self._stop.is_set():
                return
        failures = self.progress.failures
        if left or failures:
            why = failures[0] if failures else f"no acknowledgement within {self._patience:g} s"
            raise NotDeliveredError(left + len(failures), why)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.progress.failures.append(error.str())

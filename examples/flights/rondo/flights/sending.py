"""Sends the replay to Kafka on time, from a thread of its own, with every message acknowledged or accounted for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from rondo.contracts.predictions import OutcomeObserved, PredictionRequested

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from confluent_kafka import KafkaError, Message

    from rondo.flights.replay import Due, Pace


class NotDeliveredError(RuntimeError):
    """Kafka did not take a message."""

    def __init__(self, count: int, why: str) -> None:
        super().__init__(
            f"{count} messages could not be delivered to Kafka: {why}; see kafka.log under the stack's folder"
        )


@dataclass
class Progress:
    """How far the replay is: messages handed over, the event clock, and how late (seconds) it runs."""

    requests: int = 0
    outcomes: int = 0
    event_time: datetime | None = None
    behind: float = 0.0
    failures: list[str] = field(default_factory=list)


class Sender:
    """Sends tick after tick when it falls due. `progress` may be read from anywhere."""

    def __init__(self, bootstrap: str, ticks: Iterable[Due], pace: Pace) -> None:
        self.progress = Progress()
        self._ticks = ticks
        self._pace = pace
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "flights",
                # Retries must not make a second request of one.
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Send everything; returns when Kafka has acknowledged the last message.

        Raises:
            NotDeliveredError: some message was refused or timed out.

        """
        for due in self._ticks:
            wait = self._pace.due_at(due.until) - time.monotonic()
            self.progress.behind = max(0.0, -wait)
            if self._stop.wait(max(0.0, wait)):
                break
            self._send(PredictionRequested.topic, due.requests)
            self._send(OutcomeObserved.topic, due.outcomes)
            self.progress.requests += len(due.requests)
            self.progress.outcomes += len(due.outcomes)
            self.progress.event_time = due.until
            self._producer.poll(0)
        self._producer.flush(60)
        if self.progress.failures:
            raise NotDeliveredError(len(self.progress.failures), self.progress.failures[0])

    def stop(self) -> None:
        """End the replay at the next tick."""
        self._stop.set()

    def _send(self, topic: str, messages: list[tuple[bytes, bytes]]) -> None:
        for key, value in messages:
            while True:
                try:
                    self._producer.produce(topic, value, key, on_delivery=self._delivered)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.progress.failures.append(error.str())

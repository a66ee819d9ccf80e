"""Sends the replay to Kafka on time, in its own thread, and counts messages that are not acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer

from rondo.contracts.events.predictions import OutcomeObserved, PredictionRequested
from rondo.flights.errors import NotDeliveredError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from confluent_kafka import KafkaError, Message

    from rondo.contracts.kafka_connection import KafkaConnection
    from rondo.flights.replay.schedule import EventClock, Tick

_MESSAGE_SECONDS = 60.0
# The time that librdkafka may need to report a message's timeout.
_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.5
_STEP_SECONDS = 0.1
# A replay with a longer delay does not catch up. Otherwise the low speed during a training would have no effect.
_MOST_BEHIND_SECONDS = 0.5


@dataclass
class Progress:
    """The number of messages given to the producer, the event time, and the delay in seconds (`behind`)."""

    requests: int = 0
    outcomes: int = 0
    event_time: datetime | None = None
    behind: float = 0.0
    failures: list[str] = field(default_factory=list)


class Sender:
    """Sends each tick when it is due. `progress` may be read from any thread.

    A message fails if Kafka does not acknowledge it within `timeout` seconds.
    """

    def __init__(
        self, kafka: KafkaConnection, ticks: Iterable[Tick], clock: EventClock, timeout: float = _MESSAGE_SECONDS
    ) -> None:
        self.progress = Progress()
        self._ticks = ticks
        self._clock = clock
        self._timeout = timeout
        self._stop = threading.Event()
        self._producer = Producer(
            {
                **kafka.confluent(),
                "client.id": "flights",
                # A retry must not duplicate a request.
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": int(timeout * 1000),
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Send all messages. Return when Kafka has acknowledged the last message, or soon after `stop`.

        Raises:
            NotDeliveredError: a message was refused or timed out.

        """
        try:
            for tick in self._ticks:
                if not self._wait_until_due(tick):
                    self._producer.purge()
                    return
                self._send_tick(tick)
        except KafkaException as error:
            raise NotDeliveredError(len(self._producer), str(error)) from error
        self._await_acknowledgements()

    def stop(self) -> None:
        """End at the next tick without waiting for acknowledgements. Unsent messages are discarded."""
        self._stop.set()

    def _wait_until_due(self, tick: Tick) -> bool:
        """Wait until the clock shows the tick's time. Return false if the sender is stopped before."""
        wait = self._clock.seconds_until(tick.until)
        self.progress.behind = max(0.0, -wait)
        if wait < -_MOST_BEHIND_SECONDS:
            self._clock.set_time(tick.until)
        # In short steps, because the clock's speed may change during the wait.
        while wait > 0:
            if self._stop.wait(min(wait, _STEP_SECONDS)):
                return False
            wait = self._clock.seconds_until(tick.until)
        return not self._stop.is_set()

    def _send_tick(self, tick: Tick) -> None:
        self._send(PredictionRequested.topic, tick.requests)
        self._send(OutcomeObserved.topic, tick.outcomes)
        self.progress.requests += len(tick.requests)
        self.progress.outcomes += len(tick.outcomes)
        self.progress.event_time = tick.until
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
        deadline = time.monotonic() + self._timeout + _GRACE_SECONDS
        while (left := self._producer.flush(_POLL_SECONDS)) and time.monotonic() < deadline:
            if self._stop.is_set():
                return
        failures = self.progress.failures
        if left or failures:
            why = failures[0] if failures else f"no acknowledgement within {self._timeout:g} s"
            raise NotDeliveredError(left + len(failures), why)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.progress.failures.append(error.str())

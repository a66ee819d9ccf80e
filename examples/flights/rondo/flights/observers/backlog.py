"""The consumer lag of serving, from Kafka: the ends of the topics minus the committed offsets of its group."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from rondo.contracts.events.predictions import PredictionMade, PredictionRequested
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.kafka_connection import KafkaConnection

# The consumer group of serving.
GROUP = "serving"
_REQUEST_SECONDS = 5.0
_PAUSE_SECONDS = 0.25


class Backlog:
    """Counts the requests that serving's group has not committed. `requests` is the latest count.

    `timeout` (seconds) limits each request to Kafka.
    """

    def __init__(self, kafka: KafkaConnection, timeout: float = _REQUEST_SECONDS) -> None:
        self.requests = 0
        self._timeout = timeout
        self._stop = threading.Event()
        self._admin = AdminClient({**kafka.confluent(), "client.id": "backlog", "log_level": 0})
        # Without a subscription this consumer never joins the group. An AdminClient could list the offsets, too, but
        # librdkafka 2.16 crashes on the answer of a broker that is not yet the group's coordinator.
        self._group = Consumer(
            {
                **kafka.confluent(),
                "client.id": "backlog",
                "group.id": GROUP,
                "enable.auto.commit": False,
                # The request does not wait for offsets in running transactions.
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Count periodically until stopped. If Kafka does not answer, the latest count is kept."""
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                self.requests = self._uncommitted()
            except KafkaException:
                continue

    def stop(self) -> None:
        """Stop, also during a wait."""
        self._stop.set()

    def wait_until_done(self, timeout: float) -> int:
        """Wait up to `timeout` seconds until serving is done. Return the number of remaining requests.

        Serving is done when its group has committed every request and no answer is in an open transaction. The topics
        are then complete. `stop` ends the wait early.

        Raises:
            UnreadableError: Kafka does not answer.

        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                left = self._uncommitted()
                if left == 0 and not self._answers_in_transactions():
                    return 0
                if time.monotonic() > deadline:
                    return max(left, 1)  # at least the request whose answer is in the open transaction
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise UnreadableError(str(error)) from error
            if self._stop.wait(_PAUSE_SECONDS):
                return max(self.requests, 1)

    def _uncommitted(self) -> int:
        ends = self._ends((PredictionRequested.topic,), IsolationLevel.READ_UNCOMMITTED)
        committed = self._group.committed([TopicPartition(*place) for place in ends], timeout=self._timeout)
        # A partition without a committed offset has a negative offset.
        return sum(max(ends[place.topic, place.partition] - max(place.offset, 0), 0) for place in committed)

    def _answers_in_transactions(self) -> bool:
        topics = (PredictionMade.topic, PREDICTIONS_FAILED)
        return self._ends(topics, IsolationLevel.READ_COMMITTED) != self._ends(topics, IsolationLevel.READ_UNCOMMITTED)

    def _ends(self, topics: Sequence[str], isolation: IsolationLevel) -> dict[tuple[str, int], int]:
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = dict.fromkeys(partitions(self._admin, topics, self._timeout), latest)
        answers = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=self._timeout)
        return {(place.topic, place.partition): each.result().offset for place, each in answers.items()}

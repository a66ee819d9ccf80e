"""What serving has left to do, asked of Kafka itself: the ends of the topics, and what its group has committed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from rondo.contracts.events.predictions import PredictionMade, PredictionRequested
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Sequence

# The consumer group of the service, by its name.
GROUP = "serving"
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.25


class Backlog:
    """Counts requests that serving's group has not committed. `requests` is the last count, for whoever looks on.

    Kafka has `patience` seconds for each answer.
    """

    def __init__(self, bootstrap: str, patience: float = _PATIENCE_SECONDS) -> None:
        self.requests = 0
        self._patience = patience
        self._stop = threading.Event()
        self._admin = AdminClient({**KafkaConnection(bootstrap).confluent(), "client.id": "backlog", "log_level": 0})
        # It subscribes to nothing, and so never joins the group that it asks about. An AdminClient can be asked, too,
        # but librdkafka 2.16 crashes on the answer of a broker that is not yet the group's coordinator.
        self._group = Consumer(
            {
                **KafkaConnection(bootstrap).confluent(),
                "client.id": "backlog",
                "group.id": GROUP,
                "enable.auto.commit": False,
                # What is committed counts; what a running transaction is about to commit is not waited for.
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Count again and again until stopped; while Kafka does not answer, the last count stays."""
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                self.requests = self._uncommitted()
            except KafkaException:
                continue

    def stop(self) -> None:
        """End, whatever is waited for."""
        self._stop.set()

    def wait_until_done(self, timeout: float) -> int:
        """Wait (seconds) until serving has nothing left to do, and return how many requests are left: 0 if all is done.

        `stop` ends the wait, with all left open.

        Done is: every request is committed by the group, and no answer is in a transaction that has not ended. What
        is read from the topics after that is all that there will be.

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
                    return max(left, 1)  # at least the one whose answer is in that transaction
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise UnreadableError(str(error)) from error
            if self._stop.wait(_PAUSE_SECONDS):
                return max(self.requests, 1)

    def _uncommitted(self) -> int:
        ends = self._ends((PredictionRequested.topic,), IsolationLevel.READ_UNCOMMITTED)
        committed = self._group.committed([TopicPartition(*place) for place in ends], timeout=self._patience)
        # A partition without a commit has a negative offset.
        return sum(max(ends[place.topic, place.partition] - max(place.offset, 0), 0) for place in committed)

    def _answers_in_transactions(self) -> bool:
        topics = (PredictionMade.topic, PREDICTIONS_FAILED)
        return self._ends(topics, IsolationLevel.READ_COMMITTED) != self._ends(topics, IsolationLevel.READ_UNCOMMITTED)

    def _ends(self, topics: Sequence[str], isolation: IsolationLevel) -> dict[tuple[str, int], int]:
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        wanted = dict.fromkeys(partitions(self._admin, topics, self._patience), latest)
        answers = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=self._patience)
        return {(place.topic, place.partition): each.result().offset for place, each in answers.items()}

"""The independent reader. It counts requests and answers in the topics (read_committed), without the services."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from rondo.contracts.events.predictions import PredictionMade, PredictionRequested
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.flights.errors import UnreadableError
from rondo.flights.observers.ledger import Answer, Ledger
from rondo.flights.observers.partitions import partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from rondo.contracts.kafka_connection import KafkaConnection

_REQUESTED, _MADE = PredictionRequested.topic, PredictionMade.topic
_ANSWER_SECONDS, _FINISH_SECONDS = 10.0, 60.0


class Auditor:
    """Reads the topics from their beginning into a ledger, in its own thread.

    `timeout` (seconds) limits the final reading to the end of every topic.
    """

    def __init__(self, kafka: KafkaConnection, timeout: float = _FINISH_SECONDS) -> None:
        self.ledger = Ledger()
        self._timeout = timeout
        self._finishing, self._stopped = threading.Event(), threading.Event()
        self._consumer = Consumer(
            {
                **kafka.confluent(),
                "client.id": "auditor",
                "group.id": "auditor",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Read until `finish` was called, and then to the end of every partition.

        Raises:
            UnreadableError: Kafka does not answer, or the final reading takes too long.

        """
        try:
            places = self._places()
            self._read(places, until=self._finishing.is_set)
            # A new assignment from the current positions, because each partition then reports its end again.
            self._read_to_the_end(places)
        except KafkaException as error:
            raise UnreadableError(str(error)) from error
        finally:
            self._consumer.close()

    def _places(self) -> dict[tuple[str, int], int]:
        found = partitions(self._consumer, (_REQUESTED, _MADE, PREDICTIONS_FAILED), _ANSWER_SECONDS)
        return {(place.topic, place.partition): place.offset for place in found}

    def _read_to_the_end(self, places: dict[tuple[str, int], int]) -> None:
        ended: set[tuple[str, int]] = set()
        deadline = time.monotonic() + self._timeout

        def over() -> bool:
            if self._stopped.is_set():
                return True
            if len(ended) < len(places) and time.monotonic() > deadline:
                raise UnreadableError(f"their ends were not reached within {self._timeout:g} s")
            return len(ended) == len(places)

        self._read(places, until=over, ended=ended)

    def _read(
        self,
        places: dict[tuple[str, int], int],
        until: Callable[[], bool],
        ended: set[tuple[str, int]] | None = None,
    ) -> None:
        self._consumer.assign(
            [TopicPartition(topic, partition, offset) for (topic, partition), offset in places.items()]
        )
        while not until():
            for message in self._consumer.consume(5_000, 0.2):
                topic, partition, offset = place(message)
                error = message.error()
                if error is None:
                    self._count(topic, message.value() or b"{}")
                    places[topic, partition] = offset + 1
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    raise KafkaException(error)
                elif ended is not None:
                    ended.add((topic, partition))

    def finish(self) -> None:
        """Read to the current end of the topics, and then stop."""
        self._finishing.set()

    def stop(self) -> None:
        """Stop at once. Messages that were not read are not counted."""
        self._stopped.set()
        self._finishing.set()

    def wait_for_answers(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until every request has an answer. Return whether all have one."""
        deadline = time.monotonic() + timeout
        while self.ledger.open > 0:
            if time.monotonic() > deadline:
                return False
            self._finishing.wait(0.1)
        return True

    def _count(self, topic: str, value: bytes) -> None:
        if topic == PREDICTIONS_FAILED:
            self.ledger.add_refusal(request_of(value))
        elif topic == _MADE:
            made = orjson.loads(value)
            at = datetime.fromisoformat(made["made_at"]).astimezone(UTC)
            self.ledger.add_answer(made["id"], Answer(made["model_version"], compared_output(made["output"])), at)
        else:
            self.ledger.add_request(request_of(value))


def compared_output(output: dict[str, object]) -> float | str | None:
    """Return the part of an answer that is compared with the outcome."""
    name = "label" if "probabilities" in output else "value" if "value" in output else "score"
    found = output.get(name)
    return found if isinstance(found, float | int | str) else None


def request_of(value: bytes) -> str:
    """Return the id in a request. Empty for a malformed request, which other programs may have written."""
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError:
        return ""
    request = content.get("id") if isinstance(content, dict) else None
    return request if isinstance(request, str) else ""


def place(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    return topic or "", -1 if partition is None else partition, -1 if offset is None else offset

"""The independent reader: counts requests and answers from the topics, read_committed, and believes no service."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from rondo.contracts.predictions import PredictionMade, PredictionRequested
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

_REQUESTED, _MADE = PredictionRequested.topic, PredictionMade.topic


@dataclass(frozen=True)
class Answer:
    """The answer to one request: by which version, and its score."""

    model_version: int
    score: float


@dataclass
class Ledger:
    """Every request id with how often it was asked, answered and refused; and what was answered.

    One thread writes. Others may look at the plain counts at any time, at the rest once it is done.
    """

    requests: int = 0
    responses: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Answer] = field(default_factory=dict)
    first_by_version: dict[int, datetime] = field(default_factory=dict)
    by_version: Counter[int] = field(default_factory=Counter)

    def ask(self, request: str) -> None:
        """Note a request."""
        self.requests += 1
        self.asked[request] += 1

    def refuse(self, request: str) -> None:
        """Note a request that went to the dead letters: it was answered, with a refusal."""
        self.responses += 1
        self.refused[request] += 1

    def answer(self, request: str, answer: Answer, made_at: datetime) -> None:
        """Note an answer."""
        self.responses += 1
        self.answered[request] += 1
        self.answers[request] = answer
        self.by_version[answer.model_version] += 1
        first = self.first_by_version.get(answer.model_version)
        if first is None or made_at < first:
            self.first_by_version[answer.model_version] = made_at

    def lost(self) -> list[str]:
        """Return the requests that have no answer and no refusal."""
        return [request for request in self.asked if request not in self.answered and request not in self.refused]

    def doubled(self) -> list[str]:
        """Return the requests that have more answers, refusals included, than they were asked times."""
        both = self.answered + self.refused
        return [request for request, count in both.items() if count > self.asked[request]]

    @property
    def open(self) -> int:
        """How many requests wait for their answer, by the counts (exact at the end, a moment old in between)."""
        return self.requests - self.responses


class Auditor:
    """Tails the topics on a thread of its own, from their beginning, into a ledger."""

    def __init__(self, bootstrap: str) -> None:
        self.ledger = Ledger()
        self._finishing = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
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
        """Read until `finish` was called, and then to the end of every partition."""
        topics = self._consumer.list_topics(timeout=10).topics
        places = {
            (topic, partition): 0
            for topic in (_REQUESTED, _MADE, PREDICTIONS_FAILED)
            for partition in topics[topic].partitions
        }
        try:
            self._read(places, until=self._finishing.is_set)
            # Read on from here under a new assignment: each partition then says anew where its end is.
            ended: set[tuple[str, int]] = set()
            self._read(places, until=lambda: len(ended) == len(places), ended=ended)
        finally:
            self._consumer.close()

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
                    self._note(topic, message.value() or b"{}")
                    places[topic, partition] = offset + 1
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    raise KafkaException(error)
                elif ended is not None:
                    ended.add((topic, partition))

    def finish(self) -> None:
        """Read to the end of what is there now, and then stop."""
        self._finishing.set()

    def wait_for_answers(self, timeout: float) -> bool:
        """Wait (seconds) until every request read so far has its answer; False when the time is over first."""
        deadline = time.monotonic() + timeout
        while self.ledger.open > 0:
            if time.monotonic() > deadline:
                return False
            self._finishing.wait(0.1)
        return True

    def _note(self, topic: str, value: bytes) -> None:
        if topic == PREDICTIONS_FAILED:
            self.ledger.refuse(request_of(value))
            return
        said = orjson.loads(value)
        if topic == _MADE:
            at = datetime.fromisoformat(said["made_at"]).astimezone(UTC)
            self.ledger.answer(said["id"], Answer(said["model_version"], said["output"]["score"]), at)
        else:
            self.ledger.ask(said["id"])


def request_of(value: bytes) -> str:
    """Return the id in a request that was refused; empty where there is none, which may be why it was refused."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:
        return ""
    request = said.get("id") if isinstance(said, dict) else None
    return request if isinstance(request, str) else ""


def place(message: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset of a message that was read."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    return topic or "", -1 if partition is None else partition, -1 if offset is None else offset

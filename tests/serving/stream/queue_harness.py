"""Kafka and the models of tests of own queues: crashes, moves, and a pace that a test sets."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson
from rondo.chassis.errors import Backoff
from rondo.chassis.kafka_records import Record, Records
from rondo.contracts.events import logs
from rondo.serving.deployments.pending import PendingDeployments
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.stream.own_queues import OwnQueues
from rondo.serving.stream.partitions_kafka import Partitions
from rondo.serving.stream.repeated_requests import RepeatedRequests
from rondo.serving.stream.transform import PredictionStream

from tests.serving.builders import NOW, request
from tests.serving.stream.committed import Committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rondo.chassis.stream.transform import Output
    from rondo.serving.inference.scored import Duration
    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.models.serving_table import ServedModels


TOPIC = "predictions.requested"


@dataclass(frozen=True)
class Message:
    """A message as confluent-kafka hands it out."""

    content: bytes | None
    at: int
    of: int = 0
    name: bytes | None = b"k"

    def value(self) -> bytes | None:
        return self.content

    def key(self) -> bytes | None:
        return self.name

    def headers(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.of

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 1, int(time.time() * 1000) - 5_000


class Reader:
    """Implements `Requests` on lists of messages."""

    def __init__(self, topic: Mapping[int, list[Message]]) -> None:
        self._topic, self._next = topic, dict[int, int]()

    def assign(self, offsets: Mapping[int, int]) -> None:
        self._next = dict(offsets)

    def read(self, most: int) -> Sequence[Any]:
        found: list[Message] = []
        for partition, offset in self._next.items():
            mine = self._topic[partition][offset : offset + min(most, 3)]
            self._next[partition] += len(mine)
            found += mine
        return found

    def close(self) -> None:
        self._next.clear()


class Drawn(Paces):
    """A random pace: each model is expected to score up to three rows in time, drawn at each call."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)

    def rows(self, served: ServedModel, _: float) -> int:
        return self.random.randrange(4) if served.model != "quick" else 1_000

    def is_slow(self, _: ServedModel, __: float) -> bool:
        return self.random.random() < 0.5


async def never(_: str, __: bytes) -> None:
    raise AssertionError


@dataclass
class Kafka:
    """A topic with two partitions, the offsets and notes that are committed, and what was written with them."""

    models: ServedModels
    paces: Paces
    seconds: float = 60.0
    retry_after: float = 0.0
    reader: Callable[[Mapping[int, list[Message]]], Reader] = Reader
    answered_before: Committed = field(default_factory=Committed)
    pending: PendingDeployments = field(default_factory=PendingDeployments)
    topic: dict[int, list[Message]] = field(default_factory=lambda: {0: [], 1: []})
    committed: dict[int, tuple[int, str]] = field(default_factory=dict)
    answers: list[tuple[str, str, bytes | None]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    refused: list[bytes | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        service = InferenceService(never, lambda: NOW)
        self.queues = OwnQueues(
            lambda _: self.reader(self.topic), self.paces, self.seconds, backoff=Backoff(first=self.retry_after)
        )
        repeats = RepeatedRequests(self.answered_before, 1_000, lambda: NOW)
        counted = Partitions(lambda _: 2)
        self.stream = PredictionStream(self.models, self.pending, service, counted, repeats, self.queues, "serving")
        self.restart()

    def send(self, content: bytes, partition: int = 0, key: bytes = b"k") -> None:
        mine = self.topic[partition]
        mine.append(Message(content, len(mine), partition, key))

    def restart(self) -> None:
        """Start as a new owner of the partitions."""
        self.stream.forget()
        self.known = {partition: self.committed.get(partition, (-1, "")) for partition in self.topic}
        self.queues.restore({(TOPIC, partition): known for partition, known in self.known.items()})
        self.read = {partition: max(offset, 0) for partition, (offset, _) in self.known.items()}

    def move(self, partition: int) -> None:
        """Lose a partition, and get it back. Its owner in between commits nothing."""
        self.stream.forget([(TOPIC, partition)])
        self.known[partition] = self.committed.get(partition, (-1, ""))
        self.queues.restore({(TOPIC, partition): self.known[partition]})
        self.read[partition] = max(self.known[partition][0], 0)

    def turn(self, most: int = 5, *, crash: bool = False, leaves: int | None = None) -> None:
        """Answer a micro-batch, and commit it unless this is a crash.

        A partition that `leaves` does so during the call. Like the stream, this drops the output if it has messages or
        a note of that partition.
        """
        messages: list[Any] = []
        for partition, offset in self.read.items():
            mine = self.topic[partition][offset : offset + most]
            self.read[partition] += len(mine)
            messages += mine
        output = self._answer(messages, leaves)
        changed = {message.partition() for message in messages} | {partition for _, partition in output.notes}
        if crash or leaves in changed:
            output.aborted()
            self.restart()
            return
        for partition in {message.partition() for message in messages}:
            self.known[partition] = self.read[partition], self.known[partition][1]
        for (_, partition), note in output.notes.items():
            self.known[partition] = self.known[partition][0], note
            assert self.known[partition][0] >= 0
        self.committed |= {partition: self.known[partition] for partition in changed}
        for record in output.records:
            self._write(record)
        output.committed()
        if leaves is not None:
            self.move(leaves)

    def _answer(self, messages: Sequence[Any], leaves: int | None) -> Output:
        shared = self.queues.shared

        def leaving(messages: Sequence[Any]) -> Sequence[Any]:
            if leaves is not None:
                self.stream.forget([(TOPIC, leaves)])
            return shared(messages)

        self.queues.shared = leaving  # type: ignore[method-assign]
        try:
            return self.stream(messages)
        finally:
            self.queues.shared = shared  # type: ignore[method-assign]

    def _write(self, record: Record | Records) -> None:
        if isinstance(record, Records):
            for key, value in zip(record.keys, record.values, strict=True):
                answer = orjson.loads(value)
                self.answers.append((answer["model"], answer["id"], key))
        elif record.topic == logs.PREDICTIONS_LOG:
            batch = logs.decode(record.value or b"")
            self.logged += [(logs.metadata(batch)["model"], each) for each in batch.column("id").to_pylist()]
        else:
            self.refused.append(record.value)

    def finish(self, crashes: random.Random | None = None) -> None:
        """Take turns until all requests are answered, and two more."""
        until = time.monotonic() + 30
        while any(self.read[each] < len(self.topic[each]) for each in self.topic) or self.queues.active:
            assert time.monotonic() < until
            if crashes is not None and crashes.random() < 0.2:
                self.move(crashes.randrange(2))
            leaves = crashes.choice([0, 1, None, None, None]) if crashes is not None else None
            self.turn(crash=crashes is not None and crashes.random() < 0.1, leaves=leaves)
            if crashes is None or crashes.random() < 0.5:
                # turns are much faster than threads, so otherwise no inference would end before a crash
                wait_scored(self)
        self.turn()
        self.turn()


def fill(kafka: Kafka, chance: random.Random, count: int) -> tuple[Counter[tuple[str, str]], list[bytes]]:
    """Send requests. Return the ids that expect an answer, by model, and the requests that expect a refusal."""
    answered: Counter[tuple[str, str]] = Counter()
    refused: list[bytes] = []
    for number in range(count):
        model, key = chance.choice(["quick", "slow", "slower"]), b"%d" % chance.randrange(4)
        if chance.random() < 0.15:
            content = chance.choice([b"spoiled %d" % number, request(number, model, features={"distance": "far"})])
            refused.append(content)
        else:
            content = request(number, model)
            answered[model, f"r{number}"] = 1
        kafka.send(content, partition=key[0] % 2, key=key)
    return answered, refused


class Slow(Paces):
    """A pace at which no row of `slow` is scored in time, and three in a run of its queue, until it is `released`."""

    released = False

    def rows(self, served: ServedModel, seconds: float) -> int:
        if self.released or served.model != "slow":
            return 1_000
        return 3 if seconds < 1 else 0

    def is_slow(self, served: ServedModel, _: float) -> bool:
        return not self.released and served.model == "slow"


def wait_scored(kafka: Kafka) -> None:
    """Wait until the runs of the queues are scored, and pending answers are read back."""
    for reading in kafka.stream.repeats._readings.values():
        if not kafka.answered_before.blocked:
            reading.answers.result(10)
    for queue in kafka.queues._queues.values():
        if queue.running is not None:
            queue.running.inference.exception(10)


class Set(Paces):
    """The seconds per row of each digest are those of the warm-up, whatever an inference takes."""

    def measured(self, served: ServedModel, durations: Iterable[Duration]) -> None:
        super().measured(served, [replace(each, seconds=each.version.row_seconds * each.rows) for each in durations])

"""Full load on a stream, and an independent reader that counts what was lost, doubled and out of order."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from confluent_kafka import Consumer, Producer, TopicPartition
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from tests.chassis.stream.copies import Topics

_KEYS = 600
_PAUSE_SECONDS = 0.005


class Counts(NamedTuple):
    """The comparison of what was sent with what a read_committed reader saw."""

    lost: int
    doubled: int
    out_of_order: int


@dataclass
class Traffic:
    """Sends `rate` messages a second within `with`, and reads the copies of a stream with the time of each."""

    topics: Topics
    rate: int
    sent: int = 0
    # By partition: the time, number and key of each copy.
    copies: dict[int, list[tuple[float, int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    _stop: threading.Event = field(default_factory=threading.Event)
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=each) for each in (self._send, self._read)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._end.set()
        for each in self._threads:
            each.join()

    @property
    def received(self) -> int:
        return sum(len(each) for each in self.copies.values())

    def stop_sending(self) -> None:
        self._stop.set()
        self._threads[0].join()

    def wait_received(self, count: int, seconds: float) -> None:
        """Wait until this many copies have arrived. Returns when the time is over, since the counts then say more."""
        until = time.monotonic() + seconds
        while self.received < count and time.monotonic() < until:
            self._end.wait(_PAUSE_SECONDS)

    def finish(self, seconds: float = 60) -> Counts:
        """Stop sending, wait for the copies, and another second for copies that should not exist. Count them."""
        self.stop_sending()
        self.wait_received(self.sent, seconds)
        self._end.wait(1.0)
        counts, last, out_of_order = Counter[int](), dict[bytes, int](), 0
        for mine in self.copies.values():
            for _, number, key in mine:
                counts[number] += 1
                out_of_order += number <= last.get(key, -1)
                last[key] = number
        return Counts(self.sent - len(counts), counts.total() - len(counts), out_of_order)

    def silences(self, since: float, until: float) -> dict[int, float]:
        """Return the longest time without a copy between two times, by partition."""
        found = {}
        for partition in range(self.topics.partitions):
            inside = [at for at, _, _ in self.copies[partition] if since < at < until]
            times = [since, *inside, until]
            found[partition] = max(after - before for before, after in itertools.pairwise(times))
        return found

    def _send(self) -> None:
        producer = Producer(
            {**KafkaConnection(self.topics.bootstrap).confluent(), "enable.idempotence": True, "linger.ms": 5}
        )
        began, partitions = time.monotonic(), self.topics.partitions
        while not self._stop.wait(_PAUSE_SECONDS):
            while self.sent < (time.monotonic() - began) * self.rate:
                key = self.sent % _KEYS
                producer.produce(self.topics.source, b"%d" % self.sent, b"k%d" % key, partition=key % partitions)
                self.sent += 1
            producer.poll(0)
        producer.flush(30)

    def _read(self) -> None:
        consumer = Consumer(
            {**KafkaConnection(self.topics.bootstrap).confluent(), "group.id": "traffic",
             "isolation.level": "read_committed", "fetch.wait.max.ms": 10}
        )  # fmt: skip
        consumer.assign([TopicPartition(self.topics.target, each, 0) for each in range(self.topics.partitions)])
        while not self._end.is_set():
            for message in consumer.consume(5_000, 0.02):
                partition, value = message.partition(), message.value()
                if message.error() is None and partition is not None:
                    self.copies[partition].append((time.monotonic(), int(value or b"-1"), message.key() or b""))
        consumer.close()

"""How an exactly-once stream runs, and what that means for librdkafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rondo.contracts.kafka_connection import KafkaConnection


@dataclass(frozen=True)
class StreamSettings:
    """`instance` names the replica: it fences its own predecessor.

    `dead_letters` is the topic for a message on which the transform fails again and again. `linger` is the least time
    in seconds between the beginnings of two transactions: a busy stream fills its micro-batches for that long, and a
    record that comes after a silence waits for nothing. After `held_after` seconds without a record Kafka is asked
    whether it is a transaction without an end that holds them back: longer than `transaction_timeout`. A call of
    librdkafka that was to take a second and takes `hung_after` seconds never ends.
    """

    kafka: KafkaConnection
    name: str
    instance: str
    topics: tuple[str, ...]
    dead_letters: str
    max_records: int = 4_000
    linger: float = 0.02
    session_timeout: float = 10.0
    transaction_timeout: float = 30.0
    held_after: float = 35.0
    hung_after: float = 60.0
    producer: dict[str, Any] = field(default_factory=dict)

    def consumer_config(self) -> dict[str, Any]:
        """Return librdkafka's consumer configuration."""
        return {
            **self.kafka.confluent(),
            "client.id": self.instance,
            "group.id": self.name,
            "group.instance.id": self.instance,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            # Eager, on purpose: a static member that dies between the two steps of a cooperative rebalance comes back
            # to a group that looks settled, and what it had given up is then nobody's (seen on Kafka 4.3).
            "partition.assignment.strategy": "range",
            "session.timeout.ms": int(self.session_timeout * 1000),
            # A member hears of a rebalance by its heartbeat: everybody waits for the slowest.
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 50,
            "log_level": 3,
        }

    def producer_config(self) -> dict[str, Any]:
        """Return librdkafka's producer configuration."""
        return {
            **self.kafka.confluent(),
            "client.id": self.instance,
            "transactional.id": f"{self.name}-{self.instance}",
            "transaction.timeout.ms": int(self.transaction_timeout * 1000),
            "linger.ms": 5,
            # A transaction that begins while the markers of the last one are being written is told to come again. By
            # librdkafka's own default that is after 100 ms, doubling: the longest part of a turn.
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 200,
            # After its broker's crash librdkafka (2.16) may wait for the next change of a connection, whatever its
            # timeout (confluentinc/librdkafka 5456 and 5511). One that is idle is closed soon, which is such a change.
            "connections.max.idle.ms": 3000,
            # How long a request waits for its answer. That of a transaction's offsets waits so long whatever timeout is
            # given (5456), and a stop with it.
            "socket.timeout.ms": 5_000,
            "message.max.bytes": 8 * 1024 * 1024,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
            "log_level": 3,
        } | self.producer

"""The configuration of an exactly-once stream, and librdkafka's options for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rondo.contracts.kafka_connection import KafkaConnection

# The longest time between two polls, and the longest time that a rebalance waits for a member. The reading thread polls
# while a transform or a commit is in progress, so only calls of the consumer and a revocation take time.
_POLL_SECONDS = 60.0


@dataclass(frozen=True)
class StreamSettings:
    """The settings of a stream. `instance` names the replica. A new process of the same name fences the old one.

    A micro-batch has at most `max_records`, and is complete once it has `max_bytes`. Both shrink where Kafka does not
    take a micro-batch within `transaction_timeout`.

    `dead_letters` is the topic for messages on which the transform fails repeatedly. `linger` is the minimum time in
    seconds between the starts of two transactions: a busy stream fills its micro-batches for that time, and a record
    after a gap does not wait. After `hanging_after` seconds without a record, which must exceed `transaction_timeout`,
    the stream checks for a hanging transaction. A call of librdkafka that takes longer than `hung_after` seconds is
    considered hung. A replica leaves the group a minute after one transform takes longer than `turn_timeout` seconds.
    Its micro-batch is then read again, and would take as long again. A rebalance does not wait for a transform.
    """

    kafka: KafkaConnection
    name: str
    instance: str
    topics: tuple[str, ...]
    dead_letters: str
    max_records: int = 4_000
    max_bytes: int = 32 * 1024 * 1024
    linger: float = 0.02
    session_timeout: float = 10.0
    transaction_timeout: float = 10.0
    hanging_after: float = 35.0
    hung_after: float = 60.0
    turn_timeout: float = 300.0
    producer: dict[str, Any] = field(default_factory=dict)
    consumer: dict[str, Any] = field(default_factory=dict)

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
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(self.session_timeout * 1000),
            # The default of librdkafka is an error if the session is longer.
            "max.poll.interval.ms": int(max(_POLL_SECONDS, self.session_timeout) * 1000),
            # A member learns of a rebalance from its heartbeat, and the rebalance waits for the slowest member.
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 50,
            # A micro-batch may take all prefetched records at once, whatever their size.
            "queued.max.messages.kbytes": max(self.max_bytes // 2048, 1),
            "log_level": 3,
        } | self.consumer

    def producer_config(self) -> dict[str, Any]:
        """Return librdkafka's producer configuration."""
        return {
            **self.kafka.confluent(),
            "client.id": self.instance,
            "transactional.id": f"{self.name}-{self.instance}",
            "transaction.timeout.ms": int(self.transaction_timeout * 1000),
            "linger.ms": 5,
            # A transaction that begins while the markers of the previous one are being written is refused and retried.
            # By default librdkafka retries after 100 ms, doubling, which would be the longest part of a turn.
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 200,
            # After a crash of the broker librdkafka (2.16) can wait for the next change of a connection, regardless of
            # its timeout (confluentinc/librdkafka 5456 and 5511). Closing an idle connection is such a change.
            "connections.max.idle.ms": 3000,
            # The request for a transaction's offsets uses this timeout regardless of the given one (5456), and a stop
            # waits for it.
            "socket.timeout.ms": 5_000,
            "message.max.bytes": 8 * 1024 * 1024,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
            "log_level": 3,
        } | self.producer


def assigned_consumer_config(kafka: KafkaConnection, name: str) -> dict[str, Any]:
    """Return librdkafka's options for a consumer of committed records whose partitions are assigned manually.

    It commits nothing, and reports the end of each partition.
    """
    return {
        **kafka.confluent(),
        "client.id": name,
        "group.id": f"{name}-unused",  # librdkafka requires one, even if partitions are assigned manually
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
        # A process may have several consumers, and each prefetches this amount.
        "queued.max.messages.kbytes": 16_384,
        "log_level": 3,
    }

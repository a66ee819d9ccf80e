"""The client's producer in a long outage, without Kafka."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from rondo.client.kafka.producer import Producer
from rondo.contracts.kafka_connection import KafkaConnection

REQUESTS, DAY = TopicPartition("requests", 0), 24 * 3_600.0


async def test_a_message_of_a_partition_without_a_leader_waits_however_long(monkeypatch: Any) -> None:
    """This happens while a broker restarts.

    If the message failed, the client could not know if an earlier attempt arrived.
    """
    producer = Producer(KafkaConnection("127.0.0.1:1"))._producer
    accumulator = producer._message_accumulator
    monkeypatch.setattr(accumulator, "create_builder", Builder)
    message = await accumulator.add_message(REQUESTS, b"key", b"value", 1.0)
    accumulator._batches[REQUESTS][0]._ctime -= DAY
    drained, has_no_leader = accumulator.drain_by_nodes(ignore_nodes=[])
    assert (dict(drained), has_no_leader, message.done()) == ({}, True, False)
    producer._closed = True  # it was never started


class Builder:
    """Takes one message. The form of a batch is known only once a broker has answered."""

    def append(self, **_: Any) -> object:
        return object()

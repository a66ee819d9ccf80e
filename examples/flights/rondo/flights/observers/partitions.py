"""The partitions of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient


def partitions(client: Consumer | AdminClient, topics: Iterable[str], timeout: float) -> list[TopicPartition]:
    """Return all partitions of the topics, at offset 0. Kafka has `timeout` seconds to answer.

    Raises:
        KafkaException: Kafka does not answer, or a topic does not exist.

    """
    known = client.list_topics(timeout=timeout).topics
    missing = [topic for topic in topics if topic not in known]
    if missing:
        code = KafkaError.UNKNOWN_TOPIC_OR_PART
        raise KafkaException(KafkaError(code, f"there is no topic {', '.join(missing)}: have the services started?"))
    return [TopicPartition(topic, partition, 0) for topic in topics for partition in known[topic].partitions]

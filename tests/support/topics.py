"""Removes topics from the tests' broker."""

from __future__ import annotations

import time

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import BY_NAME

# A broker beside tests that compute may take long to answer.
_SLOWEST_ANSWER_SECONDS = 60.0


def remove_topics(bootstrap: str, *, keep_unused: bool = False) -> None:
    """Delete all topics, and with them the offsets that consumer groups have committed for them.

    With `keep_unused`, topics stay that have the partitions of the contracts and have never had a record: to create
    all of them costs the broker a second of processor time, and most tests write to a few.
    """
    admin = AdminClient(KafkaConnection(bootstrap).confluent() | {"log_level": 0})
    found = _partitions(admin)
    doomed = found.keys() - (_unused(admin, found) if keep_unused else set())
    for deletion in (
        admin.delete_topics(list(doomed), request_timeout=_SLOWEST_ANSWER_SECONDS).values() if doomed else ()
    ):
        deletion.result()
    while doomed & _partitions(admin).keys():
        time.sleep(0.02)


def _partitions(admin: AdminClient) -> dict[str, int]:
    """Return the number of partitions of each topic, without Kafka's own topics."""
    topics = admin.list_topics(timeout=_SLOWEST_ANSWER_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in topics.items() if not name.startswith("__")}


def _unused(admin: AdminClient, found: dict[str, int]) -> set[str]:
    """Return the topics of the contracts whose partitions all end at 0."""
    ours = {name for name, number in found.items() if name in BY_NAME and number == BY_NAME[name].partitions}
    places = {TopicPartition(name, number): OffsetSpec.latest() for name in ours for number in range(found[name])}
    used = set()
    for place, answer in admin.list_offsets(places, request_timeout=_SLOWEST_ANSWER_SECONDS).items() if places else ():
        try:
            ends_at = answer.result().offset
        except KafkaException:  # it has no leader yet
            used.add(place.topic)
        else:
            used |= {place.topic} if ends_at else set()
    return ours - used

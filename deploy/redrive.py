"""Lists dead letters, and publishes selected ones again on their source topic.

`RONDO_KAFKA=<host:port> python deploy/redrive.py <topic>` lists them. With `<partition>:<offset> ...` after the topic,
it publishes these messages again to their source partition, with the original key, value and headers, and without the
headers about the error. Messages of compacted topics are refused, because an old message would replace the latest one
with its key.
"""  # noqa: INP001 - a script

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

# The headers about the error. `reason` is the error code of serving.
_ABOUT, _REASON = "__dlq.", "reason"
_SECONDS = 30.0


def dead_letters(kafka: KafkaConnection, topic: str) -> Iterator[Message]:
    """Yield the current messages of a topic."""
    consumer = Consumer({**kafka.confluent(), "group.id": "unused", "isolation.level": "read_committed",
                         "enable.partition.eof": True, "enable.auto.commit": False})  # fmt: skip
    known = consumer.list_topics(topic, timeout=_SECONDS).topics[topic]
    if known.error:
        sys.exit(f"there is no topic {topic}: dead letters are on predictions.failed and <service>.dead-letters")
    unfinished = set(known.partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unfinished])
    while unfinished:
        message = consumer.poll(_SECONDS)
        if message is None:
            sys.exit(f"Kafka at {kafka} has not answered for {_SECONDS:g} s: is it running?")
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            unfinished.discard(message.partition())
        else:
            sys.exit(f"{topic} can't be read to its end: {error.str()}")
    consumer.close()


def headers_of(message: Message) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in message.headers() or ()}


def line(message: Message) -> str:
    """Return position, source and error of a dead letter as a line."""
    headers = headers_of(message)
    origin = "-".join(headers.get(f"{_ABOUT}errors.{part}", "?") for part in ("topic", "partition", "offset"))
    return f"{message.partition()}:{message.offset()}  from {origin}  {headers.get(f'{_ABOUT}errors.message', '')}"


def publish_again(producer: Producer, message: Message) -> None:
    """Publish a dead letter on its source topic.

    Exit with 1 if the dead letter only has a part of the message.
    """
    headers = headers_of(message)
    origin, partition = headers[f"{_ABOUT}errors.topic"], int(headers[f"{_ABOUT}errors.partition"])
    if f"{_ABOUT}errors.dropped" in headers:
        sys.exit(
            f"{line(message)}\nit was too large for a dead letter: read it from its source topic, if it is still there"
        )
    kept = [(name, value) for name, value in message.headers() or () if not name.startswith(_ABOUT) and name != _REASON]
    producer.produce(origin, message.value(), message.key(), partition=partition, headers=kept)


def refuse_compacted(kafka: KafkaConnection, topics: set[str]) -> None:
    """Exit with 1 if one of the topics is compacted."""
    admin = AdminClient(kafka.confluent())
    for topic in sorted(topics):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        policy = admin.describe_configs([resource])[resource].result()["cleanup.policy"].value
        if "compact" in policy:
            sys.exit(
                f"{topic} is compacted: an old message would overwrite a newer one. Let its writer publish the present"
                " state again: apply the spec again, or roll back and promote"
            )


def main(*arguments: str) -> None:
    if not arguments:
        sys.exit("usage: python deploy/redrive.py <topic of dead letters> [<partition>:<offset> ...]")
    topic, *places = arguments
    kafka = KafkaConnection(
        os.environ.get("RONDO_KAFKA") or sys.exit("set RONDO_KAFKA to the address of the broker, host:port")
    )
    found = {f"{message.partition()}:{message.offset()}": message for message in dead_letters(kafka, topic)}
    if missing := [place for place in places if place not in found]:
        sys.exit(f"{topic} has nothing at {', '.join(missing)}; it has {', '.join(found) or 'nothing'}")
    refuse_compacted(kafka, {headers_of(found[place])[f"{_ABOUT}errors.topic"] for place in places})
    producer = Producer({**kafka.confluent(), "acks": "all", "enable.idempotence": True})
    for place in places:
        publish_again(producer, found[place])
    if producer.flush(_SECONDS):
        sys.exit("Kafka did not acknowledge all of them within 30 s: list the topic, and publish the rest again")
    for message in map(found.__getitem__, places or found):
        sys.stdout.write(f"{'published again: ' if places else ''}{line(message)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Look at dead letters, and publish chosen ones again on the topic that they came from.

`RONDO_KAFKA=<host:port> python deploy/redrive.py <topic>` lists them. With `<partition>:<offset>` of some of them
behind it, those are published again, key, value and headers as they were; what was said about them is left out.
"""  # noqa: INP001 - a script

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOUT = "__dlq."
_SECONDS = 30.0


def letters(bootstrap: str, topic: str) -> Iterator[Message]:
    """Yield what a topic holds now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "isolation.level": "read_committed",
                         "enable.partition.eof": True, "enable.auto.commit": False})  # fmt: skip
    known = consumer.list_topics(topic, timeout=_SECONDS).topics[topic]
    if known.error:
        sys.exit(f"there is no topic {topic}: dead letters are on predictions.failed and <service>.dead-letters")
    open_ones = set(known.partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in open_ones])
    while open_ones:
        message = consumer.poll(_SECONDS)
        if message is None:
            sys.exit(f"Kafka at {bootstrap} says no more after {_SECONDS:g} s: is it up?")
        if message.error():
            open_ones.discard(message.partition())  # its end, or it can't be read: no more comes of it
        else:
            yield message
    consumer.close()


def headers_of(message: Message) -> dict[str, str]:
    """Return the headers as text."""
    return {name: (value or b"").decode(errors="replace") for name, value in message.headers() or ()}


def line(message: Message) -> str:
    """Say of a dead letter where it is, where it came from, and what was wrong."""
    said = headers_of(message)
    origin = "-".join(said.get(f"{_ABOUT}errors.{part}", "?") for part in ("topic", "partition", "offset"))
    return f"{message.partition()}:{message.offset()}  from {origin}  {said.get(f'{_ABOUT}errors.message', '')}"


def publish_again(producer: Producer, message: Message) -> None:
    """Publish one where it came from.

    Exits with 1 where the dead letter has only a part of the message.
    """
    said = headers_of(message)
    if f"{_ABOUT}errors.dropped" in said:
        sys.exit(
            f"{line(message)}\nit was too large for a dead letter: read it where it came from, if it is still there"
        )
    kept = [(name, value) for name, value in message.headers() or () if not name.startswith(_ABOUT)]
    producer.produce(said[f"{_ABOUT}errors.topic"], message.value(), message.key(), headers=kept)


def main(topic: str, *places: str) -> None:
    """List, or publish again."""
    bootstrap = os.environ.get("RONDO_KAFKA") or sys.exit("set RONDO_KAFKA to the address of the broker, host:port")
    found = {f"{message.partition()}:{message.offset()}": message for message in letters(bootstrap, topic)}
    if missing := [place for place in places if place not in found]:
        sys.exit(f"{topic} has nothing at {', '.join(missing)}; it has {', '.join(found) or 'nothing'}")
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
    for place in places:
        publish_again(producer, found[place])
    if producer.flush(_SECONDS):
        sys.exit("Kafka did not take all of them within 30 s: list what is there, and send the rest again")
    for message in map(found.__getitem__, places or found):
        sys.stdout.write(f"{'published again: ' if places else ''}{line(message)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Reads committed answers back from `predictions.made`."""

from __future__ import annotations

import logging
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.stream.repeated_requests import CommittedAnswer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from confluent_kafka import Message

    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
_ANSWER_SECONDS = 10
_TOPIC = PredictionMade.topic
# Longer than a transaction may be open: one of a replica that was killed delays what follows it until its timeout.
_SILENCE_SECONDS = 45.0


_CUT = (
    "only the last %d answers of %d partitions are read back, and the window has more: a request that repeats an older"
    " one is answered anew. Raise RONDO_DEDUPLICATED_ANSWERS, or lower `serving.deduplicate`"
)


class _Answer(msgspec.Struct):
    model: str
    id: str
    made_at: datetime


_DECODE = msgspec.json.Decoder(_Answer).decode


@dataclass
class KafkaAnswers:
    """Implements `CommittedAnswers`. `name` is the client's name for the broker."""

    kafka: KafkaConnection
    name: str
    _checked: bool = False

    def since(self, partitions: Collection[int], time: float, most: int) -> Iterator[CommittedAnswer]:
        try:
            yield from self._since(partitions, time, most)
        except KafkaException as error:
            raise UnavailableError(f"Kafka at {self.kafka}", error.args[0].str()) from error
        except FutureTimeoutError as error:
            raise UnavailableError(f"Kafka at {self.kafka}", "no answer in time") from error

    def _since(self, partitions: Collection[int], since: float, most: int) -> Iterator[CommittedAnswer]:
        began = time.monotonic()
        admin = AdminClient(self.kafka.confluent() | {"client.id": self.name, "log_level": 0})
        self._warn_of_retention(admin, since)
        # The ends with what is not committed yet: the offsets of a request are known before its answer is visible.
        ends = _offsets(admin, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        starts = _offsets(admin, partitions, OffsetSpec.for_timestamp(int(since * 1000)))
        # A negative offset: no record is as young.
        unread = {each: end for each, end in ends.items() if 0 <= starts[each] < end}
        # A transaction of one answer has two offsets: its marker has one, too.
        if cut := {each: end - 2 * most for each, end in unread.items() if end - 2 * most > starts[each]}:
            starts |= cut
            log.warning(_CUT, most, len(cut))
        consumer = Consumer(self._config(), logger=logging.getLogger("librdkafka"))
        count = 0
        try:
            consumer.assign([TopicPartition(_TOPIC, each, starts[each]) for each in unread])
            heard = time.monotonic()
            while unread:
                messages = consumer.consume(1_000, 0.1)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _SILENCE_SECONDS:
                    why = f"a transaction in its partition {min(unread)} does not end"
                    raise UnavailableError(f"the topic {_TOPIC}", why)
                for message in messages:
                    if (answer := _read(message, unread)) is not None:
                        count += 1
                        yield answer
        finally:
            consumer.close()
        log.info(
            "%d answers of %d partitions were read back in %.1f s, for repeated requests",
            count, len(partitions), time.monotonic() - began,
        )  # fmt: skip

    def _warn_of_retention(self, admin: AdminClient, since: float) -> None:
        """Log at the first time if the topic may have dropped answers of the window."""
        if self._checked:
            return
        self._checked = True
        resource, window = ConfigResource(ResourceType.TOPIC, _TOPIC), timedelta(seconds=time.time() - since)
        try:
            answer = admin.describe_configs([resource], request_timeout=_ANSWER_SECONDS)[resource]
            found = answer.result(_ANSWER_SECONDS)
        except KafkaException as error:  # a principal needs the right to answer, and not that to read the configuration
            log.warning("whether %s keeps answers for %s is unknown: %s", _TOPIC, window, error.args[0].str())
            return
        retention = timedelta(milliseconds=int(found["retention.ms"].value))
        if timedelta(0) <= retention < window:
            log.warning(
                "%s keeps answers for %s only, and requests are deduplicated for %s: after a restart or a rebalance a"
                " request that repeats an older one is answered anew. Raise retention.ms of the topic, or lower"
                " `serving.deduplicate`",
                _TOPIC, retention, window,
            )  # fmt: skip

    def _config(self) -> dict[str, str | int | float | bool]:
        return {
            **self.kafka.confluent(),
            "client.id": self.name,
            "group.id": f"{self.name}-unused",  # librdkafka asks for one, even where partitions are assigned by hand
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 16_384,
            "log_level": 3,
        }


def _offsets(admin: AdminClient, partitions: Collection[int], spec: OffsetSpec) -> dict[int, int]:
    asked = {TopicPartition(_TOPIC, partition): spec for partition in partitions}
    found = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ANSWER_SECONDS)
    return {place.partition: int(answer.result(_ANSWER_SECONDS).offset) for place, answer in found.items()}


def _read(message: Message, unread: dict[int, int]) -> CommittedAnswer | None:
    """Return the answer of a message, if it is one, and remove a partition from `unread` that is read to its end."""
    partition, offset, error, value = message.partition(), message.offset(), message.error(), message.value()
    if partition is None or offset is None:
        return None  # an error of no partition
    position = offset if error is not None else offset + 1
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        return None
    if position >= unread.get(partition, position):
        unread.pop(partition, None)
    if error is not None or value is None:
        return None
    try:
        answer = _DECODE(value)
    except msgspec.MsgspecError:  # nothing of ours: whoever may write to the topic may write anything
        return None
    return CommittedAnswer(partition, answer.model, answer.id, answer.made_at.timestamp(), value)

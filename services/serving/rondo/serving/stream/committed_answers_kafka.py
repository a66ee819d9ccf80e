"""Reads committed answers back from `predictions.made`."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import place, readable
from rondo.chassis.stream.config import assigned_consumer_config
from rondo.contracts.events.predictions import PredictionMade
from rondo.serving.stream.repeated_requests import CommittedAnswer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from confluent_kafka import Message

    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
_ANSWER_SECONDS = 10
_TOPIC = PredictionMade.topic
# Longer than a transaction may be open, because the transaction of a killed replica delays all later records until its
# timeout.
_SILENCE_SECONDS = 45.0
_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name

_CUT = (
    "only the last %d answers of %d partitions are read back, and the window has more: a request that repeats an older"
    " one is scored and logged again. Raise RONDO_DEDUPLICATED_ANSWERS, or lower `serving.deduplicate`"
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
    # The longest window in whole seconds that was compared with the topic's retention.
    _checked: int = 0
    # A future, so that it can be awaited together with answers of the broker.
    _stopped: Future[None] = field(default_factory=Future)

    async def stop(self) -> None:
        """End the current read and each later read with UnavailableError, because another replica answers instead."""
        if not self._stopped.done():
            self._stopped.set_result(None)

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
        # The end offsets include uncommitted records: the offsets of a request may be known before its answer is
        # visible.
        ends = self._offsets(admin, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        starts = self._offsets(admin, partitions, OffsetSpec.for_timestamp(int(since * 1000)))
        # A negative offset means that no record is as new as this time.
        unread = {each: end for each, end in ends.items() if 0 <= starts[each] < end}
        # A transaction with one answer has two offsets, because its marker has one, too.
        if cut := {each: end - 2 * most for each, end in unread.items() if end - 2 * most > starts[each]}:
            starts |= cut
            log.warning(_CUT, most, len(cut))
        consumer = Consumer(assigned_consumer_config(self.kafka, self.name), logger=logging.getLogger("librdkafka"))
        count = 0
        try:
            consumer.assign([TopicPartition(_TOPIC, each, starts[each]) for each in unread])
            for answer in _answers(consumer, unread, self._stopped):
                count += 1
                yield answer
        finally:
            consumer.close()
        log.info(
            "%d answers of %d partitions were read back in %.1f s, for repeated requests",
            count, len(partitions), time.monotonic() - began,
        )  # fmt: skip

    def _warn_of_retention(self, admin: AdminClient, since: float) -> None:
        """Log once if the retention of the topic may have deleted answers within the window."""
        # In whole seconds, because some milliseconds have passed since the caller read the clock.
        seconds = int(time.time() - since)
        if seconds <= self._checked:
            return
        resource, window = ConfigResource(ResourceType.TOPIC, _TOPIC), timedelta(seconds=seconds)
        try:
            answer = admin.describe_configs([resource], request_timeout=_ANSWER_SECONDS)[resource]
            found = self._result(answer)
        # a principal that may write answers may lack the permission to read the configuration
        except KafkaException as error:
            log.warning(
                "the retention of %s can't be read, so it may keep answers for less than %s: %s",
                _TOPIC,
                window,
                error.args[0].str(),
            )
            return
        self._checked = seconds
        retention = timedelta(milliseconds=int(found["retention.ms"].value))
        if timedelta(0) <= retention < window:
            log.warning(
                "%s keeps answers for %s only, and requests are deduplicated for %s: after a restart or a rebalance a"
                " request that repeats an older one is scored again. Raise retention.ms of the topic, or lower"
                " `serving.deduplicate`",
                _TOPIC, retention, window,
            )  # fmt: skip

    def _offsets(self, admin: AdminClient, partitions: Collection[int], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(_TOPIC, partition): spec for partition in partitions}
        level = IsolationLevel.READ_UNCOMMITTED
        found = admin.list_offsets(asked, isolation_level=level, request_timeout=_ANSWER_SECONDS)
        return {place.partition: int(self._result(answer).offset) for place, answer in found.items()}

    def _result(self, answer: Future[Any]) -> Any:
        """Return the result of a request to the broker, unless the service stops before."""
        wait([answer, self._stopped], _ANSWER_SECONDS, FIRST_COMPLETED)
        _check_running(self._stopped)
        return answer.result(0)


def _check_running(stopped: Future[None]) -> None:
    if stopped.done():
        raise UnavailableError(f"the topic {_TOPIC}", "this replica stops")


def _answers(consumer: Consumer, unread: dict[int, int], stopped: Future[None]) -> Iterator[CommittedAnswer]:
    """Yield the answers of the partitions in `unread` up to the offsets there.

    A partition that is fully read is removed.
    """
    advanced, error = time.monotonic(), None
    while unread:
        _check_running(stopped)
        messages = consumer.consume(1_000, 0.1)
        records = readable(messages)
        if failed := [found for message in messages if (found := message.error()) is not None and found.code() != _EOF]:
            error = failed[-1]
        # Messages of other partitions do not count as progress, because they could arrive without end.
        advances = [_advance(message, unread) for message in messages]
        if any(advances):
            advanced, error = time.monotonic(), None
        elif time.monotonic() - advanced > _SILENCE_SECONDS:
            if error is not None:
                raise KafkaException(error)
            raise UnavailableError(f"the topic {_TOPIC}", f"a transaction in its partition {min(unread)} does not end")
        yield from filter(None, map(_answer, records))


def _advance(message: Message, unread: dict[int, int]) -> bool:
    """Return whether a message is a record or the end of an unread partition.

    Remove the partition if it is fully read.
    """
    if (error := message.error()) is not None and error.code() != _EOF:
        return False
    _, partition, offset = place(message)
    if (end := unread.get(partition)) is None:
        return False
    if (offset if error is not None else offset + 1) >= end:
        del unread[partition]
    return True


def _answer(record: Message) -> CommittedAnswer | None:
    """Return the answer in a record. None if the record is not an answer."""
    if (value := record.value()) is None:
        return None
    try:
        answer = _DECODE(value)
    # a record of another program, because any principal with the permission may write to the topic
    except msgspec.MsgspecError:
        return None
    return CommittedAnswer(place(record)[1], answer.model, answer.id, answer.made_at.timestamp(), value)

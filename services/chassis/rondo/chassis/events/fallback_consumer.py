"""An aiokafka consumer that reads every record.

aiokafka fails on a batch that has a header whose name is not UTF-8, and fails at the same offset at each attempt. Any
application can write such a batch, so it is read with librdkafka and returned as aiokafka's records.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from rondo.chassis.errors import UnavailableError
from rondo.chassis.kafka_records import headers_of, place, readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
# The time after a failure for which it is reported. FastStream reads again at most 15 seconds after a failure.
_FAILS_SECONDS = 30.0
# A batch may be as large as its topic accepts, so only few are queued.
_MAX_QUEUED = 10
_WAIT_SECONDS = 3.0
_MORE_SECONDS = 0.05


class UnreadableBatchError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Neither aiokafka nor librdkafka can read on. It is a KafkaError, because it is retried like one."""

    def __init__(self, partitions: dict[TopicPartition, int], error: Exception) -> None:
        places = ", ".join(f"{p.topic}-{p.partition} from offset {at}" for p, at in sorted(partitions.items()))
        super().__init__(f"{places or 'no partition'} can't be read: {error}")


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Returns all records of its partitions with `getone` and `within`. `getmany` is that of aiokafka."""

    def __init__(self, *topics: str, kafka: KafkaConnection, **options: Any) -> None:
        super().__init__(*topics, **(kafka.aiokafka() | options))
        self._kafka = kafka
        self._isolation_level = options.get("isolation_level", "read_uncommitted")
        # The records that librdkafka read, and the position that each of their partitions must have to use them.
        self._from_librdkafka: deque[Record] = deque()
        self._positions: dict[TopicPartition, int] = {}
        self._logged = False
        self._trouble, self._failed = "", 0.0

    async def getone(self) -> Record:
        """Return the next record. A record with an unreadable name of a header has no headers, as in a stream.

        Raises:
            KafkaError: reading failed. The call may be repeated.

        """
        while True:
            if record := await self.within(None):
                return record

    async def within(self, seconds: float | None) -> Record | None:
        """Return the next record as `getone` does, or None if no record arrives within `seconds`."""
        try:
            record = await self._next_from_librdkafka() or await self._read(seconds)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            self._trouble, self._failed = f"{type(error).__name__}: {error}", time.monotonic()
            raise
        if record:
            self._trouble = ""
        return record

    def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: reading fails repeatedly. It has the reason.

        """
        if self._trouble and time.monotonic() - self._failed < _FAILS_SECONDS:
            raise UnavailableError(", ".join(sorted(self.subscription())), f"reading fails: {self._trouble}")

    async def _read(self, seconds: float | None) -> Record | None:
        try:
            async with asyncio.timeout(seconds):
                record: Record = await super().getone()
                return record
        except TimeoutError:
            return None
        except UnicodeDecodeError as error:
            await self._start_librdkafka(error)
        return await self._next_from_librdkafka()

    async def _start_librdkafka(self, error: Exception) -> None:
        """Read the next records of all partitions that have some: aiokafka does not report in which one it fails."""
        behind = {p: await self.position(p) for p in self.assignment()}
        behind = {p: at for p, at in behind.items() if (self.highwater(p) or 0) > at}
        try:
            found = await asyncio.to_thread(read_with_librdkafka, self._kafka, self._isolation_level, behind)
        except KafkaException as failed:
            raise UnreadableBatchError(behind, failed) from failed
        if not found:
            raise UnreadableBatchError(behind, error)
        if not self._logged:  # an application that writes such a name writes it in every record
            self._logged = True
            log.warning("aiokafka can't read some records, so librdkafka reads them, which is slower: %s", error)
        self._from_librdkafka, self._positions = deque(found), behind

    async def _next_from_librdkafka(self) -> Record | None:
        """Return the next record that librdkafka read, unless its partition was revoked or its position changed.

        The position, which a commit uses, advances only here.
        """
        while self._from_librdkafka:
            record = self._from_librdkafka.popleft()
            partition = TopicPartition(record.topic, record.partition)
            try:
                if await self.position(partition) == self._positions[partition]:
                    self.seek(partition, record.offset + 1)
                    self._positions[partition] = record.offset + 1
                    return record
            except IllegalStateError:
                log.info("%s-%d moved to another replica", *partition)
        return None


def read_with_librdkafka(
    kafka: KafkaConnection, isolation_level: str, positions: Mapping[TopicPartition, int]
) -> list[ConsumerRecord[bytes, bytes]]:
    """Return the next few records of partitions from these offsets on. Blocks for 3 seconds at most.

    `isolation_level` is that of the aiokafka consumer, which continues after these records.

    Raises:
        KafkaException: librdkafka can't read.

    """
    consumer = Consumer(_config(kafka, isolation_level), logger=logging.getLogger("librdkafka"))
    try:
        consumer.assign([Place(p.topic, p.partition, offset) for p, offset in positions.items()])
        messages = consumer.consume(1, _WAIT_SECONDS)
        messages += consumer.consume(_MAX_QUEUED - 1, _MORE_SECONDS) if messages else []
        return [_record(message) for message in readable(messages)]
    finally:
        consumer.close()


def _config(kafka: KafkaConnection, isolation_level: str) -> dict[str, str | int | float | bool]:
    return {
        **kafka.confluent(),
        "group.id": "unused",  # librdkafka requires one, even if partitions are assigned manually
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": isolation_level,
        "fetch.wait.max.ms": 50,
        "log_level": 3,
    }


def _record(message: Message) -> ConsumerRecord[bytes, bytes]:
    key, value = message.key(), message.value()
    timestamp_type, timestamp = message.timestamp()
    return ConsumerRecord(
        *place(message), timestamp, timestamp_type - 1, key, value, None,
        -1 if key is None else len(key), -1 if value is None else len(value), tuple(headers_of(message)),
    )  # fmt: skip

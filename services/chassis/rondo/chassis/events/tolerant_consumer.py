"""An aiokafka consumer that goes on where aiokafka stops for ever, and tells when it doesn't.

aiokafka can't read a batch of records that has a header whose name is no UTF-8: it fails at the same offset for as long
as it is asked. Any application may write one, so such batches are read with librdkafka.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from confluent_kafka import KafkaException

from rondo.chassis.errors import UnavailableError
from rondo.chassis.events.librdkafka_fallback import read_around

if TYPE_CHECKING:
    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
# FastStream asks again 15 seconds after a failure, at the latest.
_FAILS_SECONDS = 30.0


class UnreadableBatchError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """Neither aiokafka nor librdkafka reads on; a KafkaError, as it is tried again like one."""

    def __init__(self, partitions: dict[TopicPartition, int], error: Exception) -> None:
        places = ", ".join(f"{p.topic}-{p.partition} from offset {at}" for p, at in sorted(partitions.items()))
        super().__init__(f"{places or 'no partition'} can't be read: {error}")


class Reader(AIOKafkaConsumer):  # type: ignore[misc]
    """Hands out all records of its partitions with `getone` and `within`; `getmany` is aiokafka's own."""

    def __init__(self, *topics: str, kafka: KafkaConnection, **options: Any) -> None:
        super().__init__(*topics, **(kafka.aiokafka() | options))
        self._kafka = kafka
        self._isolation_level = options.get("isolation_level", "read_uncommitted")
        # What librdkafka read, and what the position in each of its partitions is as long as nobody else moves it.
        self._around: deque[Record] = deque()
        self._positions: dict[TopicPartition, int] = {}
        self._told = False
        self._trouble, self._failed = "", 0.0

    async def getone(self) -> Record:
        """Return the next record. One whose header names can't be read has no headers, as in a stream.

        Raises:
            KafkaError: reading failed; it may be tried again.

        """
        while True:
            if record := await self.within(None):
                return record

    async def within(self, seconds: float | None) -> Record | None:
        """Return the next record as `getone` does, or None when none came for some seconds."""
        try:
            record = await self._read_around() or await self._read(seconds)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            self._trouble, self._failed = f"{type(error).__name__}: {error}", time.monotonic()
            raise
        if record:
            self._trouble = ""
        return record

    def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: reading fails again and again, and why.

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
            await self._begin_around(error)
        return await self._read_around()

    async def _begin_around(self, error: Exception) -> None:
        """Read the next records of the partitions that have any: aiokafka does not say in which of them it fails."""
        behind = {p: await self.position(p) for p in self.assignment()}
        behind = {p: at for p, at in behind.items() if (self.highwater(p) or 0) > at}
        try:
            found = await asyncio.to_thread(read_around, self._kafka, self._isolation_level, behind)
        except KafkaException as failed:
            raise UnreadableBatchError(behind, failed) from failed
        if not found:
            raise UnreadableBatchError(behind, error)
        if not self._told:  # who writes one such name writes it in every record
            self._told = True
            log.warning("what aiokafka can't read is read with librdkafka, which is slower: %s", error)
        self._around, self._positions = deque(found), behind

    async def _read_around(self) -> Record | None:
        """Return the next record that librdkafka read, unless its partition has gone to another replica or was moved.

        Only now does the position move, which is what a commit commits.
        """
        while self._around:
            record = self._around.popleft()
            partition = TopicPartition(record.topic, record.partition)
            try:
                if await self.position(partition) == self._positions[partition]:
                    self.seek(partition, record.offset + 1)
                    self._positions[partition] = record.offset + 1
                    return record
            except IllegalStateError:
                log.info("%s-%d went to another replica", *partition)
        return None

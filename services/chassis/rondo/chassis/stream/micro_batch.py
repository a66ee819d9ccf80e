"""A micro-batch in flight, and the writer that commits it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.chassis import kafka_records, metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message, TopicPartition

    from rondo.chassis.stream.transactions import Transactions
    from rondo.chassis.stream.transform import Output


@dataclass(slots=True)
class MicroBatch:
    """Messages with their output, the offsets after them, and the metadata of the consumer group that read them.

    `began` is the time on the monotonic clock when its messages were gathered, or when the transform began if it has
    none. `committed` is True after the commit, even if the callback of the output fails then.
    """

    messages: Sequence[Message]
    output: Output
    offsets: list[TopicPartition]
    group: Any
    began: float
    committed: bool = False


@dataclass
class Writer:
    """Commits one micro-batch at a time, on a separate thread. Only the reading thread calls its methods.

    Only the writer's thread calls the producer, and it never calls the consumer.
    """

    name: str
    transactions: Transactions
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "stream-writer"))
    _in_flight: tuple[MicroBatch, Future[None]] | None = None

    def submit(self, batch: MicroBatch) -> None:
        """Begin to write a micro-batch. The previous one must have been settled."""
        assert self._in_flight is None, "one transaction at a time"  # noqa: S101 - order per key depends on it
        self._in_flight = batch, self._thread.submit(self._commit, batch)

    @property
    def idle(self) -> bool:
        return self._in_flight is None or self._in_flight[1].done()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the micro-batch in flight. Return whether none is being written."""
        return self._in_flight is None or bool(wait([self._in_flight[1]], seconds).done)

    def settle(self) -> tuple[MicroBatch, BaseException | None] | None:
        """Wait for the micro-batch in flight, and return it with its error. None if there is none."""
        if self._in_flight is None:
            return None
        (batch, future), self._in_flight = self._in_flight, None
        return batch, future.exception()

    def close(self) -> None:
        self._thread.shutdown()

    def _commit(self, batch: MicroBatch) -> None:
        try:
            self.transactions.begin()
            for record in batch.output.records:
                kafka_records.write(self.transactions.producer, record)
            self.transactions.commit(batch.offsets, batch.group)
        except BaseException:
            # Without the abort the uncommitted records would block read_committed readers until the timeout.
            self.transactions.abort()
            batch.output.aborted()
            raise
        batch.committed = True
        batch.output.committed()
        metrics.STREAM_BATCH_SECONDS.labels(self.name).observe(time.monotonic() - batch.began)
        metrics.STREAM_RECORDS.labels(self.name).inc(len(batch.messages))

"""A micro-batch in flight, and the writer that commits it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rondo.chassis import kafka_records, metrics
from rondo.chassis.stream.rebalance import AfterError, decide_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message, TopicPartition

    from rondo.chassis.stream.group_reader import GroupReader
    from rondo.chassis.stream.rebalance import Partition
    from rondo.chassis.stream.transactions import Transactions
    from rondo.chassis.stream.transform import Output

# The pause before the second rewrite, which doubles. A refused member may need a moment to learn of the new generation.
_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class MicroBatch:
    """Messages with their output, the offsets after them, and the metadata of the consumer group that read them.

    `epochs` are those of its partitions when it was read. `began` is the time on the monotonic clock when its messages
    were gathered, or when the transform began if it has none. `committed` is True after the commit, even if the
    callback of the output fails then. `seconds` is the time of its last transaction until its commit or its error.
    """

    messages: Sequence[Message]
    output: Output
    offsets: list[TopicPartition]
    group: Any
    began: float
    epochs: Mapping[Partition, int] = field(default_factory=dict)
    committed: bool = False
    seconds: float = 0.0


class FreshMetadata:
    """Requests of the writer to the reading thread for metadata of the group. `wake` is called for each."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._pending: tuple[Mapping[Partition, int], Future[Any]] | None = None

    @property
    def pending(self) -> bool:
        return self._pending is not None

    def request(self, epochs: Mapping[Partition, int]) -> Any:
        """Return new metadata for partitions of these epochs. None if one has left, or if this replica is no member."""
        found = Future[Any]()
        self._pending = epochs, found
        self._wake()
        return found.result()

    def refuse(self) -> None:
        """Answer the pending request with None, because the stream is about to start again."""
        if self._pending is not None:
            (_, found), self._pending = self._pending, None
            found.set_result(None)

    def answer(self, reader: GroupReader) -> None:
        """Answer the pending request, on the reading thread. No partition can leave in the meantime."""
        if self._pending is None:
            return
        (epochs, found), self._pending = self._pending, None
        try:
            found.set_result(None if reader.left(epochs) else reader.metadata())
        except BaseException as error:
            found.set_exception(error)
            raise


@dataclass
class Writer:
    """Commits one micro-batch at a time, on a separate thread. Only the reading thread calls its methods.

    Only the writer's thread calls the producer, and it never calls the consumer. It requests new metadata of the group
    by `fresh`. `done` is called when a micro-batch is committed or has failed.
    """

    name: str
    transactions: Transactions
    fresh: Callable[[Mapping[Partition, int]], Any] = lambda _: None
    done: Callable[[], object] = lambda: None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "stream-writer"))
    _in_flight: tuple[MicroBatch, Future[None]] | None = None

    def submit(self, batch: MicroBatch) -> None:
        """Begin to write a micro-batch. The previous one must have been settled."""
        assert self._in_flight is None, "one transaction at a time"  # noqa: S101 - order per key depends on it
        self._in_flight = batch, self._thread.submit(self._commit, batch)
        self._in_flight[1].add_done_callback(lambda _: self.done())

    @property
    def idle(self) -> bool:
        return self._in_flight is None or self._in_flight[1].done()

    def settle(self) -> tuple[MicroBatch, BaseException | None] | None:
        """Wait for the micro-batch in flight, and return it with its error. None if there is none."""
        if self._in_flight is None:
            return None
        (batch, future), self._in_flight = self._in_flight, None
        return batch, future.exception()

    def close(self) -> None:
        self._thread.shutdown()

    def _commit(self, batch: MicroBatch) -> None:
        group, rewrites = batch.group, 0
        while True:
            try:
                self._write(batch, group)
                break
            except BaseException as error:
                group = None
                try:
                    # Without the abort the uncommitted records would block read_committed readers until the timeout.
                    if self.transactions.abort():
                        group = self._group_to_rewrite(error, batch, rewrites)
                finally:
                    if group is None:
                        batch.output.aborted()
                if group is None:
                    raise
            if rewrites:
                self.transactions.pause(_PAUSE_SECONDS * 2 ** (rewrites - 1))
            rewrites += 1
        batch.committed = True
        batch.output.committed()
        metrics.STREAM_BATCH_SECONDS.labels(self.name).observe(time.monotonic() - batch.began)
        metrics.STREAM_RECORDS.labels(self.name).inc(len(batch.messages))

    def _write(self, batch: MicroBatch, group: Any) -> None:
        began = time.monotonic()
        try:
            self.transactions.begin()
            for record in batch.output.records:
                kafka_records.write(self.transactions.producer, record)
            self.transactions.commit(batch.offsets, group)
        finally:
            batch.seconds = time.monotonic() - began

    def _group_to_rewrite(self, error: BaseException, batch: MicroBatch, rewrites: int) -> Any:
        """Return the metadata with which an aborted micro-batch is written again. None if it must be read again."""
        if decide_after(error, rewrites) is AfterError.RESTART:
            return None
        if (group := self.fresh(batch.epochs)) is not None:
            metrics.STREAM_REWRITES.labels(self.name).inc()
        return group

"""The exactly-once stream: output records and offsets of the input in one Kafka transaction (KIP-98, KIP-447).

It uses confluent-kafka, which was measured and chosen over aiokafka: librdkafka fences a zombie by the metadata of the
consumer group, and sends heartbeats on a separate thread. Three threads share the work. One reads, and only it calls
the consumer. One transforms, so that a long inference delays no callback of a rebalance. One commits the previous
micro-batch, and only it calls the producer.

Rebalances are cooperative. The stream owns a partition until the callback of its revocation returns, so the callback
waits for the micro-batch in flight. Only the reading thread asks for the metadata of the group, when no partition of
the micro-batch has left this replica since it was read (`rebalance.py`). Metadata that is read at the commit could
belong to a generation in which another replica owns a partition, or to no member, which the broker would not check. A
micro-batch that is refused for its generation is written again with new metadata, on the same condition. A micro-batch
that lost a partition while it was transformed is dropped, and the messages of its other partitions are taken again.

Another failure aborts the transaction, and the stream starts again from the committed offsets. No output was visible,
and no message is lost. A message on which the transform fails repeatedly becomes a dead letter (`poison_pill.py`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Message

from rondo.chassis import metrics
from rondo.chassis.dead_letters import dead_letter, report_unprocessable
from rondo.chassis.errors import Backoff, UnavailableError, panics_as_errors
from rondo.chassis.kafka_records import Record, place
from rondo.chassis.stream.group_owners import GroupOwners
from rondo.chassis.stream.group_reader import GroupReader, require_member
from rondo.chassis.stream.hanging_transactions import HangingTransactionCheck
from rondo.chassis.stream.micro_batch import FreshMetadata, MicroBatch, Writer
from rondo.chassis.stream.offset_metadata import OffsetsWithMetadata
from rondo.chassis.stream.offsets import ends, lag
from rondo.chassis.stream.poison_pill import MAX_CONSECUTIVE, Failure, PoisonPillTracker, caused_by_content
from rondo.chassis.stream.rebalance import REVOKE_SECONDS, PartitionsMovedError
from rondo.chassis.stream.transactions import Transactions, next_share
from rondo.chassis.stream.transform import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from rondo.chassis.stream.config import StreamSettings
    from rondo.chassis.stream.rebalance import Partition
    from rondo.chassis.stream.transform import Notes, Transform

log = logging.getLogger(__name__)
# Without this logger librdkafka writes to standard error, and not as JSON.
_LIBRARY_LOG = logging.getLogger("librdkafka")
_STALE_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_LAG_SECONDS = 1.0
# The time of a transform after which the reading thread begins to run callbacks of rebalances. The pause of
# the partitions drops what was read ahead, so quick micro-batches do without.
_SERVE_AFTER_SECONDS = 0.25
# Some brokers need half a second for each commit, and a stream on them must keep what it reads ahead.
_SERVE_COMMIT_AFTER_SECONDS = 1.0
_SERVE_SECONDS = 0.1


_HUNG = (
    "a call of librdkafka does not return, so the process exits: its supervisor restarts it, and messages that were not"
    " committed are read again"
)


def end_process() -> None:
    """Exit like after a crash, because a thread that hangs in a library prevents an orderly exit."""
    os._exit(1)


class ExactlyOnceStream:
    """Runs a transform between topics, on a separate thread."""

    def __init__(
        self,
        settings: StreamSettings,
        transform: Transform,
        backoff: Backoff | None = None,
        end_process: Callable[[], object] = end_process,
        moved: Callable[[Collection[Partition] | None], object] = lambda _: None,
        notes: Notes | None = None,
        max_records: Callable[[], int] | None = None,
        cancel: Callable[[], object] = lambda: None,
    ) -> None:
        """Set up the stream. `moved` is called with partitions that have, or may have had, another owner.

        With None it means all of them. It is called before their next messages, and maybe during a call of the
        transform. `notes` is the transform if it has notes. The notes of a partition are restored after `moved`.
        `max_records` returns the largest number of messages that the transform takes in time, which is at least 1.
        `cancel` is called during a call of the transform whose output will be dropped.
        """
        self._settings = settings
        self._transform = transform
        self._backoff = backoff or Backoff(first=0.2)
        self._end_process = end_process
        self._moved = moved
        self._notes = notes
        self._max_records = max_records or (lambda: settings.max_records)
        self._cancel = cancel
        self._wake = threading.Event()
        self._fresh = FreshMetadata(self._wake.set)
        self._reader = GroupReader(
            settings.linger, settings.max_bytes, self._leave, self._release, self._answer_writer
        )  # fmt: skip
        self._threads = ThreadPoolExecutor(1, "stream-transform")
        self._offsets = OffsetsWithMetadata(notes)
        self._transactions: Transactions | None = None
        self._writer: Writer | None = None
        self._stop = threading.Event()
        self._last_turn = self._lag_measured = 0.0
        self._commits = 0
        # The share of the largest micro-batch that Kafka takes in time.
        self._share = 1.0
        self._poison = PoisonPillTracker()
        self._owners = GroupOwners(settings)
        self._trouble: str | None = "not started"
        self._loop: asyncio.AbstractEventLoop | None = None
        # It is set after the first turn as a member of the group, even without partitions, if there are more replicas
        # than partitions. Parts that can start later wait for it.
        self.polling = asyncio.Event()

    async def run(self) -> None:
        """Stream until cancelled. At the end, finish the running transaction and leave the group."""
        self._loop = asyncio.get_running_loop()
        thread = asyncio.create_task(asyncio.to_thread(self._run))
        owners = asyncio.create_task(self._owners.run())
        try:
            while not thread.done():
                await asyncio.wait([thread, owners], timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if owners.done():
                    owners.result()  # it raises
                if self._transactions is not None and self._transactions.hung:
                    log.critical("stream %s: %s", self._settings.name, _HUNG)
                    self._end_process()
        finally:
            self._stop.set()
            self._wake.set()
            owners.cancel()
            await thread
            await asyncio.wait([owners])
            self._threads.shutdown()

    async def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: the stream does not advance. The message says why.

        """
        if self._trouble:
            raise UnavailableError(f"the stream {self._settings.name}", self._trouble)
        if time.monotonic() - self._last_turn > _STALE_SECONDS:
            raise UnavailableError(f"the stream {self._settings.name}", f"no turn for {_STALE_SECONDS:g} s")

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            commits_before = self._commits
            try:
                self._turn_until_stopped()
            except PartitionsMovedError as error:
                log.info("stream %s: %s", self._settings.name, error)
                continue
            except KafkaException as error:
                self._trouble = f"Kafka: {error.args[0].str()}"
            except Exception as error:  # noqa: BLE001 - the boundary: every error is logged and retried
                self._trouble = f"{type(error).__name__}: {error}"
            else:
                return
            if self._stop.is_set():
                log.info("stream %s stops within a micro-batch: %s", self._settings.name, self._trouble)
                return
            if self._poison.tripped:
                self._trouble += (
                    f"; {MAX_CONSECUTIVE} consecutive messages became dead letters, so the stream is paused. Likely"
                    " a bug in this release: roll back or fix it"
                )
            attempt = attempt + 1 if self._commits == commits_before else 1
            log.warning("stream %s restarts: %s", self._settings.name, self._trouble, extra={"attempt": attempt})
            metrics.STREAM_RESTARTS.labels(self._settings.name).inc()
            self._stop.wait(self._backoff.delay(attempt))

    def _turn_until_stopped(self) -> None:
        settings = self._settings
        transactions = self._transactions = Transactions(settings, self._stop, _LIBRARY_LOG)
        writer = self._writer = Writer(settings.name, transactions, self._fresh.request, self._wake.set)
        consumer = Consumer(settings.consumer_config(), logger=_LIBRARY_LOG)
        self._forget()
        began = time.monotonic()
        hanging = HangingTransactionCheck(settings.hanging_after)
        try:
            self._owners.look_again()
            self._reader.start(consumer, settings.topics)
            while not self._stop.is_set():
                self._turn(consumer, writer)
                self._last_turn = time.monotonic()
                self._trouble = hanging.trouble(consumer) if self._reader.last_gathered < began else None
                self._measure_lag(consumer)
                if self._loop is not None and self._reader.joined:
                    self._loop.call_soon_threadsafe(self.polling.set)
                    self._loop = None
        finally:
            try:
                self._settle(writer, serve=False)
            finally:
                consumer.close()
                writer.close()

    def _forget(self) -> None:
        """Forget all partitions, because what was not committed is dropped."""
        self._offsets.forget()
        self._moved(None)

    def _leave(self, partitions: Collection[Partition]) -> None:
        self._offsets.leave(partitions)
        self._moved(partitions)

    def _release(self) -> None:
        """Wait for the commit of the micro-batch in flight before partitions are released."""
        if self._writer is not None and not self._wait(
            lambda: self._writer is None or self._writer.idle, REVOKE_SECONDS
        ):
            log.warning("stream %s: a commit took longer than a rebalance waits", self._settings.name)

    def _answer_writer(self) -> None:
        self._fresh.answer(self._reader)

    def _wait(
        self,
        done: Callable[[], bool],
        seconds: float = math.inf,
        *,
        serve: float = 0.0,
        after: float = _SERVE_AFTER_SECONDS,
    ) -> bool:
        """Wait at most `seconds` until `done`, and answer the writer. Return whether it is done.

        Callbacks of rebalances run meanwhile, from `after` until `serve` seconds, or at once if the writer asks.
        """
        began = time.monotonic()
        while True:
            self._wake.clear()
            if done():
                return True
            if (passed := time.monotonic() - began) >= seconds:
                return False
            pause = after - passed
            if passed < serve and (pause <= 0 or self._fresh.pending):
                self._reader.serve()  # which answers the writer, too
                pause = _SERVE_SECONDS
            else:
                self._answer_writer()
            self._wake.wait(min(max(pause, _SERVE_SECONDS), seconds - passed))

    def _measure_lag(self, consumer: Consumer) -> None:
        if self._last_turn - self._lag_measured >= _LAG_SECONDS:
            self._lag_measured = self._last_turn
            metrics.STREAM_LAG.labels(self._settings.name).set(lag(consumer))

    def _turn(self, consumer: Consumer, writer: Writer) -> None:
        """Read and transform one micro-batch while the previous one is committed, then submit it to the writer.

        After a failure of either one the caller makes new clients.
        """
        if not self._poison.clean:
            self._settle(writer)  # the outcome decides which messages are read next
        most = max(int(self._settings.max_records * self._share), 1)
        size = self._poison.batch_size(min(self._max_records(), most))
        self._reader.max_bytes = int(self._settings.max_bytes * self._share)
        messages = self._reader.gather(size, idle=lambda: writer.idle, active=self._active)
        positions = ends(messages)
        partitions = {(each.topic, each.partition) for each in positions}
        self._offsets.restore(consumer, partitions)
        if not messages:
            if not self._poison.clean and (assigned := consumer.assignment()):
                self._poison.assigned({(each.topic, each.partition) for each in assigned})
            if not self._active:
                self._settle(writer)
                return
        group = self._reader.metadata()
        if group is None:
            require_member(group, messages)
            return
        # Messages count from when they were gathered. Other output has no message, so the time of the last ones, which
        # may be minutes ago, says nothing about it.
        began = self._reader.last_gathered if messages else time.monotonic()
        read = self._reader.epochs(partitions)
        known = self._reader.epochs({*partitions, *self._offsets.partitions})
        output = self._transformed(messages, read, writer)
        self._settle(writer, output)
        epochs = {each: known[each] for each in {*read, *output.notes}}
        if left := self._reader.left(epochs):
            self._drop(messages, output, epochs, left)
            return
        if not epochs:
            # No offset would fence these records, and nothing shows that their partition has left.
            assert not output.records, "records need a message or a note"  # noqa: S101 - the contract of `Output`
            return
        # A callback may have raised the generation since. As no partition has left, the new metadata is safe. A replica
        # that is no member any more keeps the old one, which the broker refuses.
        group = self._reader.metadata() or group
        offsets = self._offsets.after(positions, output.notes)
        writer.submit(MicroBatch(messages, output, offsets, group, began, epochs))

    def _drop(
        self, messages: list[Message], output: Output, epochs: Mapping[Partition, int], left: Collection[Partition]
    ) -> None:
        """Drop a micro-batch some of whose partitions have left. The messages of the others are taken again."""
        output.aborted()
        self._forget()
        self._reader.put_back(messages, epochs)
        metrics.STREAM_DROPS.labels(self._settings.name).inc()
        log.info("stream %s: %s", self._settings.name, PartitionsMovedError(left))

    @property
    def _active(self) -> bool:
        return self._notes is not None and self._notes.active

    def _transformed(self, messages: list[Message], epochs: Mapping[Partition, int], writer: Writer) -> Output:
        """Return the output of a micro-batch. The output of a message that fails repeatedly is a dead letter.

        Where a partition of these `epochs` has left, the output is to be dropped, and may be empty.
        """
        if not self._poison.clean and (poison := self._poison.poison(_places(messages))):
            return Output([self._dead_letter(messages[0], poison)])
        transforming = self._threads.submit(self._transform_on_thread, messages)
        transforming.add_done_callback(lambda _: self._wake.set())

        def done() -> bool:
            # Repeatedly, because a transform whose thread has only begun may not have been ready for the first call.
            if self._stop.is_set() or self._reader.left(epochs):
                self._cancel()
            return transforming.done()

        try:
            self._wait(done, serve=self._settings.turn_timeout)
        except BaseException:
            while not wait_for([transforming], _SERVE_SECONDS).done:  # its state must not change during a restart
                self._cancel()
                self._fresh.refuse()  # the writer must not wait for this thread
            if transforming.exception() is None:
                transforming.result().aborted()
            raise
        if (error := transforming.exception()) is None:
            return transforming.result()
        self._settle(writer)  # the previous micro-batch is not part of this failure
        if self._reader.left(epochs):
            return Output([])
        if messages and caused_by_content(error):
            self._poison.failed(_places(messages), error)
        raise error

    def _transform_on_thread(self, messages: list[Message]) -> Output:
        with panics_as_errors():
            return self._transform(messages)

    def _settle(self, writer: Writer, behind: Output | None = None, *, serve: bool = True) -> None:
        """Wait for the micro-batch in flight and record its outcome. If this raises, the output `behind` it is dropped.

        With `serve` callbacks of rebalances may run meanwhile.

        Raises:
            BaseException: the error that prevented its commit, or occurred after its commit.

        """
        try:
            self._wait(lambda: writer.idle, serve=math.inf if serve else 0.0, after=_SERVE_COMMIT_AFTER_SECONDS)
        except BaseException:
            if behind is not None:
                behind.aborted()
            raise
        if (settled := writer.settle()) is None:
            return
        batch, error = settled
        used = batch.seconds / self._settings.transaction_timeout
        self._share = next_share(self._share, used, committed=batch.committed)
        if batch.committed:
            # This also applies if its callback failed: its messages are not read again, so they are not the cause.
            if batch.messages and not self._poison.clean:
                self._poison.passed(_places(batch.messages))
            self._commits += 1
        elif error is not None and batch.messages and caused_by_content(error):
            self._poison.failed(_places(batch.messages), error)
        if error is not None:
            if behind is not None:
                behind.aborted()
            raise error

    def _dead_letter(self, message: Message, failure: Failure) -> Record:
        attempts, error = failure
        report_unprocessable(message, self._settings.dead_letters, error)
        # The key determines the partition, because only the transform knows the number of partitions.
        return dead_letter(
            message, self._settings.dead_letters, self._settings.name, error, attempts, reason="unprocessable"
        )


def _places(messages: Sequence[Message]) -> list[tuple[str, int, int]]:
    return [place(message) for message in messages]

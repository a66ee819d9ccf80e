"""The exactly-once stream: output records and offsets of the input in one Kafka transaction (KIP-98, KIP-447).

It uses confluent-kafka, which was measured and chosen over aiokafka: librdkafka fences a zombie by the metadata of the
consumer group, and sends heartbeats on a separate thread. The stream reads and transforms on its own thread, so that
inference and the event loop do not block each other, while another thread commits the previous micro-batch. Only the
reading thread calls the consumer, and only the committing thread calls the producer.

A rebalance is eager: the stream owns the partitions until the callback returns, so the callback waits for the
micro-batch in flight. The metadata of the group is read together with the messages. Metadata that is read at the commit
could belong to a later generation, or to no member, which the broker would not check.

A failure aborts the transaction, and the stream starts again from the committed offsets. No output was visible, and no
message is lost. A message on which the transform fails repeatedly becomes a dead letter (`poison_pill.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from operator import methodcaller
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from rondo.chassis import metrics
from rondo.chassis.dead_letters import dead_letter, report_unprocessable
from rondo.chassis.errors import Backoff, UnavailableError, panics_as_errors
from rondo.chassis.kafka_records import Record, place, readable
from rondo.chassis.stream.hanging_transactions import HangingTransactionCheck
from rondo.chassis.stream.micro_batch import MicroBatch, Writer
from rondo.chassis.stream.offset_metadata import OffsetsWithMetadata
from rondo.chassis.stream.offsets import lag
from rondo.chassis.stream.poison_pill import MAX_CONSECUTIVE, Failure, PoisonPillTracker, caused_by_content
from rondo.chassis.stream.transactions import Transactions
from rondo.chassis.stream.transform import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rondo.chassis.stream.config import StreamSettings
    from rondo.chassis.stream.transform import Notes, Transform

log = logging.getLogger(__name__)
# Without this logger librdkafka writes to standard error, and not as JSON.
_LIBRARY_LOG = logging.getLogger("librdkafka")
_KEY = methodcaller("key")
_STALE_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_IDLE_SECONDS = 0.5
# The longest time of a poll while the transform may have output that no message causes.
_ACTIVE_SECONDS = 0.02
_LAG_SECONDS = 1.0
# The time of one wait for messages while a commit is in progress.
_COMMIT_LOOK_SECONDS = 0.002
# The length of a slice of the linger time. The bytes of the micro-batch are counted after each slice. Slices by number
# of messages would cost 60 us each, and are not needed: if messages wait, a call returns at most the prefetched ones.
_SLICE_SECONDS = 0.02
# The time that a rebalance waits for the micro-batch in flight. A commit that takes longer is fenced. It is less than
# `max.poll.interval.ms`.
_REVOKE_SECONDS = 8.0


_HUNG = (
    "a call of librdkafka does not return, so the process exits: its supervisor restarts it, and messages that were not"
    " committed are read again"
)


class PartitionsMovedError(Exception):
    """Partitions were revoked while a micro-batch was gathered. Their new owner reads the same messages."""

    def __init__(self, partitions: Iterable[tuple[str, int]]) -> None:
        self.partitions = sorted(partitions)
        names = ", ".join(f"{topic}-{partition}" for topic, partition in self.partitions)
        super().__init__(f"{names} moved to another replica, which reads the unanswered messages again")


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
        moved: Callable[[], object] = lambda: None,
        notes: Notes | None = None,
        max_records: Callable[[], int] | None = None,
    ) -> None:
        """Set up the stream. `moved` is called before messages of partitions that may have had another owner.

        It is called on the transform's thread. `notes` is the transform if it has notes. The notes of a partition are
        restored after `moved`. `max_records` returns the largest number of messages that the transform takes in time,
        which is at least 1.
        """
        self._settings = settings
        self._transform = transform
        self._backoff = backoff or Backoff(first=0.2)
        self._end_process = end_process
        self._moved = moved
        self._notes = notes
        self._max_records = max_records or (lambda: settings.max_records)
        self._offsets = OffsetsWithMetadata(notes)
        self._transactions: Transactions | None = None
        self._writer: Writer | None = None
        self._stop = threading.Event()
        self._last_turn = self._last_gathered = self._lag_measured = 0.0
        self._commits = 0
        self._poison = PoisonPillTracker()
        self._revoked: set[tuple[str, int]] = set()
        self._trouble: str | None = "not started"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._joined = False
        # It is set after the first turn as a member of the group, even without partitions, if there are more replicas
        # than partitions. Parts that can start later wait for it.
        self.polling = asyncio.Event()

    async def run(self) -> None:
        """Stream until cancelled. At the end, finish the running transaction and leave the group."""
        self._loop = asyncio.get_running_loop()
        thread = asyncio.create_task(asyncio.to_thread(self._run))
        try:
            while not (await asyncio.wait([thread], timeout=_LOOK_SECONDS))[0]:
                if self._transactions is not None and self._transactions.hung:
                    log.critical("stream %s: %s", self._settings.name, _HUNG)
                    self._end_process()
        finally:
            self._stop.set()
            await thread

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
        writer = self._writer = Writer(settings.name, transactions)
        consumer = Consumer(settings.consumer_config(), logger=_LIBRARY_LOG)
        self._offsets.forget()
        self._moved()
        began = time.monotonic()
        hanging = HangingTransactionCheck(settings.hanging_after)
        try:
            consumer.subscribe(list(settings.topics), self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
            while not self._stop.is_set():
                self._turn(consumer, writer)
                self._last_turn = time.monotonic()
                self._trouble = hanging.trouble(consumer) if self._last_gathered < began else None
                self._measure_lag(consumer)
                if self._loop is not None and self._joined:
                    self._loop.call_soon_threadsafe(self.polling.set)
                    self._loop = None
        finally:
            try:
                self._settle(writer)
            finally:
                consumer.close()
                writer.close()

    def _gather(self, consumer: Consumer, writer: Writer) -> list[Message]:
        """Read a micro-batch: wait for the first message, then take messages that arrive within the linger time.

        While the previous micro-batch is being committed, and there is room, further messages are taken. A micro-batch
        that is complete earlier would only wait for that commit, and later messages would wait for the next one.
        """
        self._revoked.clear()
        messages = consumer.consume(1, _ACTIVE_SECONDS if self._active else _IDLE_SECONDS)
        if messages:
            until = self._last_gathered + self._settings.linger
            size = self._poison.batch_size(min(self._max_records(), self._settings.max_records))
            more, content, lingers = messages, 0, True
            while len(messages) < size and (lingers or not writer.idle):
                content += _bytes(more)  # not for messages that complete it: 4,000 keys take half a millisecond
                if content >= self._settings.max_bytes:
                    break
                left = max(until - time.monotonic(), 0.0)
                wait = min(left, _SLICE_SECONDS) if lingers else _COMMIT_LOOK_SECONDS
                more = consumer.consume(size - len(messages), wait)
                messages += more
                lingers = lingers and left > wait
            self._last_gathered = time.monotonic()
        found = readable(messages)
        # Revocations are delivered only inside `consume`, so none can occur between here and the next call.
        if self._revoked and (moved := self._revoked & {place(message)[:2] for message in found}):
            raise PartitionsMovedError(moved)
        return found

    def _on_assign(self, *_: object) -> None:
        self._joined = True

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Wait for the commit of the micro-batch in flight: the stream owns these partitions until this returns."""
        if self._writer is not None and not self._writer.wait(_REVOKE_SECONDS):
            log.warning("stream %s: a commit took longer than a rebalance waits", self._settings.name)
        self._on_lost(_, partitions)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked.update((partition.topic, partition.partition) for partition in partitions)
        self._offsets.forget()
        self._moved()

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
        messages = self._gather(consumer, writer)
        self._offsets.restore(consumer, messages)
        if not messages:
            if not self._poison.clean and (assigned := consumer.assignment()):
                self._poison.assigned({(each.topic, each.partition) for each in assigned})
            if not self._active:
                self._settle(writer)
                return
        group = consumer.consumer_group_metadata()
        if not consumer.memberid():
            if not messages:
                return
            # The broker would not fence a commit without the metadata of a group member. The messages are dropped,
            # because only another call of `consume` makes this consumer join again.
            raise PartitionsMovedError({place(message)[:2] for message in messages})
        # Messages count from when they were gathered. Other output has no message, so the time of the last ones, which
        # may be minutes ago, says nothing about it.
        began = self._last_gathered if messages else time.monotonic()
        output = self._transformed(messages, writer)
        self._settle(writer, output)
        if not messages and not output.records and not output.notes:
            return
        offsets = self._offsets.after(messages, output.notes)
        writer.submit(MicroBatch(messages, output, offsets, group, began))

    @property
    def _active(self) -> bool:
        return self._notes is not None and self._notes.active

    def _transformed(self, messages: list[Message], writer: Writer) -> Output:
        """Return the output of a micro-batch. The output of a message that fails repeatedly is a dead letter."""
        if not self._poison.clean and (poison := self._poison.poison(_places(messages))):
            return Output([self._dead_letter(messages[0], poison)])
        try:
            with panics_as_errors():
                return self._transform(messages)
        except Exception as error:
            self._settle(writer)  # the previous micro-batch is not part of this failure
            if messages and caused_by_content(error):
                self._poison.failed(_places(messages), error)
            raise

    def _settle(self, writer: Writer, behind: Output | None = None) -> None:
        """Wait for the micro-batch in flight and record its outcome. If this raises, the output `behind` it is dropped.

        Raises:
            BaseException: the error that prevented its commit, or occurred after its commit.

        """
        if (settled := writer.settle()) is None:
            return
        batch, error = settled
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


def _bytes(messages: Sequence[Message]) -> int:
    """Return the size of the values and keys."""
    return sum(map(len, messages)) + sum(map(len, filter(None, map(_KEY, messages))))

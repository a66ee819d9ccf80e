"""Queues of single models whose requests would delay shared micro-batches.

A model gets its own queue if it does not score its part of a micro-batch in time, or while its answers are read back
(`repeated_requests.py`). The stream then reads past its requests. A note that is committed with the offset of a
partition has the position of the first unanswered request (`queue_positions.py`). The queue reads the requests again
(`model_queue.py`), and a thread scores some at a time. Their answers and the new position are committed with the next
micro-batch. When the queue has caught up, the model shares micro-batches again, unless a single row would take too
long.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.kafka_records import place
from rondo.contracts.events.predictions import PredictionRequested
from rondo.serving import metrics
from rondo.serving.stream.model_queue import ModelQueue, model_of
from rondo.serving.stream.queue_positions import decode_positions, encode_positions
from rondo.serving.stream.queue_runs import RUN_SECONDS, QueueRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.inference.pace import Paces
    from rondo.serving.stream.model_queue import Requests
    from rondo.serving.stream.queue_answers import Answers

log = logging.getLogger(__name__)
_TOPIC = PredictionRequested.topic
_PARTITION, _OFFSET = methodcaller("partition"), methodcaller("offset")
# The names of this many models fit into the metadata of an offset.
MAX_QUEUES = 32
# The number of messages that all queues read in one call, in addition to those that the stream has read. Each takes
# about a microsecond of the stream's thread.
_READ = 4_000
_MEASURE_SECONDS = 1.0


@dataclass
class OwnQueues:
    """Implements `Notes`. Only `forget` may be called from another thread than the one that reads.

    `requests` makes the reader of a model. A model has `seconds` for its part of a micro-batch. With None the time is
    not limited, and only queues that another replica has begun are processed.
    """

    requests: Callable[[str], Requests]
    paces: Paces
    seconds: float | None
    now: Callable[[], float] = time.time
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2))
    _queues: dict[str, ModelQueue] = field(default_factory=dict)
    # By partition, the offset after the messages that the stream has read past.
    _ends: dict[int, int] = field(default_factory=dict)
    _changed: set[int] = field(default_factory=set)
    _moved: set[int] = field(default_factory=set)
    _stale: bool = False
    # Partitions that have left. Another thread may add some.
    _left: list[Collection[int]] = field(default_factory=list)
    # The number of messages of the last micro-batch. A queue that reads fewer at a time would never catch up.
    _passed_messages: int = 0
    _measured: float = 0.0

    def __post_init__(self) -> None:
        self._runs = QueueRuns(self.backoff)

    def forget(self, partitions: Collection[int] | None = None) -> None:
        """Drop the state of partitions before the next messages, because they may have, or have had, another owner.

        With None drop all state, because a micro-batch was aborted.
        """
        if partitions is None:
            self._stale = True
        else:
            self._left.append(partitions)

    def restore(self, notes: Mapping[tuple[str, int], tuple[int, str]]) -> None:
        self._drop_stale()
        for (_, partition), (offset, note) in notes.items():
            if offset < 0:
                continue
            self._ends[partition] = offset
            for model, position in decode_positions(note).items():
                self._queue(model, "its requests waited when the partition came here").add({partition: position})

    @property
    def active(self) -> bool:
        return bool(self._queues) and not self._stale

    def fit(self, models: Collection[str]) -> bool:
        """Return whether each of these models has or can get a queue. The size of a note limits their number."""
        return self.seconds is not None and len(self._queues.keys() | set(models)) <= MAX_QUEUES

    def shared(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages of a micro-batch without the requests that wait in a queue."""
        # State is dropped once per call of the stream, in `answered`. Here it would take the notes of records that were
        # yielded before. A partition that has left since then has a note, so the stream drops the output.
        if not self._queues:
            return messages
        left = {(model, partition) for model, queue in self._queues.items() for partition in queue.positions}
        partitions = {partition for _, partition in left}
        return [
            each for each in messages
            if each.partition() not in partitions or (model_of(each), each.partition()) not in left
        ]  # fmt: skip

    def wait(self, model: str, messages: Sequence[Message], reason: str) -> None:
        """Leave these requests to the model's queue. They are the last requests to the model in their partitions."""
        queue, positions = self._queue(model, reason), dict[int, int]()
        for message in messages:
            _, partition, offset = place(message)
            if partition not in queue.positions:
                positions.setdefault(partition, offset)
        queue.add(positions)
        self._changed |= positions.keys()

    def passed(self, messages: Sequence[Message]) -> None:
        """Record that the stream has read past these messages, which are all of a micro-batch."""
        self._passed_messages = len(messages)
        last: dict[Any, Any] = dict(zip(map(_PARTITION, messages), map(_OFFSET, messages), strict=True))
        self._ends |= {partition: offset + 1 for partition, offset in last.items()}

    def answered(self, answers: Answers) -> Iterator[Record | Records]:
        """Yield the records of scored requests. Leave partitions to the stream if a queue has caught up."""
        self._drop_stale()
        limit = math.inf if self.seconds is None else self.seconds
        budget = (RUN_SECONDS if self.seconds is None else self.seconds) / 2
        for queue in list(self._queues.values()):
            self._read(queue, _READ // len(self._queues) + self._passed_messages)
            if queue.running is not None:
                if not queue.running.inference.done():
                    continue
                yield from self._runs.finish(queue, queue.running, answers)
            self._moved |= queue.advance(self._ends)
            if not answers.is_slow(queue.model, limit):
                if not answers.is_slow(queue.model, budget):
                    began = time.perf_counter()
                    yield from self._runs.answer_last(queue, answers, self._ends, budget)
                    budget -= time.perf_counter() - began
                    self._moved |= queue.advance(self._ends)
                self._leave(queue)
        self._measure()

    def _read(self, queue: ModelQueue, most: int) -> None:
        """Read further requests. If the reader fails, only its own model waits until another one reads on."""
        if time.monotonic() < queue.retry_read_at:
            return
        try:
            queue.read(most)
        except UnavailableError as error:
            queue.failed_reads += 1
            queue.retry_read_at = time.monotonic() + self.backoff.delay(queue.failed_reads)
            log.warning(
                "the queue of %s reads no requests: %s", queue.model, error, extra={"attempt": queue.failed_reads}
            )
            queue.reopen(self.requests(queue.model))

    def _leave(self, queue: ModelQueue) -> None:
        if ended := queue.caught_up(self._ends):
            queue.leave(ended)
            self._changed |= ended
            if not queue.positions:
                log.info("%s has left its queue: it has caught up", queue.model)
                self._close(queue)

    def start(self, answers: Answers) -> Iterator[Record]:
        """Score the next requests of each queue. Yield dead letters of requests for which scoring fails."""
        for queue in self._queues.values():
            yield from self._runs.start(queue, answers, self._ends)

    def notes(self, messages: Sequence[Message]) -> dict[tuple[str, int], str]:
        """Return the notes to commit with a micro-batch."""
        changed = self._changed | self._runs.take_changed()
        if self._moved:
            changed |= self._moved & {place(message)[1] for message in messages}
        self._moved -= changed
        self._changed = set()
        return {(_TOPIC, partition): encode_positions(self._positions(partition)) for partition in changed}

    def close(self) -> None:
        """End all queues after the stream has ended.

        The next owner of the partitions answers the remaining requests.
        """
        self._stale = True
        self._drop_stale()
        self._runs.close()

    def _queue(self, model: str, reason: str) -> ModelQueue:
        if model not in self._queues:
            log.info("%s has a queue of its own: %s", model, reason)
            self._queues[model] = ModelQueue(model, self.requests(model))
        return self._queues[model]

    def _positions(self, partition: int) -> dict[str, int]:
        queues = self._queues.items()
        return {model: queue.positions[partition] for model, queue in queues if partition in queue.positions}

    def _drop_stale(self) -> None:
        while self._left:
            self._drop(set(self._left.pop()))
        if not self._stale:
            return
        self._stale = False
        for queue in list(self._queues.values()):
            self._close(queue)
        self._ends.clear()
        self._changed, self._moved = set(), set()
        self._runs.take_changed()

    def _drop(self, partitions: set[int]) -> None:
        """Drop the state of partitions, which their next owner restores."""
        for queue in list(self._queues.values()):
            if not (left := partitions & queue.positions.keys()):
                continue
            if queue.running is not None and any(place(each)[1] in left for each in queue.running.messages):
                # Its answers can't be committed without those of the other partitions.
                kept = [each for each in queue.running.messages if place(each)[1] not in left]
                self._cancel(queue)
                queue.put_back(kept)
            queue.leave(left)
            if not queue.positions:
                self._close(queue)
        for each in partitions:
            self._ends.pop(each, None)
        self._changed -= partitions
        self._moved -= partitions
        self._runs.leave(partitions)

    def _cancel(self, queue: ModelQueue) -> None:
        """Drop the run of a queue, if it has one."""
        if queue.running is not None:
            queue.running.inference.cancel()
            queue.running.inference.add_done_callback(queue.running.dropped)
            queue.running = None

    def _close(self, queue: ModelQueue) -> None:
        self._cancel(queue)
        queue.requests.close()
        del self._queues[queue.model]
        metrics.QUEUE_SECONDS.labels(queue.model).set(0)

    def _measure(self) -> None:
        if time.monotonic() - self._measured < _MEASURE_SECONDS:
            return
        self._measured = time.monotonic()
        for model, queue in self._queues.items():
            oldest = queue.oldest(self._ends)
            metrics.QUEUE_SECONDS.labels(model).set(0 if oldest is None else max(self.now() - oldest, 0))

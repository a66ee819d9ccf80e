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
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol

from rondo.chassis.errors import Backoff, panics_as_errors
from rondo.chassis.kafka_records import place
from rondo.chassis.stream.poison_pill import caused_by_content
from rondo.contracts.events.predictions import PredictionRequested
from rondo.serving import metrics
from rondo.serving.stream.model_queue import ModelQueue, Run, model_of
from rondo.serving.stream.queue_positions import decode_positions, encode_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.inference.pace import Paces
    from rondo.serving.stream.model_queue import Requests

log = logging.getLogger(__name__)
_TOPIC = PredictionRequested.topic
_PARTITION, _OFFSET = methodcaller("partition"), methodcaller("offset")
# The names of this many models fit into the metadata of an offset.
MAX_QUEUES = 32
_THREADS = 8
# The number of messages that all queues read in one call, in addition to those that the stream has read. Each takes
# about a microsecond of the stream's thread.
_READ = 4_000
# The longest time for a run with several requests. A stop waits for runs, and a deployment for those that began before
# it. A rebalance does not.
_RUN_SECONDS = 0.25
_MEASURE_SECONDS = 1.0


class Answers(Protocol):
    """Answers requests outside a micro-batch, in three steps."""

    def most(self, model: str, seconds: float, /) -> int:
        """Return the number of requests to a model that are expected to take at most `seconds`, and at least 1."""
        ...

    def is_slow(self, model: str, seconds: float, /) -> bool:
        """Return whether a request to a model is expected to take longer than `seconds`. False if none serves it."""
        ...

    def pending(self, model: str, partitions: Collection[int], /) -> set[int]:
        """Return the partitions in which requests to a model can't be started yet.

        All of them, while the first version of the model is being loaded.
        """
        ...

    def begin(self, messages: Sequence[Message], /) -> Any:
        """Start these requests to one model. Return the state that `score` needs."""
        ...

    def score(self, chunk: Any, /) -> Any:
        """Score the requests, in another thread."""
        ...

    def is_outdated(self, chunk: Any, /) -> bool:
        """Return whether the requests must be started again, because deduplication windows have changed since."""
        ...

    def finish(self, chunk: Any, scored: Any, /) -> Iterator[Record | Records]:
        """Return answers, log and dead letters. Release the resources of `begin`, unless this fails."""
        ...

    def drop(self, chunk: Any, /) -> None:
        """Release the resources of `begin`. Any thread may call this."""
        ...

    def give_up(self, message: Message, error: BaseException, attempts: int, /) -> Record:
        """Return the dead letter of a request for which scoring fails repeatedly."""
        ...


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
    # The number of messages of the last micro-batch. A queue that reads fewer at a time would never catch up.
    _passed_messages: int = 0
    _measured: float = 0.0
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "queue-inference"))

    def forget(self) -> None:
        """Drop all state before the next messages, because a micro-batch was aborted or partitions may have moved."""
        self._stale = True

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
        self._drop_stale()
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
        budget = (_RUN_SECONDS if self.seconds is None else self.seconds) / 2
        for queue in list(self._queues.values()):
            queue.read(_READ // len(self._queues) + self._passed_messages)
            if queue.running is not None:
                if not queue.running.inference.done():
                    continue
                yield from self._finished(queue, queue.running, answers)
            self._moved |= queue.advance(self._ends)
            if self.seconds is None or not answers.is_slow(queue.model, self.seconds):
                began = time.perf_counter()
                yield from self._last(queue, answers, budget)
                budget -= time.perf_counter() - began
                self._leave(queue)
        self._measure()

    def _last(self, queue: ModelQueue, answers: Answers, seconds: float) -> list[Record | Records]:
        """Answer the last requests of a queue on this thread, if all of them are expected to take at most `seconds`.

        During a run in another thread the stream may read past further requests, so a busy model would never catch up.
        """
        left = queue.left(self._ends)
        if not left or seconds <= 0 or not queue.poison.clean or queue.attempts:
            return []
        messages: Sequence[Message] = ()
        try:
            with panics_as_errors():
                # `most` is at least 1, even if a single row takes longer.
                if self.seconds is not None and answers.is_slow(queue.model, seconds):
                    return []
                if left > answers.most(queue.model, seconds) or answers.pending(queue.model, queue.positions):
                    return []
                messages = queue.take(left, self._ends)
                chunk = answers.begin(messages)
        except Exception as error:  # noqa: BLE001 - the boundary: the stream's messages are not the cause
            self._failed(queue, messages, error)
            return []
        inference = Future[Any]()
        try:
            inference.set_result(_scored(answers, chunk))
        except Exception as error:  # noqa: BLE001 - it is raised again where the result is used
            inference.set_exception(error)
        records = self._finished(queue, Run(messages, chunk, inference, partial(_dropped, answers, chunk)), answers)
        self._moved |= queue.advance(self._ends)
        return records

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
            if queue.running is not None or time.monotonic() < queue.retry_at:
                continue
            messages: Sequence[Message] = ()
            try:
                with panics_as_errors():
                    most = queue.poison.batch_size(answers.most(queue.model, _RUN_SECONDS))
                    pending = answers.pending(queue.model, queue.positions)
                    if not (messages := queue.take(most, self._ends, pending)):
                        continue
                    if failure := queue.poison.poison(list(map(place, messages))):
                        yield answers.give_up(messages[0], failure.error, failure.attempts)
                        self._passed(queue, messages)
                        self._changed |= queue.advance(self._ends)
                        continue
                    chunk = answers.begin(messages)
            except Exception as error:  # noqa: BLE001 - the boundary: the stream's messages are not the cause
                self._failed(queue, messages, error)
                continue
            inference = self._threads.submit(_scored, answers, chunk)
            queue.running = Run(messages, chunk, inference, partial(_dropped, answers, chunk))

    def notes(self, messages: Sequence[Message]) -> dict[tuple[str, int], str]:
        """Return the notes to commit with a micro-batch."""
        changed = self._changed | (self._moved & {place(message)[1] for message in messages} if self._moved else set())
        self._moved -= changed
        self._changed = set()
        return {(_TOPIC, partition): encode_positions(self._positions(partition)) for partition in changed}

    def close(self) -> None:
        """End all queues after the stream has ended.

        The next owner of the partitions answers the remaining requests.
        """
        self._stale = True
        self._drop_stale()
        self._threads.shutdown()

    def _queue(self, model: str, reason: str) -> ModelQueue:
        if model not in self._queues:
            log.info("%s has a queue of its own: %s", model, reason)
            self._queues[model] = ModelQueue(model, self.requests(model))
        return self._queues[model]

    def _finished(self, queue: ModelQueue, run: Run, answers: Answers) -> list[Record | Records]:
        queue.running = None
        if answers.is_outdated(run.chunk):
            answers.drop(run.chunk)
            queue.put_back(run.messages)
            return []
        try:
            records = list(answers.finish(run.chunk, run.inference.result()))
        except Exception as error:  # noqa: BLE001 - the boundary: one that fails again and again becomes a dead letter
            answers.drop(run.chunk)
            self._failed(queue, run.messages, error)
            return []
        self._passed(queue, run.messages)
        return records

    def _passed(self, queue: ModelQueue, messages: Sequence[Message]) -> None:
        queue.attempts, places = 0, list(map(place, messages))
        queue.poison.passed(places)
        self._changed |= {partition for _, partition, _ in places}

    def _failed(self, queue: ModelQueue, messages: Sequence[Message], error: Exception) -> None:
        """Try again later. Only an error that other requests would not have counts for a dead letter."""
        queue.attempts += 1
        queue.retry_at = time.monotonic() + self.backoff.delay(queue.attempts)
        log.warning(
            "%d requests of %s are not answered: %s: %s", len(messages), queue.model, type(error).__name__, error,
            extra={"attempt": queue.attempts},
        )  # fmt: skip
        if messages and caused_by_content(error):
            queue.poison.failed(list(map(place, messages)), error)
        queue.put_back(messages)

    def _positions(self, partition: int) -> dict[str, int]:
        queues = self._queues.items()
        return {model: queue.positions[partition] for model, queue in queues if partition in queue.positions}

    def _drop_stale(self) -> None:
        if not self._stale:
            return
        self._stale = False
        for queue in list(self._queues.values()):
            self._close(queue)
        self._ends.clear()
        self._changed, self._moved = set(), set()

    def _close(self, queue: ModelQueue) -> None:
        if queue.running is not None:
            queue.running.inference.cancel()
            queue.running.inference.add_done_callback(queue.running.dropped)
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


def _scored(answers: Answers, chunk: Any) -> Any:
    with panics_as_errors():
        return answers.score(chunk)


def _dropped(answers: Answers, chunk: Any, _: Future[Any]) -> None:
    answers.drop(chunk)

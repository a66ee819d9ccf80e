"""Queues of models whose requests would delay the micro-batches that they share with others.

A model that does not score its part of a micro-batch in time, or whose answers are read back (`repeated_requests.py`),
gets a queue of its own: the stream passes its requests,
and a note that is committed with the offset of a partition says from where on they are not answered
(`queue_positions.py`). The queue reads them again (`model_queue.py`), a thread scores some at a time, and their answers
and the new position are committed with the next micro-batch. Where the queue has caught up the model shares the
micro-batches again, unless a single row would take too long.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol

from rondo.chassis.errors import panics_as_errors
from rondo.chassis.kafka_records import place
from rondo.contracts.events.predictions import PredictionRequested
from rondo.serving import metrics
from rondo.serving.stream.model_queue import ModelQueue, Run, model_of
from rondo.serving.stream.queue_positions import decode_positions, encode_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka import Message

    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.inference.pace import Paces
    from rondo.serving.stream.model_queue import Requests

log = logging.getLogger(__name__)
_TOPIC = PredictionRequested.topic
_PARTITION, _OFFSET = methodcaller("partition"), methodcaller("offset")
# The names of so many are within what the metadata of an offset may have.
MAX_QUEUES = 32
_THREADS = 8
# So long a run may take that has several requests: a stop and a rebalance wait for none, and a deployment for one.
_RUN_SECONDS = 0.25
_MEASURE_SECONDS = 1.0


class Answers(Protocol):
    """Answers requests outside a micro-batch, in three steps."""

    def most(self, model: str, seconds: float, /) -> int:
        """Return how many requests to a model are expected to take `seconds` at most; at least one."""
        ...

    def pending(self, model: str, partitions: Collection[int], /) -> set[int]:
        """Return those of the partitions whose requests to a model can't be begun yet."""
        ...

    def begin(self, messages: Sequence[Message], /) -> Any:
        """Return these requests to one model, ready to be scored."""
        ...

    def score(self, chunk: Any, /) -> Any:
        """Score them; on another thread."""
        ...

    def finish(self, chunk: Any, scored: Any, /) -> Iterator[Record | Records]:
        """Return their answers, log and dead letters, and release what was begun, unless this fails."""
        ...

    def drop(self, chunk: Any, /) -> None:
        """Release what was begun; on any thread."""
        ...

    def give_up(self, message: Message, error: BaseException, attempts: int, /) -> Record:
        """Return the dead letter of a request on which this fails repeatedly."""
        ...


@dataclass
class OwnQueues:
    """Implements `Notes`. Only `forget` may be called on another thread than the one that reads.

    `requests` makes the reader of a model. A model has `seconds` for its part of a micro-batch. With None it has all
    the time that it takes, and only queues that another replica has begun are worked off.
    """

    requests: Callable[[str], Requests]
    paces: Paces
    seconds: float | None
    now: Callable[[], float] = time.time
    _queues: dict[str, ModelQueue] = field(default_factory=dict)
    # The offset after what the stream has passed, by partition.
    _ends: dict[int, int] = field(default_factory=dict)
    _changed: set[int] = field(default_factory=set)
    _moved: set[int] = field(default_factory=set)
    _stale: bool = False
    _measured: float = 0.0
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "queue-inference"))

    def forget(self) -> None:
        """Drop everything before the next messages: a micro-batch was aborted, or partitions may have moved."""
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
        """Return whether each of these models has a queue, or can get one: as many as a note may name."""
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
        """Leave these requests of a micro-batch, the last ones to a model in their partitions, to its queue."""
        queue, positions = self._queue(model, reason), dict[int, int]()
        for message in messages:
            _, partition, offset = place(message)
            if partition not in queue.positions:
                positions.setdefault(partition, offset)
        queue.add(positions)
        self._changed |= positions.keys()

    def passed(self, messages: Sequence[Message]) -> None:
        """Note that the stream has passed these messages: all of a micro-batch."""
        last: dict[Any, Any] = dict(zip(map(_PARTITION, messages), map(_OFFSET, messages), strict=True))
        self._ends |= {partition: offset + 1 for partition, offset in last.items()}

    def answered(self, answers: Answers) -> Iterator[Record | Records]:
        """Yield the records of what has been scored, and leave partitions to the stream where a queue has caught up."""
        self._drop_stale()
        for queue in list(self._queues.values()):
            queue.read()
            if queue.running is not None:
                if not queue.running.inference.done():
                    continue
                yield from self._finished(queue, queue.running, answers)
            self._moved |= queue.advance(self._ends)
            too_slow = self.seconds is not None and self.paces.is_slow(queue.model, self.seconds)
            if (ended := queue.caught_up(self._ends)) and not too_slow:
                queue.leave(ended)
                self._changed |= ended
                if not queue.positions:
                    self._close(queue)
        self._measure()

    def start(self, answers: Answers) -> Iterator[Record]:
        """Score the next requests of each queue. Yield the dead letters of those on which this fails."""
        for queue in self._queues.values():
            if queue.running is not None:
                continue
            most = answers.most(queue.model, _RUN_SECONDS)
            most, pending = queue.poison.batch_size(most), answers.pending(queue.model, queue.positions)
            if not (messages := queue.take(most, self._ends, pending)):
                continue
            places = list(map(place, messages))
            if failure := queue.poison.poison(places):
                yield answers.give_up(messages[0], failure.error, failure.attempts)
                queue.poison.passed(places)
                self._changed |= queue.advance(self._ends)
                continue
            chunk = answers.begin(messages)
            inference = self._threads.submit(_scored, answers, chunk)
            queue.running = Run(messages, chunk, inference, partial(_dropped, answers, chunk))

    def notes(self, messages: Sequence[Message]) -> dict[tuple[str, int], str]:
        """Return the notes to commit with a micro-batch."""
        changed = self._changed | (self._moved & {place(message)[1] for message in messages} if self._moved else set())
        self._moved -= changed
        self._changed = set()
        return {(_TOPIC, partition): encode_positions(self._positions(partition)) for partition in changed}

    def close(self) -> None:
        """End all queues, once the stream has ended: what they have not answered waits for the next owner."""
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
        places = list(map(place, run.messages))
        try:
            records = list(answers.finish(run.chunk, run.inference.result()))
        except Exception as error:  # noqa: BLE001 - the boundary: one that fails again and again becomes a dead letter
            answers.drop(run.chunk)
            log.warning("%d requests of %s are not answered: %s", len(places), queue.model, error)
            queue.poison.failed(places, error)
            queue.put_back(run.messages)
            return []
        queue.poison.passed(places)
        self._changed |= {partition for _, partition, _ in places}
        return records

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
            oldest = queue.oldest()
            metrics.QUEUE_SECONDS.labels(model).set(0 if oldest is None else max(self.now() - oldest, 0))


def _scored(answers: Answers, chunk: Any) -> Any:
    with panics_as_errors():
        return answers.score(chunk)


def _dropped(answers: Answers, chunk: Any, _: Future[Any]) -> None:
    answers.drop(chunk)

"""Runs of queues: some requests of a model at a time that are prepared, scored and answered outside a micro-batch.

A failure counts for the requests of the run, and never for the messages of the stream.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import panics_as_errors
from rondo.chassis.kafka_records import place
from rondo.chassis.stream.poison_pill import caused_by_content
from rondo.serving.stream.model_queue import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from rondo.chassis.errors import Backoff
    from rondo.chassis.kafka_records import Record, Records
    from rondo.serving.stream.model_queue import ModelQueue
    from rondo.serving.stream.queue_answers import Answers

log = logging.getLogger(__name__)
_THREADS = 8
# The longest time for a run with several requests. A stop waits for runs, and a deployment for those that began before
# it. A rebalance does not.
RUN_SECONDS = 0.25


@dataclass
class QueueRuns:
    """The runs of all queues, one at a time for each.

    `ends` has the offset after the messages that the stream has read past, by partition.
    """

    backoff: Backoff
    # The partitions with answered requests since the last `take_changed`.
    _changed: set[int] = field(default_factory=set)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "queue-inference"))

    def start(self, queue: ModelQueue, answers: Answers, ends: Mapping[int, int]) -> Iterator[Record]:
        """Score the next requests of a queue in another thread. Yield a dead letter if scoring one fails repeatedly."""
        if queue.running is not None or time.monotonic() < queue.retry_at:
            return
        messages: Sequence[Message] = ()
        try:
            with panics_as_errors():
                most = queue.poison.batch_size(answers.most(queue.model, RUN_SECONDS))
                pending = answers.pending(queue.model, queue.positions)
                if not (messages := queue.take(most, ends, pending)):
                    return
                if failure := queue.poison.poison(list(map(place, messages))):
                    yield answers.give_up(messages[0], failure.error, failure.attempts)
                    self._passed(queue, messages)
                    self._changed |= queue.advance(ends)
                    return
                chunk = answers.begin(messages)
        except Exception as error:  # noqa: BLE001 - the boundary: the stream's messages are not the cause
            self._failed(queue, messages, error)
            return
        inference = self._threads.submit(_scored, answers, chunk)
        queue.running = Run(messages, chunk, inference, partial(_dropped, answers, chunk))

    def finish(self, queue: ModelQueue, run: Run, answers: Answers) -> list[Record | Records]:
        """Return the records of a run whose inference has ended. The list is empty if its requests are tried again."""
        queue.running = None
        if answers.is_outdated(run.chunk):
            answers.drop(run.chunk)
            queue.put_back(run.messages)
            return []
        try:
            with panics_as_errors():
                records = list(answers.finish(run.chunk, run.inference.result()))
        except Exception as error:  # noqa: BLE001 - the boundary: one that fails again and again becomes a dead letter
            answers.drop(run.chunk)
            self._failed(queue, run.messages, error)
            return []
        self._passed(queue, run.messages)
        return records

    def answer_last(
        self, queue: ModelQueue, answers: Answers, ends: Mapping[int, int], seconds: float
    ) -> list[Record | Records]:
        """Answer the last requests of a queue on this thread, if all of them are expected to take at most `seconds`.

        During a run in another thread the stream may read past further requests, so a busy model would never catch up.
        """
        left = queue.left(ends)
        if not left or seconds <= 0 or not queue.poison.clean or queue.attempts:
            return []
        messages: Sequence[Message] = ()
        try:
            with panics_as_errors():
                if left > answers.most(queue.model, seconds) or answers.pending(queue.model, queue.positions):
                    return []
                messages = queue.take(left, ends)
                chunk = answers.begin(messages)
        except Exception as error:  # noqa: BLE001 - the boundary: the stream's messages are not the cause
            self._failed(queue, messages, error)
            return []
        inference = Future[Any]()
        try:
            inference.set_result(_scored(answers, chunk))
        except Exception as error:  # noqa: BLE001 - it is raised again where the result is used
            inference.set_exception(error)
        return self.finish(queue, Run(messages, chunk, inference, partial(_dropped, answers, chunk)), answers)

    def take_changed(self) -> set[int]:
        """Return the partitions with answered requests since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def leave(self, partitions: set[int]) -> None:
        """Forget partitions that have left this replica."""
        self._changed -= partitions

    def close(self) -> None:
        self._threads.shutdown()

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


def _scored(answers: Answers, chunk: Any) -> Any:
    with panics_as_errors():
        return answers.score(chunk)


def _dropped(answers: Answers, chunk: Any, _: Future[Any]) -> None:
    answers.drop(chunk)

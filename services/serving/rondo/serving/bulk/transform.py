"""The bulk stream as a transform of the exactly-once stream. It returns one answer for each record batch.

The stream has its own consumer group and its own thread. The thread has a lower priority than the rest of the process,
so live requests keep their latency. Nothing is written to the inference log, because these rows are not live requests.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from rondo.chassis.kafka_records import Record
from rondo.chassis.stream.transform import Output
from rondo.contracts.events import scores
from rondo.serving import metrics
from rondo.serving.bulk.answers import answer
from rondo.serving.bulk.priority import lower_priority
from rondo.serving.errors import RequestRefusedError, VersionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from confluent_kafka import Message

    from rondo.serving.bulk.versions import BulkVersions

log = logging.getLogger(__name__)


@dataclass
class BulkStream:
    """Answers messages. If a message can't be scored, its answer has the error."""

    versions: BulkVersions
    now: Callable[[], datetime]
    _prepared: threading.local = field(default_factory=threading.local)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def __call__(self, messages: Sequence[Message]) -> Output:
        """Return the answers of some messages.

        Raises:
            UnavailableError: the artifact store is unavailable. The messages are read again.
            ScoringCancelledError: `cancel` was called meanwhile.

        """
        self._cancelled.clear()
        self._lower_priority()
        answers = [made for message in messages if (made := self._answer(message.value())) is not None]
        counts = [(made.request, made.rows, made.refused) for made in answers]
        return Output([made.record for made in answers], partial(_count, counts))

    def cancel(self) -> None:
        """End the current call after its slice of some thousand rows. Another thread may call this."""
        self._cancelled.set()

    def _answer(self, value: bytes | None) -> _Answer | None:
        try:
            batch = scores.decode(value or b"")
            request = scores.ScoreRequest.of(batch.schema)
        except scores.InvalidScoreRequestError as error:
            # An answer has no address without the name of its job. Only services send such messages.
            log.error("a message of %s is skipped: %s", scores.SCORES_REQUESTED, error)  # noqa: TRY400
            return None
        try:
            made = answer(self.versions.of(request), batch, request, self.now(), self._cancelled.is_set)
        except (VersionRefusedError, RequestRefusedError) as error:
            about = request.answer_metadata() | {scores.ERROR: error.code, scores.MESSAGE: str(error)}
            made = pa.RecordBatch.from_pylist([], schema=pa.schema([], metadata=about))
        refused = made.num_rows - made.column(scores.ERROR).null_count if made.num_rows else 0
        record = Record(scores.SCORES_MADE, scores.encode(made), request.key.encode())
        return _Answer(request, record, made.num_rows, refused)

    def _lower_priority(self) -> None:
        """Lower the priority of this thread, once."""
        if not getattr(self._prepared, "done", False):
            self._prepared.done = True
            lower_priority()


@dataclass(frozen=True, slots=True)
class _Answer:
    """The record of an answer, and the values for its metrics."""

    request: scores.ScoreRequest
    record: Record
    rows: int
    refused: int


def _count(counts: Sequence[tuple[scores.ScoreRequest, int, int]]) -> None:
    for request, rows, refused in counts:
        version = (request.model, str(request.model_version))
        metrics.BULK_ROWS.labels(*version, "answered").inc(rows - refused)
        metrics.BULK_ROWS.labels(*version, "refused").inc(refused)

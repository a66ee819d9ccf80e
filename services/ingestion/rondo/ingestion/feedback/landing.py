"""Writes the logs of predictions and outcomes to Delta: buffers for about a second, then commits once per table.

A table's transaction identifiers hold the next offset of each partition, so no row is written twice. The landing store
only has the offset at which reading starts. The feedback tables of a model are `feedback/<model>/predictions` and
`.../outcomes`.

If a table is damaged or refuses rows, its rows stay in Kafka: the saved position of their partition stays before them,
and the other tables continue. For the next attempt, reading starts from that position. Rows that the other tables have
are not written twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pyarrow.compute as pc

from rondo.chassis.kafka_records import place
from rondo.contracts.events import logs
from rondo.contracts.vocabularies import RouteRole
from rondo.ingestion import metrics
from rondo.ingestion.delta.column_types import concatenate
from rondo.ingestion.errors import TableDamagedError
from rondo.ingestion.feedback import log_rows, outcome_events
from rondo.ingestion.feedback.held_rows import HeldRows
from rondo.ingestion.feedback.recent_predictions import RecentPredictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from confluent_kafka import Message

    from rondo.ingestion.feedback.log_rows import LogRows
    from rondo.ingestion.feedback.outcome_events import OutcomesCommit
    from rondo.ingestion.ports import LandingStore, Tables

log = logging.getLogger(__name__)
TOPICS = (logs.PREDICTIONS_LOG, logs.OUTCOMES_LOG)


@dataclass
class _Buffer:
    """The rows of one table's next commit, and the next offset of each partition that it will record.

    `begins` has the offset of the first row by (topic, partition).
    """

    model: str
    topic: str
    rows: list[pa.Table] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)
    begins: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass
class FeedbackLanding:
    """The state of a `Follower` of both logs. `every` (seconds) and `max_rows` limit the buffers."""

    # An error occurs in a commit, up to `every` seconds after the message that is its cause. The present message is not
    # it.
    skips: ClassVar[bool] = False

    tables: Tables
    store: LandingStore
    every: float = 1.0
    max_rows: int = 200_000
    clock: Callable[[], float] = time.monotonic
    recent: RecentPredictions = field(default_factory=RecentPredictions)
    _buffers: dict[str, _Buffer] = field(default_factory=dict)
    _landed: dict[tuple[str, str], int] = field(default_factory=dict)
    _positions: dict[tuple[str, int], int] = field(default_factory=dict)
    _rows: int = 0
    _since: float = 0.0
    _held: HeldRows = field(default_factory=HeldRows)

    async def load(self) -> Mapping[tuple[str, int], int]:
        """Discard the buffers, announce commits that were not announced, and return the saved positions."""
        self._clear()
        self._landed.clear()
        self._held.clear()
        announced = await self.store.announced()
        await self._save(await asyncio.to_thread(self._unannounced, announced))
        return await self.store.positions()

    async def advance(self, messages: Sequence[Message]) -> None:
        """Buffer the rows of these messages, and commit the buffers when they are due.

        Raises:
            TableRestoredError: a table that was damaged can be read again.
            TableTriedAgainError: a table that refused rows is to be tried again.
            UnavailableError: PostgreSQL or the data storage is unavailable.

        """
        self._held.try_refused(self.clock())
        if self._held.is_due(self.clock()):
            await asyncio.to_thread(self._held.try_tables, self.tables)
        if messages:
            await asyncio.to_thread(self._buffer, messages)
        if self._rows and (self._rows >= self.max_rows or self.clock() - self._since >= self.every):
            with metrics.LANDING_SECONDS.time():
                await self._save(await asyncio.to_thread(self._commit))
            self._clear()

    def _clear(self) -> None:
        self._buffers.clear()
        self._positions.clear()
        self._rows = 0

    def _buffer(self, messages: Sequence[Message]) -> None:
        for message in messages:
            topic, partition, offset = place(message)
            self._positions[topic, partition] = offset + 1
            try:
                found = log_rows.read(topic, message.value())
            except log_rows.UnreadableLogError as error:
                log.error("offset %d of %s-%d is skipped: %s", offset, topic, partition, error)  # noqa: TRY400
                metrics.UNREADABLE.labels(topic).inc()
                continue
            if found.rows.num_rows and self._is_new(found.table, topic, partition, offset):
                self._add(found, topic, partition, offset)

    def _is_new(self, table: str, topic: str, partition: int, offset: int) -> bool:
        """Return whether a table needs the rows of a message. A table with held rows takes none for now."""
        begins = {(topic, partition): offset}
        if table not in self._held:
            with self._held.holding(table, begins, self.clock()):
                return offset >= self._next_offset(table, f"{topic}-{partition}")
        self._held.hold(begins)
        return False

    def _next_offset(self, table: str, application: str) -> int:
        if (table, application) not in self._landed:
            self._landed[table, application] = self.tables.transaction_version(table, application) or 0
        return self._landed[table, application]

    def _add(self, found: LogRows, topic: str, partition: int, offset: int) -> None:
        if not self._rows:
            self._since = self.clock()
        buffer = self._buffers.setdefault(found.table, _Buffer(found.model, topic))
        positioned = topic == logs.OUTCOMES_LOG
        buffer.rows.append(log_rows.with_positions(found.rows, offset) if positioned else found.rows)
        buffer.offsets[f"{topic}-{partition}"] = offset + 1
        buffer.begins.setdefault((topic, partition), offset)
        self._rows += found.rows.num_rows
        if topic == logs.PREDICTIONS_LOG:
            primary = found.rows.filter(pc.equal(found.rows["role"], RouteRole.PRIMARY))
            self.recent.add(found.model, primary["id"].to_pylist(), primary["entity"].to_pylist())

    def _commit(self) -> list[OutcomesCommit]:
        """Commit every table that has rows. Predictions come first, so that their outcomes can be joined with them."""
        commits: list[OutcomesCommit] = []
        for table, buffer in sorted(self._buffers.items(), key=lambda item: item[1].topic == logs.OUTCOMES_LOG):
            with self._held.holding(table, buffer.begins, self.clock()):
                commits += self._append(table, buffer)
                self._held.took(table)
        return commits

    def _append(self, table: str, buffer: _Buffer) -> list[OutcomesCommit]:
        rows = concatenate(buffer.rows)
        metadata = {}
        if buffer.topic == logs.OUTCOMES_LOG:
            metadata = outcome_events.metadata(rows, self._joined(buffer.model, rows))
        commit = self.tables.append(table, rows, buffer.offsets, metadata)
        self._landed.update({(table, application): end for application, end in buffer.offsets.items()})
        metrics.LANDED.labels(buffer.topic).inc(rows.num_rows)
        return outcome_events.outcomes_commits(buffer.model, table, [commit])

    def _joined(self, model: str, outcomes: pa.Table) -> int:
        return self.recent.count_joined(model, outcomes["id"].to_pylist(), outcomes["entity"].to_pylist())

    def _unannounced(self, announced: Mapping[str, int]) -> list[OutcomesCommit]:
        commits = []
        for model in self.tables.names(log_rows.FOLDER):
            table, after = log_rows.table_of(model, logs.OUTCOMES_LOG), announced.get(model, -1)
            try:
                commits += outcome_events.outcomes_commits(model, table, self.tables.commits(table, after))
            except TableDamagedError:
                self._held.add(table, self.clock(), after)
        return commits

    async def _save(self, commits: list[OutcomesCommit]) -> None:
        if commits or self._positions:
            events = [(each.event, each.event_id) for each in commits]
            versions = {each.event.model: each.event.data_version.version for each in commits}
            await self.store.save(self._held.before(self._positions), events, versions)

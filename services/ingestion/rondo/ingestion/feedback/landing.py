"""Lands the logs of predictions and outcomes in Delta: gathered for about a second, then one commit a table.

A table's marks say up to which offset of each partition it has its rows, so no row is written twice; the journal
only says where to begin to read. The feedback tables of a model are `feedback/<model>/predictions` and `.../outcomes`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis.stream.records import place
from rondo.contracts.events import logs
from rondo.ingestion import metrics
from rondo.ingestion.delta.column_types import together
from rondo.ingestion.feedback import log_rows, outcome_events
from rondo.ingestion.feedback.recent_predictions import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from confluent_kafka import Message

    from rondo.ingestion.feedback.log_rows import LogRows
    from rondo.ingestion.feedback.outcome_events import Landed
    from rondo.ingestion.ports import Journal, Tables

log = logging.getLogger(__name__)
TOPICS = (logs.PREDICTIONS_LOG, logs.OUTCOMES_LOG)


@dataclass
class _Pending:
    """What waits for the next commit of one table, and the marks that it will carry."""

    model: str
    topic: str
    rows: list[pa.Table] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)


@dataclass
class Landing:
    """The state that a `Follower` of both logs feeds. `every` (seconds) and `max_rows` bound what is gathered."""

    tables: Tables
    journal: Journal
    every: float = 1.0
    max_rows: int = 200_000
    clock: Callable[[], float] = time.monotonic
    recent: Recent = field(default_factory=Recent)
    _pending: dict[str, _Pending] = field(default_factory=dict)
    _marks: dict[tuple[str, str], int] = field(default_factory=dict)
    _positions: dict[tuple[str, int], int] = field(default_factory=dict)
    _rows: int = 0
    _since: float = 0.0

    async def load(self) -> Mapping[tuple[str, int], int]:
        """Begin anew from what was saved; outcomes that were committed and not announced are announced now."""
        self._forget()
        self._marks.clear()
        announced = await self.journal.announced()
        await self._save(await asyncio.to_thread(self._unannounced, announced))
        return await self.journal.positions()

    async def advance(self, messages: Sequence[Message]) -> None:
        """Gather the rows of these messages, and commit what was gathered when it is time."""
        if messages:
            await asyncio.to_thread(self._gather, messages)
        if self._rows and (self._rows >= self.max_rows or self.clock() - self._since >= self.every):
            with metrics.LANDING_SECONDS.time():
                await self._save(await asyncio.to_thread(self._commit))
            self._forget()

    def _forget(self) -> None:
        self._pending.clear()
        self._positions.clear()
        self._rows = 0

    def _gather(self, messages: Sequence[Message]) -> None:
        for message in messages:
            topic, partition, offset = place(message)
            self._positions[topic, partition] = offset + 1
            try:
                found = log_rows.read(topic, message.value())
            except log_rows.UnreadableLogError as error:
                log.error("offset %d of %s-%d was passed over: %s", offset, topic, partition, error)  # noqa: TRY400
                metrics.UNREADABLE.labels(topic).inc()
                continue
            if found.rows.num_rows and offset >= self._mark(found.table, f"{topic}-{partition}"):
                self._add(found, topic, f"{topic}-{partition}", offset)

    def _mark(self, table: str, application: str) -> int:
        if (table, application) not in self._marks:
            self._marks[table, application] = self.tables.mark(table, application) or 0
        return self._marks[table, application]

    def _add(self, found: LogRows, topic: str, application: str, offset: int) -> None:
        if not self._rows:
            self._since = self.clock()
        pending = self._pending.setdefault(found.table, _Pending(found.model, topic))
        pending.rows.append(found.rows)
        pending.marks[application] = offset + 1
        self._rows += found.rows.num_rows
        if topic == logs.PREDICTIONS_LOG:
            self.recent.add(found.model, found.rows["id"].to_pylist(), found.rows["entity"].to_pylist())

    def _commit(self) -> list[Landed]:
        """Commit every table that has rows; predictions first, so that their outcomes find them there."""
        landed = []
        for table, pending in sorted(self._pending.items(), key=lambda item: item[1].topic == logs.OUTCOMES_LOG):
            rows = together(pending.rows)
            notes = {}
            if pending.topic == logs.OUTCOMES_LOG:
                notes = outcome_events.notes(rows, self._joined(pending.model, rows))
            commit = self.tables.append(table, rows, pending.marks, notes)
            self._marks.update({(table, application): end for application, end in pending.marks.items()})
            metrics.LANDED.labels(pending.topic).inc(rows.num_rows)
            landed += outcome_events.landed(pending.model, table, [commit])
        return landed

    def _joined(self, model: str, outcomes: pa.Table) -> int:
        return self.recent.met(model, outcomes["id"].to_pylist(), outcomes["entity"].to_pylist())

    def _unannounced(self, announced: Mapping[str, int]) -> list[Landed]:
        landed = []
        for model in self.tables.names(log_rows.FOLDER):
            table = log_rows.table_of(model, logs.OUTCOMES_LOG)
            landed += outcome_events.landed(model, table, self.tables.commits(table, announced.get(model, -1)))
        return landed

    async def _save(self, landed: list[Landed]) -> None:
        if landed or self._positions:
            events = [(each.event, each.event_id) for each in landed]
            versions = {each.event.model: each.event.data_version.version for each in landed}
            await self.journal.save(self._positions, events, versions)

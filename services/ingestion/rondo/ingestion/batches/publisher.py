"""Writes an accepted batch: its invalid rows to the quarantine, then its valid rows with the report's headline.

Each is one Delta commit with a transaction identifier, so neither is written twice. If a process crashes between the
two, it has accepted nothing, and the batch is sent again. If it crashes after the second, the commit has the headline.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from rondo.ingestion import metrics
from rondo.ingestion.errors import BatchConflictError, ReportLostError
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.validation.contract import BATCH_ID
from rondo.ingestion.validation.decision import ROW

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import Commit, Tables
    from rondo.ingestion.validation.decision import AcceptedBatch

FOLDER = "datasets"
QUARANTINED_AT = "quarantined_at"


@dataclass(frozen=True)
class BatchPublisher:
    """Writes the tables of datasets and their quarantines. Calls block: run them on a thread."""

    tables: Tables

    def publish(
        self, submission: Submission, contract: str, accepted: AcceptedBatch, headline: dict[str, Any], now: datetime
    ) -> BatchRecord:
        """Write a batch. If a crashed process already committed it, return the record in that commit.

        Raises:
            BatchConflictError: a batch with this id and other content is committed.
            ReportLostError: the batch is committed, but its headline is no longer in the log of the table.
            UnavailableError: the data storage is full or can't be written.

        """
        table, application = table_of(submission.dataset), f"batch/{submission.batch_id}"
        if self.tables.transaction_version(table, application) is not None:
            return self._committed_before(submission)
        # The id alone does not identify the invalid rows: they also depend on the content and the contract.
        self._quarantine(submission, f"{application}/{submission.file.content}/{contract}", accepted, now)
        metadata = {
            BATCH_ID: submission.batch_id,
            "content": submission.file.content,
            "contract": contract,
            "headline": json.dumps(headline),
        }
        rows = accepted.rows.with_columns(pl.lit(submission.batch_id).alias(BATCH_ID))
        commit = self.tables.append(table, rows, {application: 1}, metadata)
        metrics.ROWS.labels("accepted").inc(accepted.rows.height)
        metrics.ROWS.labels("quarantined").inc(accepted.quarantined.height)
        return _record(submission.dataset, commit)

    def _committed_before(self, submission: Submission) -> BatchRecord:
        found = (record for record in self.committed(submission.dataset) if record.batch_id == submission.batch_id)
        record = next(found, None)
        if record is None:
            raise ReportLostError(submission.dataset, submission.batch_id)
        if record.content != submission.file.content:
            raise BatchConflictError(submission.dataset, submission.batch_id)
        return record

    def _quarantine(self, submission: Submission, application: str, accepted: AcceptedBatch, now: datetime) -> None:
        table = quarantine_of(submission.dataset)
        if accepted.quarantined.height and self.tables.transaction_version(table, application) is None:
            rows = accepted.quarantined.with_columns(
                pl.lit(submission.batch_id).alias(BATCH_ID), pl.lit(now).dt.cast_time_unit("us").alias(QUARANTINED_AT)
            )
            self.tables.append(table, rows, {application: 1}, {})

    def quarantined(self, dataset: str, limit: int, batch_id: str | None = None) -> list[dict[str, Any]]:
        """Return quarantined rows, of one batch if it is given. Rows of the newest batch come first."""
        rows = self.tables.scan(quarantine_of(dataset))
        if rows is None:
            return []
        chosen = rows if batch_id is None else rows.filter(pl.col(BATCH_ID) == batch_id)
        newest = chosen.sort(QUARANTINED_AT, BATCH_ID, ROW, descending=[True, False, False]).head(limit)
        return newest.collect().to_dicts()

    def datasets(self) -> list[str]:
        """Return the datasets that have a table."""
        return self.tables.names(FOLDER)

    def committed(self, dataset: str) -> list[BatchRecord]:
        """Return the records in the commits of a dataset, oldest first."""
        commits = self.tables.commits(table_of(dataset))
        return [_record(dataset, commit) for commit in commits if BATCH_ID in commit.metadata]


def table_of(dataset: str) -> str:
    return f"{FOLDER}/{dataset}"


def quarantine_of(dataset: str) -> str:
    """Return the table of a dataset's quarantined rows."""
    return f"quarantine/{dataset}"


def _record(dataset: str, commit: Commit) -> BatchRecord:
    found = commit.metadata
    version = {"table": table_of(dataset), "version": commit.version, "digest": commit.digest}
    headline = json.loads(found["headline"]) | {"data_version": version}
    return BatchRecord(dataset, found[BATCH_ID], found["content"], found["contract"], "accepted", headline)

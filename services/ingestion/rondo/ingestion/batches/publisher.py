"""Writes an accepted batch: first its invalid rows to the quarantine, then its valid rows with the report.

Each is one Delta commit with a transaction identifier, so neither is written twice. A process that crashes between the
two accepted nothing: the batch is sent again. One that crashes after the second left the report in the commit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.ingestion import metrics
from rondo.ingestion.batches import report as reports
from rondo.ingestion.errors import BatchConflictError, ReportLostError
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.validation.contract import BATCH_ID

if TYPE_CHECKING:
    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import Commit, Tables
    from rondo.ingestion.validation.decision import AcceptedBatch

FOLDER = "datasets"


@dataclass(frozen=True)
class BatchPublisher:
    """Writes the tables of datasets and their quarantines. Calls block: run them on a thread."""

    tables: Tables

    def publish(self, submission: Submission, contract: str, accepted: AcceptedBatch) -> BatchRecord:
        """Write a batch. If a crashed process already committed it, return the record in that commit.

        Raises:
            BatchConflictError: a batch with this id and other content is committed.
            ReportLostError: the batch is committed, but its report is no longer in the log of the table.
            UnavailableError: the data storage is full or can't be written.

        """
        table, application = table_of(submission.dataset), f"batch/{submission.batch_id}"
        if self.tables.transaction_version(table, application) is not None:
            return self._committed_before(submission)
        # The id alone does not identify the invalid rows: other content, or another contract, has other ones.
        self._quarantine(submission, f"{application}/{submission.content}/{contract}", accepted)
        report = reports.draft(submission, accepted)
        record = BatchRecord(submission.dataset, submission.batch_id, submission.content, contract, "accepted", report)
        rows = _with_batch_id(accepted.rows, submission)
        commit = self.tables.append(table, rows, {application: 1}, _metadata(record))
        metrics.ROWS.labels("accepted").inc(accepted.rows.height)
        metrics.ROWS.labels("quarantined").inc(accepted.quarantined.height)
        return _record(submission.dataset, commit)

    def _committed_before(self, submission: Submission) -> BatchRecord:
        found = (record for record in self.committed(submission.dataset) if record.batch_id == submission.batch_id)
        record = next(found, None)
        if record is None:
            raise ReportLostError(submission.dataset, submission.batch_id)
        if record.content != submission.content:
            raise BatchConflictError(submission.dataset, submission.batch_id)
        return record

    def _quarantine(self, submission: Submission, application: str, accepted: AcceptedBatch) -> None:
        table = f"quarantine/{submission.dataset}"
        if accepted.quarantined.height and self.tables.transaction_version(table, application) is None:
            self.tables.append(table, _with_batch_id(accepted.quarantined, submission), {application: 1}, {})

    def datasets(self) -> list[str]:
        """Return the datasets that have a table."""
        return self.tables.names(FOLDER)

    def committed(self, dataset: str) -> list[BatchRecord]:
        """Return the records in the commits of a dataset, oldest first."""
        commits = self.tables.commits(table_of(dataset))
        return [_record(dataset, commit) for commit in commits if BATCH_ID in commit.metadata]


def table_of(dataset: str) -> str:
    """Return the table of a dataset."""
    return f"{FOLDER}/{dataset}"


def _with_batch_id(rows: pl.DataFrame, submission: Submission) -> pl.DataFrame:
    return rows.with_columns(pl.lit(submission.batch_id).alias(BATCH_ID))


def _metadata(record: BatchRecord) -> dict[str, str]:
    return {
        BATCH_ID: record.batch_id,
        "content": record.content,
        "contract": record.contract,
        "report": json.dumps(record.report),
    }


def _record(dataset: str, commit: Commit) -> BatchRecord:
    found = commit.metadata
    report = reports.accepted(json.loads(found["report"]), table_of(dataset), commit)
    return BatchRecord(dataset, found[BATCH_ID], found["content"], found["contract"], "accepted", report)

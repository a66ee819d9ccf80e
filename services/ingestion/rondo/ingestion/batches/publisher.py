"""Publishes an admitted batch: first its bad rows, into the quarantine, then its good rows together with the report.

Each is one Delta commit with a mark, so neither is written twice. A process that dies between the two has accepted
nothing: the batch comes again. One that dies after the second has left the report there, and what it says stands.
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
    from rondo.ingestion.validation.decision import Admitted

FOLDER = "datasets"


@dataclass(frozen=True)
class Publishing:
    """The tables of the datasets and of their quarantines. Calls block: they belong on a thread."""

    tables: Tables

    def publish(self, submission: Submission, contract: str, admitted: Admitted) -> BatchRecord:
        """Write a batch, unless a process that died after its commit has: then its report is the one that counts.

        Raises:
            BatchConflictError: what was committed under this batch id has other content.
            ReportLostError: it was committed, and the report is gone.
            UnavailableError: the disk is full or can't be written.

        """
        table, mark = table_of(submission.dataset), f"batch/{submission.batch_id}"
        if self.tables.mark(table, mark) is not None:
            return self._committed_before(submission)
        # Whose rows these are is more than the batch id: of other content, or by another contract, others are bad.
        self._quarantine(submission, f"{mark}/{submission.content}/{contract}", admitted)
        report = reports.draft(submission, admitted)
        record = BatchRecord(submission.dataset, submission.batch_id, submission.content, contract, "accepted", report)
        commit = self.tables.append(table, _named(admitted.rows, submission), {mark: 1}, _notes(record))
        metrics.ROWS.labels("accepted").inc(admitted.rows.height)
        metrics.ROWS.labels("quarantined").inc(admitted.quarantined.height)
        return _noted(submission.dataset, commit)

    def _committed_before(self, submission: Submission) -> BatchRecord:
        found = (record for record in self.committed(submission.dataset) if record.batch_id == submission.batch_id)
        record = next(found, None)
        if record is None:
            raise ReportLostError(submission.dataset, submission.batch_id)
        if record.content != submission.content:
            raise BatchConflictError(submission.dataset, submission.batch_id)
        return record

    def _quarantine(self, submission: Submission, mark: str, admitted: Admitted) -> None:
        table = f"quarantine/{submission.dataset}"
        if admitted.quarantined.height and self.tables.mark(table, mark) is None:
            self.tables.append(table, _named(admitted.quarantined, submission), {mark: 1}, {})

    def datasets(self) -> list[str]:
        """Return the datasets that have a table."""
        return self.tables.names(FOLDER)

    def committed(self, dataset: str) -> list[BatchRecord]:
        """Return what the commits of a dataset say of themselves, oldest first."""
        commits = self.tables.commits(table_of(dataset))
        return [_noted(dataset, commit) for commit in commits if BATCH_ID in commit.notes]


def table_of(dataset: str) -> str:
    """Return the table of a dataset."""
    return f"{FOLDER}/{dataset}"


def _named(rows: pl.DataFrame, submission: Submission) -> pl.DataFrame:
    return rows.with_columns(pl.lit(submission.batch_id).alias(BATCH_ID))


def _notes(record: BatchRecord) -> dict[str, str]:
    return {
        BATCH_ID: record.batch_id,
        "content": record.content,
        "contract": record.contract,
        "report": json.dumps(record.report),
    }


def _noted(dataset: str, commit: Commit) -> BatchRecord:
    notes = commit.notes
    report = reports.accepted(json.loads(notes["report"]), table_of(dataset), commit)
    return BatchRecord(dataset, notes[BATCH_ID], notes["content"], notes["contract"], "accepted", report)

"""Takes a batch in, however it came: load what is known, decide, publish its rows, save what became of it.

The rows and the report are one Delta commit; the record and the event are one PostgreSQL transaction after it. A
crash in between is made good by `recover`, or by the same batch coming again: its mark is in the table.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from rondo.ingestion import metrics, reports
from rondo.ingestion.admission import Admitted, Refused, admit
from rondo.ingestion.contract import BATCH_ID, NoContractError
from rondo.ingestion.errors import BatchConflictError, UnreadableFileError
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.reading import read
from rondo.ingestion.submission import check_names

if TYPE_CHECKING:
    from rondo.ingestion.contract import Contract
    from rondo.ingestion.ports import Batches, BatchWork, Commit, Tables
    from rondo.ingestion.specs import Specs
    from rondo.ingestion.submission import Submission


@dataclass(frozen=True)
class Answer:
    """What became of a batch; `repeated` where that had been decided before."""

    record: BatchRecord
    repeated: bool


class Intake:
    """The one way in for batches."""

    def __init__(self, specs: Specs, batches: Batches, tables: Tables, patience: float = 0.0) -> None:
        """`patience` is how long (seconds) a batch waits for the spec of its dataset to arrive."""
        self._specs = specs
        self._batches = batches
        self._tables = tables
        self._patience = patience

    async def submit(self, submission: Submission) -> Answer:
        """Take in a batch.

        Raises:
            BadNameError: the dataset or the batch id is no name.
            BatchConflictError: the batch id was accepted before with other content.
            UnavailableError: PostgreSQL or the disk is away; the same batch may be sent again.

        """
        check_names(submission.dataset, submission.batch_id)
        await self._specs.expect(submission.dataset, self._patience)
        try:
            contract, digest = self._specs.contract(submission.dataset), ""
            digest = contract.digest
        except NoContractError as error:
            contract, digest = None, ""
            decision: Admitted | Refused = Refused((str(error),))
        known = await self._batches.find(submission.dataset, submission.batch_id)
        if known and _stands(known, submission, digest):
            return Answer(known, repeated=True)
        if contract:
            with metrics.VALIDATION_SECONDS.time():
                decision = await asyncio.to_thread(decide, submission, contract)
        async with self._batches.deciding(submission.dataset) as work:
            return await self._settle(work, submission, digest, decision)

    async def _settle(
        self, work: BatchWork, submission: Submission, contract: str, decision: Admitted | Refused
    ) -> Answer:
        known = await work.find(submission.batch_id)
        if known and _stands(known, submission, contract):
            return Answer(known, repeated=True)
        if isinstance(decision, Refused):
            record = _record(submission, contract, "rejected", reports.rejected(submission, decision))
        else:
            record = await asyncio.to_thread(self._publish, submission, contract, decision)
            if record.content != submission.content:
                raise BatchConflictError(submission.dataset, submission.batch_id)
        await work.save(record, reports.event(record), reports.event_id(record))
        metrics.BATCHES.labels(submission.source, record.status).inc()
        return Answer(record, repeated=False)

    def _publish(self, submission: Submission, contract: str, admitted: Admitted) -> BatchRecord:
        """Write the rows, unless a process that died after its commit has: then its report is the one that counts."""
        table, mark = f"datasets/{submission.dataset}", f"batch/{submission.batch_id}"
        if self._tables.mark(table, mark) is not None:
            commits = self._tables.commits(table)
            commit = next(commit for commit in commits if commit.notes.get(BATCH_ID) == submission.batch_id)
        else:
            record = _record(submission, contract, "accepted", reports.draft(submission, admitted))
            rows = admitted.rows.with_columns(pl.lit(submission.batch_id).alias(BATCH_ID))
            commit = self._tables.append(table, rows, {mark: 1}, _notes(record))
        self._quarantine(submission, mark, admitted)
        return _noted(submission.dataset, table, commit)

    def _quarantine(self, submission: Submission, mark: str, admitted: Admitted) -> None:
        table = f"quarantine/{submission.dataset}"
        if admitted.quarantined.height and self._tables.mark(table, mark) is None:
            rows = admitted.quarantined.with_columns(pl.lit(submission.batch_id).alias(BATCH_ID))
            self._tables.append(table, rows, {mark: 1}, {})
        metrics.ROWS.labels("accepted").inc(admitted.rows.height)
        metrics.ROWS.labels("quarantined").inc(admitted.quarantined.height)

    async def recover(self) -> None:
        """Save and announce what a process committed to a table and died before it could say so."""
        for dataset in await asyncio.to_thread(self._tables.names, "datasets"):
            table = f"datasets/{dataset}"
            commits = [c for c in await asyncio.to_thread(self._tables.commits, table) if BATCH_ID in c.notes]
            unknown = set(await self._batches.unknown(dataset, [commit.notes[BATCH_ID] for commit in commits]))
            for commit in commits:
                if commit.notes[BATCH_ID] in unknown:
                    record = _noted(dataset, table, commit)
                    async with self._batches.deciding(dataset) as work:
                        await work.save(record, reports.event(record), reports.event_id(record))


def decide(submission: Submission, contract: Contract) -> Admitted | Refused:
    """Read a batch's file and judge it."""
    try:
        return admit(read(submission.path, submission.form), contract)
    except UnreadableFileError as error:
        return Refused((str(error),))


def _stands(known: BatchRecord, submission: Submission, contract: str) -> bool:
    """Say whether what was decided about a batch id answers this submission of it, too.

    An accepted batch never changes. A rejected one left nothing, so other content, or the same under another
    contract, is judged anew.
    """
    if known.status == "accepted" and known.content != submission.content:
        raise BatchConflictError(submission.dataset, submission.batch_id)
    return known.status == "accepted" or (known.content == submission.content and known.contract == contract)


def _record(submission: Submission, contract: str, status: str, report: dict[str, object]) -> BatchRecord:
    return BatchRecord(submission.dataset, submission.batch_id, submission.content, contract, status, report)  # type: ignore[arg-type]


def _notes(record: BatchRecord) -> dict[str, str]:
    return {
        BATCH_ID: record.batch_id,
        "content": record.content,
        "contract": record.contract,
        "report": json.dumps(record.report),
    }


def _noted(dataset: str, table: str, commit: Commit) -> BatchRecord:
    notes = commit.notes
    report = reports.accepted(json.loads(notes["report"]), table, commit)
    return BatchRecord(dataset, notes[BATCH_ID], notes["content"], notes["contract"], "accepted", report)

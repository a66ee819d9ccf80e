"""Takes a batch in, however it came: load what is known, decide, publish its rows, save what became of it.

The record and the event are one PostgreSQL transaction after the rows are in Delta. A crash in between is made good by
`recover`, or by the same batch coming again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.ingestion import metrics
from rondo.ingestion.batches import report as reports
from rondo.ingestion.batches.submission import check_names
from rondo.ingestion.errors import BatchConflictError, UnreadableFileError
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.validation.contract import NoContractError
from rondo.ingestion.validation.decision import Admitted, Refused, admit
from rondo.ingestion.validation.file_formats import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.ingestion.batches.publisher import Publishing
    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import Batches, BatchWork
    from rondo.ingestion.spec_cache import Specs
    from rondo.ingestion.validation.contract import Contract


@dataclass(frozen=True)
class Answer:
    """What became of a batch; `repeated` where just that had been decided before, and so was said before."""

    record: BatchRecord
    repeated: bool


@dataclass(frozen=True)
class Intake:
    """The one way in for batches. `patience` is how long (seconds) one waits for the spec of its dataset to arrive."""

    specs: Specs
    batches: Batches
    publishing: Publishing
    patience: float = 0.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def submit(self, submission: Submission) -> Answer:
        """Take in a batch.

        Raises:
            BadNameError: the dataset or the batch id is no name.
            BatchConflictError: the batch id was accepted before with other content.
            ReportLostError: the batch was accepted before, and what was said of it is gone.
            UnavailableError: PostgreSQL or the disk is away; the same batch may be sent again.

        """
        check_names(submission.dataset, submission.batch_id)
        await self.specs.expect(submission.dataset, self.patience)
        try:
            contract = self.specs.contract(submission.dataset)
        except NoContractError as error:
            refused = Refused((str(error),))
            return await self._decide(submission, "", lambda: refused)
        return await self._decide(submission, contract.digest, lambda: judge(submission, contract, self.clock()))

    async def _decide(self, submission: Submission, contract: str, judge: Callable[[], Admitted | Refused]) -> Answer:
        known = await self.batches.find(submission.dataset, submission.batch_id)
        if known and _stands(known, submission):
            return Answer(known, repeated=True)
        with metrics.VALIDATION_SECONDS.time():
            decision = await asyncio.to_thread(judge)
        async with self.batches.deciding(submission.dataset) as work:
            return await self._settle(work, submission, contract, decision)

    async def _settle(
        self, work: BatchWork, submission: Submission, contract: str, decision: Admitted | Refused
    ) -> Answer:
        known = await work.find(submission.batch_id)
        if known and _stands(known, submission):
            return Answer(known, repeated=True)
        if isinstance(decision, Refused):
            record = _rejected(submission, contract, decision)
            if record == known:
                return Answer(record, repeated=True)
        else:
            record = await asyncio.to_thread(self.publishing.publish, submission, contract, decision)
        await work.save(record, reports.event(record), reports.event_id(record))
        metrics.BATCHES.labels(submission.source, record.status).inc()
        return Answer(record, repeated=False)

    async def recover(self) -> None:
        """Save and announce what a process committed to a table and died before it could say so."""
        for dataset in await asyncio.to_thread(self.publishing.datasets):
            committed = await asyncio.to_thread(self.publishing.committed, dataset)
            unknown = set(await self.batches.unknown(dataset, [record.batch_id for record in committed]))
            for record in committed:
                if record.batch_id in unknown:
                    async with self.batches.deciding(dataset) as work:
                        await work.save(record, reports.event(record), reports.event_id(record))


def judge(submission: Submission, contract: Contract, now: datetime) -> Admitted | Refused:
    """Read a batch's file and judge it, at the time `now`."""
    try:
        return admit(read(submission.path, submission.form), submission.form, contract, now)
    except UnreadableFileError as error:
        return Refused((str(error),))


def _rejected(submission: Submission, contract: str, refused: Refused) -> BatchRecord:
    report = reports.rejected(submission, refused)
    return BatchRecord(submission.dataset, submission.batch_id, submission.content, contract, "rejected", report)


def _stands(known: BatchRecord, submission: Submission) -> bool:
    """Say whether what was decided about a batch id answers this submission of it, too.

    An accepted batch never changes. A rejected one left nothing, so it is judged anew: the file or the contract may be
    another by now, and what was of the future may no longer be.
    """
    if known.status == "accepted" and known.content != submission.content:
        raise BatchConflictError(submission.dataset, submission.batch_id)
    return known.status == "accepted"

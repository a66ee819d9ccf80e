"""Processes a batch from any transport: loads earlier records, validates, publishes the rows, saves the result.

Record and event are saved in one PostgreSQL transaction after the commit to Delta. After a crash in between, `recover`
saves the missing record, or the sender repeats the batch.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from polars.exceptions import PanicException

from rondo.chassis.errors import UnavailableError
from rondo.ingestion import metrics
from rondo.ingestion.batches import report
from rondo.ingestion.batches.submission import check_names
from rondo.ingestion.errors import BatchConflictError, TableDamagedError, UnreadableFileError
from rondo.ingestion.ports import BatchRecord
from rondo.ingestion.validation import file_formats
from rondo.ingestion.validation.contract import NoContractError
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.ingestion.batches.publisher import BatchPublisher
    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import BatchStore, BatchTransaction, ReportStore
    from rondo.ingestion.spec_cache import SpecCache
    from rondo.ingestion.validation.contract import Contract

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubmissionResult:
    """The record of a batch. `repeated` is True if the same decision was recorded and announced before."""

    record: BatchRecord
    repeated: bool


@dataclass(frozen=True)
class BatchService:
    """Validates and publishes batches. `spec_wait` is the time in seconds that a batch waits for a first spec."""

    specs: SpecCache
    batches: BatchStore
    publisher: BatchPublisher
    reports: ReportStore
    spec_wait: float = 0.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def submit(self, submission: Submission) -> SubmissionResult:
        """Process a batch.

        Raises:
            InvalidNameError: the dataset or the batch id is not a valid name.
            BatchConflictError: a batch with this id and other content was accepted.
            ReportLostError: the batch was accepted before, and its report is lost.
            TableDamagedError: the table of the dataset or of its quarantine is damaged. Nothing was stored.
            UnavailableError: PostgreSQL or a storage is unavailable. The same batch may be sent again.

        """
        check_names(submission.dataset, submission.batch_id)
        await self.specs.wait_for_dataset(submission.dataset, self.spec_wait)
        try:
            contract = self.specs.contract(submission.dataset)
        except NoContractError as error:
            rejected = RejectedBatch((str(error),))
            return await self._process(submission, "", lambda: rejected)
        return await self._process(
            submission, contract.digest, lambda: validate_batch(submission, contract, self.clock())
        )

    async def _process(
        self, submission: Submission, contract: str, validate: Callable[[], AcceptedBatch | RejectedBatch]
    ) -> SubmissionResult:
        known = await self.batches.find(submission.dataset, submission.batch_id)
        if known and _is_final(known, submission):
            return SubmissionResult(known, repeated=True)
        with metrics.VALIDATION_SECONDS.time():
            decision = await asyncio.to_thread(validate)
        digest = await self.reports.put(report.details(decision).encode())
        async with self.batches.transaction(submission.dataset) as work:
            return await self._save(work, submission, contract, decision, digest)

    async def _save(
        self,
        work: BatchTransaction,
        submission: Submission,
        contract: str,
        decision: AcceptedBatch | RejectedBatch,
        digest: str,
    ) -> SubmissionResult:
        known = await work.find(submission.batch_id)
        if known and _is_final(known, submission):
            return SubmissionResult(known, repeated=True)
        headline = report.headline(submission, decision, digest)
        if isinstance(decision, RejectedBatch):
            record = BatchRecord(
                submission.dataset, submission.batch_id, submission.file.content, contract, "rejected", headline
            )
            if record == known:
                return SubmissionResult(record, repeated=True)
        else:
            record = await asyncio.to_thread(
                self.publisher.publish, submission, contract, decision, headline, self.clock()
            )
        await work.save(record, report.event(record), report.event_id(record))
        metrics.BATCHES.labels(submission.source, record.status).inc()
        return SubmissionResult(record, repeated=False)

    async def recover(self) -> None:
        """Save and announce the batches that a crashed process committed to a table only.

        A batch that can't be saved, or a damaged table, is logged and left as it is, because it must not prevent the
        start of the service.

        Raises:
            UnavailableError: PostgreSQL or the data storage is unavailable.

        """
        for dataset in await asyncio.to_thread(self.publisher.datasets):
            try:
                committed = await asyncio.to_thread(self.publisher.committed, dataset)
            except TableDamagedError:
                log.warning("batches of %s that have no record yet are recorded at a later start", dataset)
                continue
            unknown = set(await self.batches.not_accepted(dataset, [record.batch_id for record in committed]))
            for record in committed:
                if record.batch_id in unknown:
                    await self._recover(record)

    async def _recover(self, record: BatchRecord) -> None:
        try:
            async with self.batches.transaction(record.dataset) as work:
                await work.save(record, report.event(record), report.event_id(record))
        except UnavailableError:
            raise
        except Exception:  # the boundary: an error in one batch does not prevent the start
            metrics.UNRECOVERED.inc()
            log.exception("batch %s of %s is in its table, but can't be recorded", record.batch_id, record.dataset)


def validate_batch(submission: Submission, contract: Contract, now: datetime) -> AcceptedBatch | RejectedBatch:
    """Read and validate a batch's file at the time `now`."""
    if submission.file.damage is not None:
        return RejectedBatch((str(submission.file.damage),))
    try:
        batch = file_formats.read(submission.file.path, submission.file_format, contract.text_labels)
        return decide(batch, submission.file_format, contract, now)
    except UnreadableFileError as error:
        return RejectedBatch((str(error),))
    except PanicException as error:
        # Polars panicked on the values of these columns. A panic is a BaseException, which no boundary above would
        # catch.
        why = f"its columns can't be processed ({(str(error) or 'panic').splitlines()[0][:200]})"
        return RejectedBatch((str(UnreadableFileError(submission.file_format, why, "send plain column types")),))


def _is_final(known: BatchRecord, submission: Submission) -> bool:
    """Return whether the recorded result also answers this submission.

    An accepted batch never changes. A rejected batch wrote nothing and is validated again: its file or the contract may
    have changed, and an event time that was in the future may be in the past now.
    """
    if known.status == "accepted" and known.content != submission.file.content:
        raise BatchConflictError(submission.dataset, submission.batch_id)
    return known.status == "accepted"

"""The report of a batch: the answer to its sender, and the event that announces it.

The full report, with the statistics of every column, is an artifact. PostgreSQL and the event have only the headline:
the main figures, and the digest of the artifact.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import BaseModel, ConfigDict

from rondo.contracts.events.data import BatchAccepted, BatchRejected, DataVersion, RowCounts
from rondo.contracts.text import Digest, Message, Text
from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch
from rondo.ingestion.validation.quality import QualityReport

if TYPE_CHECKING:
    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import BatchRecord

_MAX_REASONS = 20


class Headline(BaseModel):
    """The result of a batch in short. `report` is the digest of its full report.

    Only an accepted batch has `data_version` and event times. `reasons` are the first ones of a rejected batch.
    """

    model_config = ConfigDict(frozen=True)

    status: Text
    dataset: Text
    batch_id: Text
    source: Text
    report: Digest
    rows: RowCounts | None = None
    data_version: DataVersion | None = None
    event_time_from: datetime | None = None
    event_time_to: datetime | None = None
    reasons: tuple[Message, ...] = ()


class Details(BaseModel):
    """The full report of a batch, which is stored under its digest. `quality` is None if it was removed from the store.

    `dropped_columns` are the columns of the file that the contract at that time did not have.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    quality: QualityReport | None = None
    reasons: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()
    dropped_columns: tuple[Text, ...] = ()

    def encode(self) -> bytes:
        """Return the report as canonical JSON, which is the same for equal reports."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


def details(decision: AcceptedBatch | RejectedBatch) -> Details:
    if isinstance(decision, AcceptedBatch):
        return Details(quality=decision.quality, notes=decision.notes, dropped_columns=decision.dropped_columns)
    return Details(quality=decision.quality, reasons=decision.reasons)


def headline(submission: Submission, decision: AcceptedBatch | RejectedBatch, digest: str) -> dict[str, Any]:
    """Return the headline as JSON values. For an accepted batch, the commit adds the data version later."""
    found = Headline(
        status="accepted" if isinstance(decision, AcceptedBatch) else "rejected",
        dataset=submission.dataset,
        batch_id=submission.batch_id,
        source=submission.source,
        report=digest,
        rows=_counts(decision.quality),
        event_time_from=decision.event_time_from if isinstance(decision, AcceptedBatch) else None,
        event_time_to=decision.event_time_to if isinstance(decision, AcceptedBatch) else None,
        reasons=_first(decision.reasons) if isinstance(decision, RejectedBatch) else (),
    )
    return found.model_dump(mode="json")


def _counts(quality: QualityReport | None) -> RowCounts | None:
    if quality is None:
        return None
    return RowCounts(total=quality.rows, accepted=quality.accepted, quarantined=quality.quarantined)


def _first(reasons: tuple[str, ...]) -> tuple[str, ...]:
    more = len(reasons) - _MAX_REASONS
    return (*reasons[:_MAX_REASONS], f"and {more:,} more, see the report") if more > 0 else reasons


def event(record: BatchRecord) -> BatchAccepted | BatchRejected:
    kind = BatchAccepted if record.status == "accepted" else BatchRejected
    return kind.model_validate(record.headline)


def event_id(record: BatchRecord) -> str:
    """Return the id of the event of a batch. It is derived from the decision, so a repeated event is recognised."""
    cause = f"{record.dataset}/{record.batch_id}/{record.content}/{record.contract}/{record.status}"
    return str(uuid5(NAMESPACE_URL, f"rondo:batch:{cause}"))

"""The report of a batch: what its sender is answered, the first time and every later one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from rondo.contracts.events.data import BatchAccepted, BatchRejected

if TYPE_CHECKING:
    from rondo.ingestion.batches.submission import Submission
    from rondo.ingestion.ports import BatchRecord, Commit
    from rondo.ingestion.validation.decision import AcceptedBatch, RejectedBatch

_REJECTED = (
    "nothing of this batch was used; `reasons` says why. Correct it and send it again, under the same id or another"
)


def draft(submission: Submission, accepted: AcceptedBatch) -> dict[str, Any]:
    """Return the report of an accepted batch but for the data version, which only its commit knows."""
    return {
        "status": "accepted",
        "dataset": submission.dataset,
        "batch_id": submission.batch_id,
        "source": submission.source,
        "quality": accepted.quality.model_dump(mode="json"),
        "event_time_from": accepted.event_time_from.isoformat(),
        "event_time_to": accepted.event_time_to.isoformat(),
        "notes": list(accepted.notes),
    }


def accepted(report: dict[str, Any], table: str, commit: Commit) -> dict[str, Any]:
    """Return the report of an accepted batch."""
    return report | {"data_version": {"table": table, "version": commit.version, "digest": commit.digest}}


def rejected(submission: Submission, refused: RejectedBatch) -> dict[str, Any]:
    """Return the report of a batch that was refused whole."""
    return {
        "error": "batch_rejected",
        "message": _REJECTED,
        "status": "rejected",
        "dataset": submission.dataset,
        "batch_id": submission.batch_id,
        "source": submission.source,
        "reasons": list(refused.reasons),
        "quality": refused.quality.model_dump(mode="json") if refused.quality else None,
    }


def event(record: BatchRecord) -> BatchAccepted | BatchRejected:
    """Return the event that says what a report says."""
    kind = BatchAccepted if record.status == "accepted" else BatchRejected
    return kind.model_validate(record.report)


def event_id(record: BatchRecord) -> str:
    """Return the id of that event: a function of the decision, so that making it twice says it once."""
    cause = f"{record.dataset}/{record.batch_id}/{record.content}/{record.contract}/{record.status}"
    return str(uuid5(NAMESPACE_URL, f"rondo:batch:{cause}"))

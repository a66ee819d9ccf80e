"""Routes of the audit log."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from rondo.chassis.http.api import requires
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.registry.http.dependencies import DEFAULT_LIMIT, After, Context, Limit, ModelName

if TYPE_CHECKING:
    from rondo.registry.audit.hash_chain import AuditRecord
    from rondo.registry.http.dependencies import ApiContext

Full = Annotated[bool, Query(description="verify from the first record, not from where it was verified last")]
router = APIRouter(prefix="/v1", dependencies=[requires(Role.READER)])


class AuditRecordView(Value):
    """One record of the audit log. Its hash covers `evidence` as canonical JSON (sorted keys, no spaces)."""

    number: int
    at: Utc
    action: str
    decided_by: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class AuditLog(Value):
    """Records of an audit log, oldest first, and the result of verifying its chain of hashes.

    `next` is the `after` of the next page, or null.
    """

    model: str
    verified: bool
    message: str
    broken_at: int | None
    entries: tuple[AuditRecordView, ...]
    next: int | None


class AuditHead(Value):
    """The number of records, and the hash of the last one. Store it outside of the registry.

    The record of that number must keep that hash. If it has another one, the log was rewritten.
    """

    model: str
    length: int
    hash: str


@router.get("/models/{model}/audit", summary="The audit log, verified")
async def audit_log(
    model: ModelName, context: Context, after: After = 0, limit: Limit = DEFAULT_LIMIT, *, full: Full = False
) -> AuditLog:
    """Return decisions with their evidence, and the result of verifying the chain."""
    return await read_chain(context, model, after, limit, full=full)


@router.get("/models/{model}/audit/head", summary="The head of the audit log")
async def audit_head(model: ModelName, context: Context) -> AuditHead:
    """Return the length of the audit log and its last hash. Store them where the registry can't write."""
    head = await context.queries.audit_head(model)
    return AuditHead(model=model, length=head.length, hash=head.hash)


async def read_chain(context: ApiContext, chain: str, after: int, limit: int, *, full: bool) -> AuditLog:
    """Return a page of a chain, and verify the chain from its last verified position, or, if `full`, from its start."""
    found = await context.verifier.verify(chain, full=full)
    records, _ = await context.queries.audit_records(chain, after, limit)
    return AuditLog(
        model=chain,
        verified=found.verified,
        message=found.message,
        broken_at=found.broken_at,
        entries=tuple(_record_view(record) for record in records),
        next=records[-1].number if len(records) == limit else None,
    )


def _record_view(record: AuditRecord) -> AuditRecordView:
    return AuditRecordView.model_validate({**asdict(record), "evidence": json.loads(record.evidence)})

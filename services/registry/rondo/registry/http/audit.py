"""Routes of the audit log."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.registry.audit import hash_chain
from rondo.registry.http.dependencies import ERRORS, Context, ModelName

router = APIRouter(prefix="/v1", responses=ERRORS)


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
    """The audit log of a model, oldest record first, and the result of verifying its chain of hashes."""

    model: str
    verified: bool
    message: str
    broken_at: int | None
    entries: tuple[AuditRecordView, ...]


class AuditHead(Value):
    """The number of records, and the hash of the last one. Note it outside of the registry.

    The record of that number must keep that hash; if it has another, the log was rewritten.
    """

    model: str
    length: int
    hash: str


@router.get("/models/{model}/audit", summary="The audit log, verified")
async def audit_log(model: ModelName, context: Context) -> AuditLog:
    """Return every decision with its evidence, and the result of verifying the chain."""
    records, head = await context.queries.audit(model)
    verdict = hash_chain.verify(records, head)
    return AuditLog(
        model=model,
        verified=verdict.verified,
        message=verdict.message,
        broken_at=verdict.broken_at,
        entries=tuple(_entry(record) for record in records),
    )


@router.get("/models/{model}/audit/head", summary="The head of the audit log")
async def audit_head(model: ModelName, context: Context) -> AuditHead:
    """Return the length of the audit log and its last hash, to be noted where the registry can't write."""
    head = await context.queries.audit_head(model)
    return AuditHead(model=model, length=head.length, hash=head.hash)


def _entry(record: hash_chain.AuditRecord) -> AuditRecordView:
    return AuditRecordView.model_validate({**asdict(record), "evidence": json.loads(record.evidence)})

"""What people may look at over HTTP of the audit log: all of it, verified, and where it ends."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.registry.audit import hash_chain
from rondo.registry.http.dependencies import ERRORS, Ask, ModelName

router = APIRouter(prefix="/v1", responses=ERRORS)


class AuditEntry(Value):
    """One record of the audit log. The hash covers `evidence` as canonical JSON (sorted keys, no spaces)."""

    number: int
    at: Utc
    action: str
    decided_by: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class AuditLog(Value):
    """The audit log of a model, oldest first, and whether its chain of hashes is whole."""

    model: str
    verified: bool
    message: str
    broken_at: int | None
    entries: tuple[AuditEntry, ...]


class AuditHead(Value):
    """Where an audit log ends: how many entries it has, and the hash of the last one. Note it outside of the registry.

    The entry of that number must have that hash for ever after; if it has another, the log was written anew.
    """

    model: str
    length: int
    hash: str


@router.get("/models/{model}/audit", summary="The audit log, verified")
async def audit_log(model: ModelName, registry: Ask) -> AuditLog:
    """Return every decision with its evidence, and whether the chain of hashes is whole."""
    records, head = await registry.archive.audit(model)
    verdict = hash_chain.verify(records, head)
    return AuditLog(
        model=model,
        verified=verdict.verified,
        message=verdict.message,
        broken_at=verdict.broken_at,
        entries=tuple(_entry(record) for record in records),
    )


@router.get("/models/{model}/audit/head", summary="Where the audit log ends")
async def audit_head(model: ModelName, registry: Ask) -> AuditHead:
    """Return the length of the audit log and its last hash, to be kept where nobody of the registry can write."""
    head = await registry.archive.audit_head(model)
    return AuditHead(model=model, length=head.length, hash=head.hash)


def _entry(record: hash_chain.Record) -> AuditEntry:
    return AuditEntry.model_validate({**asdict(record), "evidence": json.loads(record.evidence)})

"""The audit log: an append-only chain of hashes, one chain per model.

Each record's hash covers its content and the hash of the previous record (Haber and Stornetta, "How to Time-Stamp a
Digital Document", 1991). A record that is changed, removed or inserted breaks every later hash. The head is stored
apart from the chain, so a truncated end shows as well.

Records and head share one schema and one role, so whoever has that role can write a new chain with a matching head.
A head that was noted elsewhere exposes this: the service logs every new head, and
`GET /v1/models/<model>/audit/head` returns it. The record of that number must keep that hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

Action = Literal["spec_applied", "registered", "rejected", "promoted", "refused", "rolled_back", "training_requested"]
GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditEntry:
    """What was decided, and the evidence for it as plain JSON values."""

    action: Action
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class AuditRecord:
    """An entry in its place in the chain. `evidence` is the canonical JSON that the hash covers."""

    model: str
    number: int
    at: datetime
    action: str
    decided_by: str
    evidence: str
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class ChainHead:
    """The end of a chain: its number of records, and the hash of the last one, which covers all before it."""

    model: str
    length: int = 0
    hash: str = GENESIS


@dataclass(frozen=True)
class Verification:
    """The result of checking a chain; `broken_at` is the number of the first record that can't be trusted."""

    verified: bool
    message: str
    broken_at: int | None = None


def append(model: str, head: ChainHead, at: datetime, decided_by: str, entry: AuditEntry) -> AuditRecord:
    """Return the record that follows the head of a chain."""
    evidence = json.dumps(entry.evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    draft = AuditRecord(model, head.length + 1, at, entry.action, decided_by, evidence, head.hash, "")
    return replace(draft, hash=_hash(draft))


def verify(records: Iterable[AuditRecord], head: ChainHead) -> Verification:
    """Check a whole chain, oldest record first, against its head."""
    number, previous = 0, GENESIS
    for record in records:
        number += 1
        if (record.model, record.number, record.previous_hash) != (head.model, number, previous):
            return _broken(number, "a record was removed, inserted or moved")
        if record.hash != _hash(record):
            return _broken(number, "its content was changed")
        previous = record.hash
    if (number, previous) != (head.length, head.hash):
        return _broken(number + 1, f"the chain ends after {number} of {head.length} records")
    return Verification(verified=True, message=f"{head.length} records, all unchanged")


def _broken(number: int, why: str) -> Verification:
    message = (
        f"record {number} and all after it can't be trusted: {why}; compare with a backup, and find out who changed it"
    )
    return Verification(verified=False, message=message, broken_at=number)


def _hash(record: AuditRecord) -> str:
    content = [record.previous_hash, record.model, record.number, record.at.isoformat(), record.action]
    text = json.dumps([*content, record.decided_by, record.evidence], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

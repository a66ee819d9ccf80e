"""The audit log: an append-only chain of hashes, one chain per model.

Each record's hash covers its content and the hash before it (Haber and Stornetta, "How to Time-Stamp a Digital
Document", 1991), so that no record can be changed, taken out or put in without breaking every later hash. The
head is kept apart from the chain, so that a cut-off end shows as well.

Records and head lie in one schema under one role, so whoever has that role can write a whole new chain with a head
to match. What shows this is a head that was noted elsewhere: every new one goes into the service's log, and
`GET /v1/models/<model>/audit/head` tells it. The record of that number must have that hash for ever after.
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
class Statement:
    """What was decided, and the evidence for it as plain JSON values."""

    action: Action
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """A statement in its place in the chain. `evidence` is the canonical JSON that the hash covers."""

    model: str
    number: int
    at: datetime
    action: str
    decided_by: str
    evidence: str
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Head:
    """Where a chain ends: how many records it has, and the hash of the last one, which covers all before it."""

    model: str
    length: int = 0
    hash: str = GENESIS


@dataclass(frozen=True)
class Verdict:
    """Whether a chain is whole; if not, `broken_at` is the number of the first record that can't be trusted."""

    verified: bool
    message: str
    broken_at: int | None = None


def append(model: str, head: Head, at: datetime, decided_by: str, statement: Statement) -> Record:
    """Return the record that follows the head of a chain."""
    evidence = json.dumps(statement.evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    draft = Record(model, head.length + 1, at, statement.action, decided_by, evidence, head.hash, "")
    return replace(draft, hash=_hash(draft))


def verify(records: Iterable[Record], head: Head) -> Verdict:
    """Check a whole chain, oldest first, against its head."""
    number, previous = 0, GENESIS
    for record in records:
        number += 1
        if (record.model, record.number, record.previous_hash) != (head.model, number, previous):
            return _broken(number, "a record is missing, was put in or was moved")
        if record.hash != _hash(record):
            return _broken(number, "its content is not what was written")
        previous = record.hash
    if (number, previous) != (head.length, head.hash):
        return _broken(number + 1, f"the chain ends after {number} of {head.length} records")
    return Verdict(verified=True, message=f"{head.length} records, each as it was written")


def _broken(number: int, why: str) -> Verdict:
    message = (
        f"record {number} can't be trusted, nor any after it: {why}; compare with a backup, and find out who did it"
    )
    return Verdict(verified=False, message=message, broken_at=number)


def _hash(record: Record) -> str:
    content = [record.previous_hash, record.model, record.number, record.at.isoformat(), record.action]
    text = json.dumps([*content, record.decided_by, record.evidence], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""The audit log: an append-only chain of hashes, one chain per model.

Each record's hash covers its content and the hash before it (Haber and Stornetta, "How to Time-Stamp a Digital
Document", 1991), so that no record can be changed, taken out or put in without breaking every later hash. The
head is kept apart from the chain, so that a cut-off end shows as well.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
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
class Verdict:
    """Whether a chain is whole; if not, `broken_at` is the number of the first record that can't be trusted."""

    verified: bool
    message: str
    broken_at: int | None = None


def append(model: str, number: int, previous_hash: str, at: datetime, decided_by: str, statement: Statement) -> Record:
    """Return the record that follows `previous_hash` as the `number`th (from 1) of the chain."""
    evidence = json.dumps(statement.evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    draft = Record(model, number, at, statement.action, decided_by, evidence, previous_hash, "")
    return Record(**{**draft.__dict__, "hash": _hash(draft)})


def verify(model: str, records: Iterable[Record], head: str, length: int) -> Verdict:
    """Check a whole chain, oldest first, against its `head` and `length`."""
    number, previous = 0, GENESIS
    for record in records:
        number += 1
        if (record.model, record.number, record.previous_hash) != (model, number, previous):
            return _broken(number, "a record is missing, was put in or was moved")
        if record.hash != _hash(record):
            return _broken(number, "its content is not what was written")
        previous = record.hash
    if (number, previous) != (length, head):
        return _broken(number + 1, f"the chain ends after {number} of {length} records")
    return Verdict(verified=True, message=f"{length} records, each as it was written")


def _broken(number: int, why: str) -> Verdict:
    message = (
        f"record {number} can't be trusted, nor any after it: {why}; compare with a backup, and find out who did it"
    )
    return Verdict(verified=False, message=message, broken_at=number)


def _hash(record: Record) -> str:
    content = [record.previous_hash, record.model, record.number, record.at.isoformat(), record.action]
    text = json.dumps([*content, record.decided_by, record.evidence], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

"""The audit log: append-only chains of hashes, one per model, per declared dataset, and one for the access tokens.

Each record's hash covers its content and the hash of the previous record (Haber and Stornetta, "How to Time-Stamp a
Digital Document", 1991). A record that is changed, removed or inserted breaks every later hash. The head is stored
apart from the chain, so a truncated end shows as well.

Records and head share one schema and one role, so a client with that role can write a new chain with a matching head. A
copy of a head that is stored elsewhere reveals this: the service logs every new head, and
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

Action = Literal[
    "spec_applied",
    "dataset_applied",
    "dataset_removed",
    "registered",
    "rejected",
    "promoted",
    "refused",
    "rolled_back",
    "removed",
    "rollout_waits",
    "rollout_began",
    "rollout_step",
    "rollout_state",
    "rollout_ended",
    "rollout_superseded",
    "training_requested",
    "registration_requested",
    "scoring_requested",
    "token_created",
    "token_rotated",
    "token_revoked",
]
# The decisions about a rollout.
ROLLOUT_ACTIONS: tuple[Action, ...] = (
    "rollout_began",
    "rollout_step",
    "rollout_state",
    "promoted",
    "rollout_ended",
    "rollout_superseded",
)
GENESIS = "0" * 64
# A chain whose name has a dot belongs to no model, because a model's name has none.
TOKENS_CHAIN = "access.tokens"


@dataclass(frozen=True)
class AuditEntry:
    """A decision and its evidence as plain JSON values."""

    action: Action
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class AuditRecord:
    """An entry at its position in the chain. `evidence` is the canonical JSON that the hash covers."""

    chain: str
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

    chain: str
    length: int = 0
    hash: str = GENESIS


@dataclass(frozen=True)
class Verification:
    """The result of checking a chain. `broken_at` is the number of the first record that can't be trusted."""

    verified: bool
    message: str
    broken_at: int | None = None


class BrokenChainError(Exception):
    """Record `number` and all after it can't be trusted."""

    def __init__(self, number: int, why: str) -> None:
        self.number, self.why = number, why
        super().__init__(
            f"record {number} and all after it can't be trusted: {why}; "
            "compare with a backup, and find out who changed it"
        )


def append(head: ChainHead, at: datetime, decided_by: str, entry: AuditEntry) -> AuditRecord:
    """Return the record that follows the head of a chain."""
    evidence = json.dumps(entry.evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    draft = AuditRecord(head.chain, head.length + 1, at, entry.action, decided_by, evidence, head.hash, "")
    return replace(draft, hash=_hash(draft))


def advance(position: ChainHead, records: Iterable[AuditRecord]) -> ChainHead:
    """Check the records that follow a position, and return the position after them.

    Raises:
        BrokenChainError: a record is not the one that was written there.

    """
    for record in records:
        number = position.length + 1
        if (record.chain, record.number, record.previous_hash) != (position.chain, number, position.hash):
            raise BrokenChainError(number, "a record was removed, inserted or moved")
        if record.hash != _hash(record):
            raise BrokenChainError(number, "its content was changed")
        position = ChainHead(position.chain, number, record.hash)
    return position


def require_end(position: ChainHead, head: ChainHead) -> None:
    """Check that a verified position is the head of the chain.

    Raises:
        BrokenChainError: it is not.

    """
    if position != head:
        raise BrokenChainError(position.length + 1, f"the chain ends after {position.length} of {head.length} records")


def _hash(record: AuditRecord) -> str:
    content = [record.previous_hash, record.chain, record.number, record.at.isoformat(), record.action]
    text = json.dumps([*content, record.decided_by, record.evidence], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

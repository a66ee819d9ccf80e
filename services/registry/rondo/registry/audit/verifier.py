"""Verifies the audit chains. Each read checks the records since the last check, and a periodic task checks all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from rondo.chassis.periodic import run_periodically
from rondo.registry.audit.hash_chain import BrokenChainError, ChainHead, Verification, advance, require_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.registry.audit.hash_chain import AuditRecord

log = logging.getLogger(__name__)
BATCH = 1_000
FULL_SECONDS = 3_600.0


class AuditReader(Protocol):
    async def audit_chains(self) -> Sequence[str]:
        """Return the names of all chains."""
        ...

    async def audit_records(self, chain: str, after: int, limit: int) -> tuple[Sequence[AuditRecord], ChainHead]:
        """Return up to `limit` records after number `after`, and the head, both from one snapshot."""
        ...


class AuditVerifier:
    """Stores the verified position of each chain. A full pass finds changes before that position."""

    def __init__(self, reader: AuditReader) -> None:
        self._reader = reader
        self._verified: dict[str, ChainHead] = {}

    async def run(self) -> None:
        """Verify all chains every hour until cancelled."""
        await run_periodically("the verification of the audit log", self.tick)

    async def tick(self) -> float:
        """Verify all chains from their first record. Returns the seconds until the next tick."""
        for chain in await self._reader.audit_chains():
            found = await self.verify(chain, full=True)
            if not found.verified:
                log.error("the audit log of %s: %s", chain, found.message)
        return FULL_SECONDS

    async def verify(self, chain: str, *, full: bool = False) -> Verification:
        """Verify a chain from its last verified position, or, if `full`, from its first record.

        Raises:
            UnknownModelError: there is no such chain.

        """
        position = ChainHead(chain) if full else self._verified.get(chain, ChainHead(chain))
        try:
            while True:
                records, head = await self._reader.audit_records(chain, position.length, BATCH)
                position = advance(position, records)
                if not records or position.length == head.length:
                    break
            require_end(position, head)
        except BrokenChainError as error:
            self._verified.pop(chain, None)  # every later read verifies the whole chain and reports the fault
            return Verification(verified=False, message=str(error), broken_at=error.number)
        self._verified[chain] = position
        return Verification(verified=True, message=f"{position.length} records, all unchanged")

"""The verifier reads only new records, and a full pass finds a change of a verified record."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rondo.registry.audit import verifier
from rondo.registry.audit.hash_chain import AuditEntry, AuditRecord, ChainHead, append
from rondo.registry.audit.verifier import AuditVerifier

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2013, 1, 1, tzinfo=UTC)


class Chain:
    """One chain in memory, which counts the records that are read."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.head = ChainHead("late")
        self.read = 0

    def grow(self, count: int) -> None:
        for _ in range(count):
            self.records.append(append(self.head, NOW, "registry", AuditEntry("promoted", {})))
            self.head = ChainHead("late", len(self.records), self.records[-1].hash)

    async def audit_chains(self) -> Sequence[str]:
        return ["late"]

    async def audit_records(self, chain: str, after: int, limit: int) -> tuple[Sequence[AuditRecord], ChainHead]:
        assert chain == "late"
        found = self.records[after : after + limit]
        self.read += len(found)
        return found, self.head


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "BATCH", 2)


async def test_a_second_read_verifies_only_what_is_new() -> None:
    chain = Chain()
    chain.grow(5)
    checked = AuditVerifier(chain)
    assert (await checked.verify("late")).verified
    chain.grow(1)
    assert (await checked.verify("late")).verified
    assert chain.read == 6


async def test_a_change_of_what_was_verified_is_found_by_a_full_pass_and_stays_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = Chain()
    chain.grow(5)
    checked = AuditVerifier(chain)
    await checked.verify("late")
    chain.records[1] = replace(chain.records[1], decided_by="nobody")
    assert (await checked.verify("late")).verified
    await checked.tick()
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert (await checked.verify("late")).broken_at == 2


async def test_a_truncated_chain_is_found_by_the_next_read() -> None:
    chain = Chain()
    chain.grow(5)
    checked = AuditVerifier(chain)
    await checked.verify("late")
    chain.grow(1)
    chain.records.pop()
    assert (await checked.verify("late")).broken_at == 6
    assert (await AuditVerifier(Chain()).verify("late")).verified

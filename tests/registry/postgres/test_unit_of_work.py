"""Tests that need a real PostgreSQL: concurrent writers, the order of the outbox, append-only tables."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.spec.model import ModelSpec
from rondo.registry import commands, handlers
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.errors import AlreadyChampionError, RegistryError, StaleRevisionError
from rondo.registry.postgres import models
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore
from rondo.registry.rollout import rollback

from tests.registry.scenarios import ANA, FakeArtifacts

if TYPE_CHECKING:
    from rondo.chassis.postgres.pool import Database

Make = Callable[..., Any]
REPLICAS = 2


@pytest.fixture
async def stores(registry_database: Database, spec: ModelSpec) -> list[PostgresStore]:
    """Return the stores of two replicas on one database, the spec applied."""
    found = [PostgresStore(registry_database) for _ in range(REPLICAS)]
    async with found[0].work() as work:
        await commands.apply_spec(work, spec, ANA)
    return found


async def train(store: PostgresStore, event: Any, event_id: str) -> None:
    envelope = Envelope(event_id, "test", datetime.now(UTC), event)
    async with store.handling(envelope) as work:
        await handlers.on_model_trained(envelope, work, FakeArtifacts())


async def outbox(database: Database, topic: str) -> list[Any]:
    sql = "select convert_from(value, 'UTF8')::jsonb as event from outbox where topic = $1 order by id"
    return [row["event"] for row in await database.pool.fetch(sql, topic)]


async def test_two_replicas_never_share_a_version_or_a_revision(
    registry_database: Database, stores: list[PostgresStore], trained: Make
) -> None:
    # No gate against the champion here: which versions are compared depends on the order, which this test varies.
    candidates = [trained(f"run-{n}", auc=0.7 if n == 0 else 0.3) for n in range(12)]
    await asyncio.gather(*(train(stores[n % 2], c, f"t{n}") for n, c in enumerate(candidates)))

    async def decide(n: int) -> None:
        async with stores[n % 2].work() as work:
            with suppress(AlreadyChampionError):
                await commands.promote(work, "late", n + 1, ANA, None, override=True)

    await asyncio.gather(*(decide(n) for n in range(12)))
    queries = PostgresQueries(registry_database)
    model = await queries.model("late")
    assert sorted(model.versions) == list(range(1, 13))
    assert [d.revision for d in await queries.deployments("late")] == list(range(1, model.revision + 1))
    changed = await outbox(registry_database, "deployments.changed")
    # The topic is compacted: what the outbox holds last is what stays, so the order must be that of the decisions.
    assert [event["revision"] for event in changed] == list(range(1, model.revision + 1))
    assert [r["model_version"] for r in changed[-1]["routes"]] == [r.model_version for r in model.routes]
    assert sum(version.state == "champion" for version in model.versions.values()) == 1


async def test_the_same_run_at_two_replicas_at_once_makes_one_version(
    registry_database: Database, stores: list[PostgresStore], trained: Make
) -> None:
    await asyncio.gather(*(train(stores[n % 2], trained("run-1"), f"t{n}") for n in range(6)))
    assert (await PostgresQueries(registry_database).model("late")).last_version == 1
    assert len(await outbox(registry_database, "models.promoted")) == 1


async def test_a_new_model_applied_twice_at_once_is_one(
    registry_database: Database, stores: list[PostgresStore], spec: ModelSpec
) -> None:
    other = ModelSpec.model_validate(spec.as_dict() | {"model": "other"})

    async def apply(store: PostgresStore) -> commands.Applied:
        async with store.work() as work:
            return await commands.apply_spec(work, other, ANA)

    applied = await asyncio.gather(*(apply(store) for store in stores * 3))
    assert sorted(a.changed for a in applied) == [False] * 5 + [True]
    assert {a.revision for a in applied} == {1}


async def test_a_decision_on_an_old_view_is_refused(
    registry_database: Database, stores: list[PostgresStore], trained: Make
) -> None:
    """The counter protects even against a writer that takes no lock."""
    await train(stores[0], trained("run-1"), "t1")
    await train(stores[0], trained("run-2", auc=0.8, champion=(1, 0.7)), "t2")
    async with registry_database.pool.acquire() as connection:
        old = await models.load_model(connection, "late")
    assert old is not None
    async with stores[0].work() as work:
        await commands.roll_back(work, "late", None, ANA, None)
    with pytest.raises(StaleRevisionError):
        async with stores[1].work() as work:
            await work.save(rollback.roll_back(old, None, ANA.actor))
    assert issubclass(StaleRevisionError, RegistryError)


async def test_a_new_head_of_the_audit_log_is_logged(
    registry_database: Database, stores: list[PostgresStore], trained: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rondo.registry.postgres.unit_of_work")
    await train(stores[0], trained("run-1"), "t1")
    head = await PostgresQueries(registry_database).audit_head("late")
    assert [fact for fact in ("late", f" {head.length} ", head.hash) if fact not in caplog.messages[-1]] == []
    assert len(caplog.messages) == 2
    assert caplog.records[-1].__dict__["audit_head"] == head.hash
    with suppress(ZeroDivisionError):
        async with stores[0].work() as work:
            await commands.train(work, "late", ANA, datetime.now(UTC))
            raise ZeroDivisionError
    assert len(caplog.messages) == 2
    assert (await PostgresQueries(registry_database).audit_head("late")) == head


@pytest.mark.parametrize(
    ("table", "column"),
    [("audit", "chain"), ("deployments", "model"), ("specs", "model"), ("dataset_specs", "dataset")],
)
@pytest.mark.parametrize(
    "change", ["update {table} set {column} = 'x'", "delete from {table}", "truncate {table} cascade"]
)
async def test_decisions_are_append_only(
    registry_database: Database, stores: list[PostgresStore], table: str, column: str, change: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
        await registry_database.pool.execute(change.format(table=table, column=column))
    assert str(caught.value).startswith(f"{table} ")


async def test_a_change_with_the_trigger_disabled_is_detected(
    registry_database: Database, stores: list[PostgresStore], trained: Make
) -> None:
    """The table's owner can disable the trigger. The chain still detects the change."""
    await train(stores[0], trained("run-1"), "t1")
    queries = PostgresQueries(registry_database)
    assert (await AuditVerifier(queries).verify("late")).verified
    await registry_database.pool.execute(
        "alter table audit disable trigger audit_append_only; update audit set decided_by = 'unknown' where number = 2"
    )
    assert (await AuditVerifier(queries).verify("late")).broken_at == 2

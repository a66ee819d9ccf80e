"""Saves a decision: the counters of the model, its versions, its deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.registry.errors import StaleRevisionError
from rondo.registry.postgres.rows import GATES, ROUTES

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.model.model import Candidate, Decision, Version


async def save(sql: PoolConnectionProxy[Any], decision: Decision) -> None:
    """Save the changes of a decision.

    Raises:
        StaleRevisionError: the deployment is not at the revision of `decision.before`.

    """
    await _move_counters(sql, decision)
    await _save_versions(sql, decision)
    if decision.after.revision != decision.before.revision:
        await _save_deployment(sql, decision)


async def _move_counters(sql: PoolConnectionProxy[Any], decision: Decision) -> None:
    before, after = decision.before, decision.after
    status = await sql.execute(
        "update models set revision = $2, last_version = $3, spec_revision = $4"
        " where name = $1 and revision = $5 and last_version = $6 and spec_revision = $7",
        after.name, after.revision, after.last_version, after.spec_revision,
        before.revision, before.last_version, before.spec_revision,
    )  # fmt: skip
    if status != "UPDATE 1":
        found = await sql.fetchval("select revision from models where name = $1", after.name)
        raise StaleRevisionError(after.name, before.revision, found)


async def _save_versions(sql: PoolConnectionProxy[Any], decision: Decision) -> None:
    name, before = decision.after.name, decision.before.versions
    for number, version in decision.after.versions.items():
        if number not in before and decision.candidate:
            await _insert_version(sql, name, version, decision.candidate)
        elif before[number].state != version.state:
            update = "update versions set state = $3 where model = $1 and number = $2"
            await sql.execute(update, name, number, version.state)


async def _insert_version(sql: PoolConnectionProxy[Any], name: str, version: Version, candidate: Candidate) -> None:
    await sql.execute(
        "insert into versions (model, number, run_id, digest, state, passed, features, gates, trained,"
        " registered_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        name, version.number, version.run_id, version.digest, version.state, version.passed, version.signature,
        GATES.dump_json(candidate.gates).decode(), candidate.trained.model_dump_json(), datetime.now(UTC),
    )  # fmt: skip


async def _save_deployment(sql: PoolConnectionProxy[Any], decision: Decision) -> None:
    after, actor = decision.after, decision.actor
    await sql.execute(
        "insert into deployments (model, revision, routes, champion, decided_by, reason, at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        after.name, after.revision, ROUTES.dump_json(after.routes, by_alias=True).decode(),
        after.champion.number if after.champion else None, actor.name, actor.reason, datetime.now(UTC),
    )  # fmt: skip

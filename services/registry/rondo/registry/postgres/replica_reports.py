"""The table of replica reports: a few rows per model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.rollout.rollback_decision import ReplicaReports

_REFUSED_SQL = """
select m.name, m.revision from models m join replicas r on r.model = m.name and r.revision = m.revision
group by m.name having bool_or(r.state = 'refused') and not bool_or(r.state = 'available')
"""


async def load(sql: PoolConnectionProxy[Any], model: str) -> ReplicaReports:
    found = await sql.fetch("select * from replicas where model = $1 order by replica, model_version", model)
    return tuple(rows.replica_report(row) for row in found)


async def save(sql: PoolConnectionProxy[Any], model: str, reports: ReplicaReports) -> None:
    """Replace the reports of a model. The caller holds its lock."""
    await sql.execute("delete from replicas where model = $1", model)
    await sql.executemany(
        "insert into replicas (model, replica, model_version, digest, revision, state, detail, at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(r.model, r.replica, r.model_version, r.digest, r.revision, r.state, r.detail, r.at) for r in reports],
    )


async def load_refused_deployments(sql: PoolConnectionProxy[Any]) -> Sequence[tuple[str, int]]:
    return [(row["name"], row["revision"]) for row in await sql.fetch(_REFUSED_SQL)]

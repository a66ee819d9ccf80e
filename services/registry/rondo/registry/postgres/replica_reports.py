"""The last words of the replicas in PostgreSQL: a handful for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.rollout.replica_reports import Words

# A deployment has the words of its replicas under its own revision.
_UNSETTLED_SQL = """
select m.name, m.revision from models m join replicas r on r.model = m.name and r.revision = m.revision
group by m.name having bool_or(r.state = 'refused') and not bool_or(r.state = 'available')
"""


async def load(sql: PoolConnectionProxy[Any], model: str) -> Words:
    """Load the last word of each replica on each version of a model."""
    found = await sql.fetch("select * from replicas where model = $1 order by replica, model_version", model)
    return tuple(rows.word(row) for row in found)


async def save(sql: PoolConnectionProxy[Any], model: str, words: Words) -> None:
    """Save the last words in place of those before; the caller has the model's lock."""
    await sql.execute("delete from replicas where model = $1", model)
    await sql.executemany(
        "insert into replicas (model, replica, model_version, digest, revision, state, detail, at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(w.model, w.replica, w.model_version, w.digest, w.revision, w.state, w.detail, w.at) for w in words],
    )


async def load_unsettled(sql: PoolConnectionProxy[Any]) -> Sequence[tuple[str, int]]:
    """Load model and revision of the deployments that some replica refuses, and that none serves."""
    return [(row["name"], row["revision"]) for row in await sql.fetch(_UNSETTLED_SQL)]

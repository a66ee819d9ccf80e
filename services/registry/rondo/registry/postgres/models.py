"""Loads models: one SQL statement for all models, and one for all their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.model.model import Model, Version

_MODELS_SQL = """
select m.name, m.spec_revision, m.revision, m.last_version, s.spec, d.routes, (
    -- Only a removal leaves a deployment without champion: what served before it does not count.
    select array_agg(champion order by revision) from deployments where model = m.name and revision > coalesce(
        (select max(revision) from deployments where model = m.name and champion is null), 0)
) served
from models m join specs s on s.model = m.name and s.revision = m.spec_revision
left join deployments d on d.model = m.name and d.revision = m.revision
where $1::text[] is null or m.name = any ($1) order by m.name
"""
_NAMES_SQL = """
select name from models m join specs s on s.model = m.name and s.revision = m.spec_revision order by name
"""
_VERSIONS_SQL = """
select model, number, run_id, digest, state, passed, features from versions
where $1::text[] is null or model = any ($1) order by model, number
"""


async def load_models(sql: PoolConnectionProxy[Any], names: Sequence[str] | None = None) -> tuple[Model, ...]:
    """Load models with their versions and former champions, by name. All models if `names` is None."""
    versions: dict[str, dict[int, Version]] = {}
    for row in await sql.fetch(_VERSIONS_SQL, names):
        versions.setdefault(row["model"], {})[row["number"]] = rows.version(row)
    return tuple(rows.model(row, versions.get(row["name"], {})) for row in await sql.fetch(_MODELS_SQL, names))


async def load_model(sql: PoolConnectionProxy[Any], name: str) -> Model | None:
    """Load a model. None if it has no spec."""
    return next(iter(await load_models(sql, [name])), None)


async def load_names(sql: PoolConnectionProxy[Any]) -> tuple[str, ...]:
    """Load the names of all models that have a spec, sorted."""
    return tuple(row["name"] for row in await sql.fetch(_NAMES_SQL))

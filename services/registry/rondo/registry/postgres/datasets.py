"""The specs of declared datasets, and the models that name a dataset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.model.dataset import Dataset
from rondo.registry.model.model import IN_SERVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.model.model import Actor

# The first key of the advisory locks of datasets. The second is the hash of the name.
_DATASET_LOCKS = 1_919_247_221
_DATASETS_SQL = """
select d.name, d.spec_revision, s.revision, s.spec from datasets d join dataset_specs s on s.dataset = d.name
where $1::text is null or d.name = $1 order by d.name, s.revision
"""
_USERS_SQL = """
select s.spec from models m join specs s on s.model = m.name and s.revision = m.spec_revision
where s.spec::jsonb -> 'data' ->> 'dataset' = $1
or exists (select from jsonb_each(s.spec::jsonb -> 'features') f where f.value ->> 'from' = $1)
union
select s.spec from versions v
join specs s on s.model = v.model and s.digest = v.trained::jsonb #>> '{summary,spec_digest}'
where v.state = any ($2)
and exists (select from jsonb_each(s.spec::jsonb -> 'features') f where f.value ->> 'from' = $1) order by spec
"""
# The time of a removal is not stored. So a model spec counts as one of an undeclared dataset if it was applied between
# the last dataset spec before the removal and the next dataset spec.
_UNDECLARED_USERS_SQL = """
select distinct on (s.model) s.spec from specs s
left join lateral (
    select revision from dataset_specs where dataset = $1 and applied_at <= s.applied_at order by revision desc limit 1
) d on true
where s.spec::jsonb -> 'data' ->> 'dataset' = $1 and (d.revision is null or (
    d.revision <> (select spec_revision from datasets where name = $1)
    and not exists (select from dataset_specs where dataset = $1 and revision = d.revision + 1)
)) order by s.model, s.revision desc
"""


async def lock(sql: PoolConnectionProxy[Any], name: str) -> None:
    """Lock a dataset, declared or not, against every other writer until the transaction ends."""
    await sql.execute("select pg_advisory_xact_lock($1::int, hashtext($2))", _DATASET_LOCKS, name)


async def load(sql: PoolConnectionProxy[Any], name: str) -> Dataset:
    return next(iter(await _load_all(sql, name)), Dataset(name))


async def load_declared(sql: PoolConnectionProxy[Any]) -> tuple[Dataset, ...]:
    """Load the declared datasets, by name."""
    return tuple(each for each in await _load_all(sql, None) if each.is_declared)


async def _load_all(sql: PoolConnectionProxy[Any], name: str | None) -> Sequence[Dataset]:
    found: dict[str, Dataset] = {}
    for row in await sql.fetch(_DATASETS_SQL, name):
        before = found.get(row["name"], Dataset(row["name"]))
        history = (*before.history, DatasetSpec.from_json(row["spec"]))
        found[row["name"]] = Dataset(
            row["name"], row["spec_revision"], history, is_declared=row["revision"] == row["spec_revision"]
        )
    return list(found.values())


async def load_users(sql: PoolConnectionProxy[Any], name: str) -> tuple[ModelSpec, ...]:
    rows = await sql.fetch(_USERS_SQL, name, list(IN_SERVICE))
    return tuple(ModelSpec.from_json(row["spec"]) for row in rows)


async def load_undeclared_users(sql: PoolConnectionProxy[Any], name: str) -> tuple[ModelSpec, ...]:
    return tuple(ModelSpec.from_json(row["spec"]) for row in await sql.fetch(_UNDECLARED_USERS_SQL, name))


async def save_spec(sql: PoolConnectionProxy[Any], spec: DatasetSpec, revision: int, actor: Actor) -> None:
    await sql.execute(
        "insert into datasets (name, spec_revision) values ($1, $2)"
        " on conflict (name) do update set spec_revision = excluded.spec_revision",
        spec.dataset, revision,
    )  # fmt: skip
    await sql.execute(
        "insert into dataset_specs (dataset, revision, digest, spec, applied_at, applied_by)"
        " values ($1, $2, $3, $4, $5, $6)",
        spec.dataset, revision, spec.digest, spec.canonical_json(), datetime.now(UTC), actor.name,
    )  # fmt: skip


async def save_removal(sql: PoolConnectionProxy[Any], name: str, revision: int) -> None:
    await sql.execute("update datasets set spec_revision = $2 where name = $1", name, revision)

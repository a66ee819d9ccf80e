"""Migrations: what was written before a column existed has it afterwards."""

from __future__ import annotations

import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.postgres.pool import connect
from rondo.registry.postgres.queries import PostgresQueries

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.settings import Settings

MIGRATIONS = files("rondo.registry") / "migrations"
ROUTE = (
    '{"model_version": 4, "digest": "sha256:%s", "share": 1, "role": "primary", "features": {"a": {"type": "float"}}}'
    % ("a" * 64)
)


async def test_deployments_of_before_keep_their_champion(
    registry_settings: Settings, spec: ModelSpec, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    before.mkdir()
    for name in ("001_registry.sql", "002_replicas.sql"):
        shutil.copy(str(MIGRATIONS / name), before)
    async with connect(registry_settings, before) as database:
        await database.pool.execute(
            "insert into models (name, spec_revision, revision, last_version, audit_head) values ('late', 1, 2, 4, '')"
        )
        await database.pool.execute(
            "insert into specs values ('late', 1, $1, $2, now(), 'ana')", spec.digest, spec.canonical_json()
        )
        await database.pool.execute(
            "insert into deployments select 'late', n, case n when 1 then $1 else '[]' end, 'ana', '', now()"
            " from generate_series(1, 2) n",
            f"[{ROUTE}]",
        )
    async with connect(registry_settings, MIGRATIONS) as database:
        model = await PostgresQueries(database).model("late")
    assert (model.served, model.routes, model.revision) == ((4,), (), 2)

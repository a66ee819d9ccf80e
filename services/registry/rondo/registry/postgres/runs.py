"""The table of training runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.registry.model import runs
from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.model.runs import Run

# Two SQL statements: one with an optional model could use neither index.
LATEST_SQL = "select * from runs order by recorded_at desc limit $1"
LATEST_OF_MODEL_SQL = "select * from runs where model = $1 order by recorded_at desc limit $2"


async def save(sql: PoolConnectionProxy[Any], run: Run) -> None:
    known = await sql.fetchrow("select * from runs where run_id = $1 for update", run.run_id)
    merged = runs.merge(rows.run(known) if known else None, run)
    await sql.execute(
        "insert into runs (run_id, model, state, trigger, started_at, finished_at, detail)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (run_id) do update set state = excluded.state,"
        " started_at = coalesce(excluded.started_at, runs.started_at), finished_at = excluded.finished_at,"
        " detail = excluded.detail where runs.state = 'running' or runs.started_at is null",
        merged.run_id, merged.model, merged.state, merged.trigger.model_dump_json(),
        merged.started_at, merged.finished_at, merged.detail,
    )  # fmt: skip


async def load_latest(sql: PoolConnectionProxy[Any], model: str | None, limit: int) -> Sequence[Run]:
    asked = sql.fetch(LATEST_SQL, limit) if model is None else sql.fetch(LATEST_OF_MODEL_SQL, model, limit)
    return [rows.run(row) for row in await asked]

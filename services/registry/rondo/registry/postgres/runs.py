"""The table of training runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rondo.registry.model import runs
from rondo.registry.model.runs import ListedRun, RunPosition
from rondo.registry.postgres import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from rondo.registry.model.runs import Run

# There are two SQL statements, because one with an optional model could use neither index.
LATEST_SQL = "select * from runs where (updated_at, run_id) < ($2, $3) order by updated_at desc, run_id desc limit $1"
LATEST_OF_MODEL_SQL = (
    "select * from runs where model = $4 and (updated_at, run_id) < ($2, $3)"
    " order by updated_at desc, run_id desc limit $1"
)
_NEWEST = RunPosition(datetime(9999, 1, 1, tzinfo=UTC), "")


async def save(sql: PoolConnectionProxy[Any], run: Run) -> None:
    known = await sql.fetchrow("select * from runs where run_id = $1 for update", run.run_id)
    merged = runs.merge(rows.run(known) if known else None, run)
    await sql.execute(
        "insert into runs (run_id, model, state, trigger, reason, started_at, finished_at, detail)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (run_id) do update set state = excluded.state,"
        " trigger = excluded.trigger, reason = excluded.reason,"
        " started_at = coalesce(excluded.started_at, runs.started_at), finished_at = excluded.finished_at,"
        " detail = excluded.detail, updated_at = clock_timestamp()"
        " where runs.state = 'running' or runs.started_at is null",
        merged.run_id, merged.model, merged.state, merged.trigger.model_dump_json(), merged.reason,
        merged.started_at, merged.finished_at, merged.detail,
    )  # fmt: skip


async def load_latest(
    sql: PoolConnectionProxy[Any], model: str | None, before: RunPosition | None, limit: int
) -> Sequence[ListedRun]:
    position = before or _NEWEST
    query = (
        sql.fetch(LATEST_SQL, limit, *position)
        if model is None
        else sql.fetch(LATEST_OF_MODEL_SQL, limit, *position, model)
    )
    return [ListedRun(rows.run(row), RunPosition(row["updated_at"], row["run_id"])) for row in await query]

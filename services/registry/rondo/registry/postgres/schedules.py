"""The table of cron schedules: the time up to which each is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg.pool import PoolConnectionProxy


async def load_base(sql: PoolConnectionProxy[Any], model: str, expression: str) -> datetime:
    base: datetime = await sql.fetchval(
        "select greatest(s.applied_at, d.last_due) from models m"
        " join specs s on s.model = m.name and s.revision = m.spec_revision"
        " left join schedules d on d.model = m.name and d.expression = $2 where m.name = $1",
        model, expression,
    )  # fmt: skip
    return base


async def complete(sql: PoolConnectionProxy[Any], model: str, expression: str, due: datetime) -> None:
    """Save a due time whose training was requested. The caller holds the model's lock."""
    await sql.execute(
        "insert into schedules (model, expression, last_due) values ($1, $2, $3)"
        " on conflict (model, expression) do update set last_due = excluded.last_due",
        model, expression, due,
    )  # fmt: skip

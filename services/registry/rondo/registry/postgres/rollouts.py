"""The table of rollouts: one row for each model, candidate and start time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rondo.registry.model.rollouts import ACTIVE, Rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

_MODELS_SQL = """
select model from rollouts where state = any ($1)
union select v.model from versions v where v.state = 'waiting' order by 1
"""


async def load(sql: PoolConnectionProxy[Any], model: str) -> Rollout | None:
    """Load the latest rollout of a model."""
    text = await sql.fetchval("select rollout from rollouts where model = $1 order by number desc limit 1", model)
    return Rollout.model_validate_json(text) if text else None


async def load_active(sql: PoolConnectionProxy[Any]) -> Sequence[Rollout]:
    """Load the active rollouts, by model."""
    found = await sql.fetch("select rollout from rollouts where state = any ($1) order by model", list(ACTIVE))
    rollouts = []
    for row in found:
        # The controller logs rollouts of a later release, which this one can't read.
        with suppress(ValidationError):
            rollouts.append(Rollout.model_validate_json(row["rollout"]))
    return rollouts


async def save(sql: PoolConnectionProxy[Any], rollout: Rollout) -> None:
    """Save a rollout. The caller holds the lock of its model."""
    await sql.execute(
        "insert into rollouts (model, candidate, began, state, rollout) values ($1, $2, $3, $4, $5)"
        " on conflict (model, candidate, began) do update set state = excluded.state, rollout = excluded.rollout",
        rollout.model, rollout.candidate, rollout.began, rollout.state, rollout.model_dump_json(),
    )  # fmt: skip


async def load_models_in_rollout(sql: PoolConnectionProxy[Any]) -> Sequence[str]:
    """Return the models with an active rollout, and those with a version that waits for its rollout."""
    return [row["model"] for row in await sql.fetch(_MODELS_SQL, list(ACTIVE))]

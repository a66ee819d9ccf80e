"""Stores checkpoints in PostgreSQL, and reads the control plane's data."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, WindowClosed
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.errors import FencedError
from rondo.monitor.history.postgres_windows import save_window
from rondo.monitor.notifications.postgres_alerts import save_alert
from rondo.monitor.ports import TABLES, ChampionRevision, Checkpoint, ControlPlaneSnapshot, ModelCheckpoint, StoredTable
from rondo.monitor.state.postgres_control_plane import read_skew

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.monitor.alerts.findings import Announcement

_SAVE_MODEL = """
insert into model_states (model, figures, windows, evidence) values ($1, $2, $3, $4)
on conflict (model) do update
set figures = excluded.figures, windows = excluded.windows, evidence = excluded.evidence
"""
_SAVE_SEGMENT = "insert into segments (model, name, generation, content) values ($1, $2, $3, $4)"
_SAVE_LIVE = """
insert into live_rows (model, name, live) values ($1, $2, $3)
on conflict (model, name) do update set live = excluded.live
"""
_SAVE_POSITION = """
insert into positions (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""


class PostgresStore:
    """Implements `ports.Store`. Alerts are kept, too: `notifications` makes messages of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Checkpoint:
        async with self._database.transaction() as transaction:
            fetch = transaction.connection.fetch
            generation = await transaction.connection.fetchval("select generation from generations")
            positions = {(r["topic"], r["partition"]): r["next_offset"] for r in await fetch("select * from positions")}
            tables = _tables(
                await fetch("select model, name, live from live_rows"),
                await fetch("select model, name, content from segments order by model, name, generation"),
            )
            rows = await fetch("select model, figures, windows, evidence from model_states")
        models = {
            row["model"]: ModelCheckpoint(row["figures"], row["windows"], row["evidence"], tables[row["model"]])
            for row in rows
        }
        return Checkpoint(generation, positions, models)

    async def control_plane(self) -> ControlPlaneSnapshot:
        async with self._database.transaction() as transaction:
            specs = await transaction.connection.fetch("select model, spec, removed from specs")
            champions = await transaction.connection.fetch("select model, revision, version, digest from champions")
            skews = await transaction.connection.fetch("select model, number, batches from skews")
        return ControlPlaneSnapshot(
            {row["model"]: ModelSpec.model_validate_json(row["spec"]) for row in specs if row["spec"]},
            {row["model"]: ChampionRevision(row["revision"], row["version"], row["digest"]) for row in champions},
            {row["model"]: row["removed"] for row in specs if row["removed"]},
            {row["model"]: read_skew(row) for row in skews},
        )

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(
                "select digest, profile from profiles where digest = any($1)", list(digests)
            )
        return {row["digest"]: ReferenceProfile.model_validate_json(row["profile"]) for row in rows}

    async def save(self, checkpoint: Checkpoint, announcements: Sequence[Announcement]) -> None:
        generation = checkpoint.generation
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            status = await connection.execute(
                "update generations set generation = generation + 1 where generation = $1", generation
            )
            if status != "UPDATE 1":
                raise FencedError(generation)
            positions = [(topic, partition, offset) for (topic, partition), offset in checkpoint.positions.items()]
            await connection.executemany(_SAVE_POSITION, positions)
            for model, saved in checkpoint.models.items():
                await connection.execute(_SAVE_MODEL, model, saved.figures, saved.windows, saved.evidence)
                for name in TABLES:
                    await _save_table(connection, (model, name), generation, saved.tables[name])
            for each in announcements:
                await self._publish(transaction, each)

    async def _publish(self, transaction: Transaction, each: Announcement) -> None:
        await transaction.publish(each.event, each.event_id)
        if each.closed is not None and isinstance(each.event, WindowClosed):
            await save_window(transaction.connection, each.event.model, each.closed)
        if isinstance(each.event, AlertRaised | AlertResolved):
            await save_alert(transaction.connection, each.event)


async def _save_table(connection: Any, key: tuple[str, str], generation: int, table: StoredTable) -> None:
    if table.replace:
        await connection.execute("delete from segments where model = $1 and name = $2", *key)
    for content in table.segments:
        await connection.execute(_SAVE_SEGMENT, *key, generation, content)
    await connection.execute(_SAVE_LIVE, *key, table.live)


def _tables(live_rows: Sequence[Any], segments: Sequence[Any]) -> Mapping[str, Mapping[str, StoredTable]]:
    contents = defaultdict[tuple[str, str], list[bytes]](list)
    for row in segments:
        contents[row["model"], row["name"]].append(row["content"])
    tables = defaultdict[str, dict[str, StoredTable]](dict)
    for row in live_rows:
        model, name = row["model"], row["name"]
        tables[model][name] = StoredTable(row["live"], tuple(contents[model, name]))
    return tables

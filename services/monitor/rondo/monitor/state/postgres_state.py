"""Stores the checkpoints of a partition number in PostgreSQL, and reads saved models and the control plane's data."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved, WindowClosed
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.errors import FencedError
from rondo.monitor.history.postgres_windows import save_window
from rondo.monitor.notifications.postgres_alerts import save_alert
from rondo.monitor.ports import (
    TABLES,
    ChampionRevision,
    Checkpoint,
    ControlPlaneSnapshot,
    ModelCheckpoint,
    ModelRevision,
    SavedModel,
    StoredTable,
)
from rondo.monitor.state.postgres_control_plane import read_skew
from rondo.monitor.stream.partition_numbers import EVERYTHING, PartitionNumber, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.monitor.alerts.findings import Announcement

_SAVE_MODEL = """
insert into model_states (model, number, generation, figures, windows, evidence) values ($1, $2, $3, $4, $5, $6)
on conflict (model) do update
set number = excluded.number, generation = excluded.generation, figures = excluded.figures, windows = excluded.windows,
    evidence = excluded.evidence
"""
# A release without partition numbers has saved a generation, and segments are ordered by it. So the count continues
# from that generation.
_FIRST = """
insert into generations (number, generation)
select number, (select coalesce(max(generation), 0) from model_states)
from generate_series(0, $1::integer - 1) as number
"""
_SAVED_BEFORE = "select model from model_states where number is null"
_SET_NUMBER = "update model_states set number = $2 where model = $1"
_FENCE = "update generations set generation = generation + 1 where number = $1 and generation = $2"
_MODEL = "select model, figures, windows, evidence from model_states"
_LIVE = "select model, name, live from live_rows where model = any($1)"
_SEGMENTS = "select model, name, content from segments where model = any($1) order by model, name, generation"
# The specs of one model, or of all models.
_SPECS = "select model, spec, removed from specs where $1::text is null or model = $1"
_CHAMPIONS = "select model, revision, version, digest from champions where $1::text is null or model = $1"
_SKEWS = "select model, number, batches from skews where $1::text is null or model = $1"
# Alerts by evidence are in the checkpoint of a model. Those about rollouts are stored by the handler of their event.
_ASKING = """
select distinct on (model) model, alert_id from alerts
where kind = 'undecided_rollout' and closed_at is null and ($1::text is null or model = $1)
order by model, raised_at desc, alert_id
"""
_REVISIONS = """
select specs.model, specs.revision as spec, coalesce(champions.revision, 0) as champion,
    coalesce(model_states.generation, -1) as generation, profiles.digest is not null as profiled, (
        select alert_id from alerts
        where alerts.model = specs.model and kind = 'undecided_rollout' and closed_at is null
        order by raised_at desc, alert_id limit 1
    ) as undecided_rollout
from specs left join champions using (model) left join model_states using (model) left join profiles using (digest)
where specs.spec is not null
"""
# All statements of a load see the same checkpoint, also while another replica saves.
_ONE_STATE = "set transaction isolation level repeatable read, read only"
_SAVE_SEGMENT = "insert into segments (model, name, generation, content) values ($1, $2, $3, $4)"
_SAVE_LIVE = """
insert into live_rows (model, name, live) values ($1, $2, $3)
on conflict (model, name) do update set live = excluded.live
"""
_SAVE_POSITION = """
insert into positions (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
_NO_TABLES = {name: StoredTable(b"", ()) for name in TABLES}


async def saved_count(database: Database, count: int) -> int:
    """Return how many numbers the saved state is divided by. Without a saved state this call fixes it to `count`.

    Raises:
        UnavailableError: PostgreSQL is unavailable.

    """
    async with database.transaction() as transaction:
        connection = transaction.connection
        # The lock makes replicas that start together agree on one count.
        await connection.execute("lock table generations")
        if not (found := await connection.fetchval("select count(*) from generations")):
            await connection.execute(_FIRST, count)
            models = [row["model"] for row in await connection.fetch(_SAVED_BEFORE)]
            await connection.executemany(_SET_NUMBER, [(model, number_of(model, count)) for model in models])
    return int(found or count)


class PostgresStore:
    """Implements `ports.Store`. It also stores alerts, from which `notifications` makes messages."""

    def __init__(self, database: Database, part: PartitionNumber = EVERYTHING) -> None:
        self._database, self._part = database, part

    async def load(self) -> Checkpoint:
        number = self._part.number
        async with self._database.transaction() as transaction:
            await transaction.connection.execute(_ONE_STATE)
            fetch = transaction.connection.fetch
            generation = await transaction.connection.fetchval(
                "select generation from generations where number = $1", number
            )
            positions = {(r["topic"], r["partition"]): r["next_offset"] for r in await fetch("select * from positions")}
            rows = await fetch(f"{_MODEL} where number = $1", number)
            models = [row["model"] for row in rows]
            tables = _tables(await fetch(_LIVE, models), await fetch(_SEGMENTS, models))
        mine = {place: offset for place, offset in positions.items() if self._part.reads(place[1])}
        return Checkpoint(generation, mine, {row["model"]: _checkpoint(row, tables[row["model"]]) for row in rows})

    async def control_plane(self) -> ControlPlaneSnapshot:
        async with self._database.transaction() as transaction:
            return await _control_plane(transaction.connection, self._part.has)

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        return await _profiles(self._database, digests)

    async def save(self, checkpoint: Checkpoint, announcements: Sequence[Announcement]) -> None:
        number, generation = self._part.number, checkpoint.generation
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            if await connection.execute(_FENCE, number, generation) != "UPDATE 1":
                raise FencedError(number, generation)
            positions = [(topic, partition, offset) for (topic, partition), offset in checkpoint.positions.items()]
            await connection.executemany(_SAVE_POSITION, positions)
            for model, saved in checkpoint.models.items():
                figures, windows, evidence = saved.figures, saved.windows, saved.evidence
                await connection.execute(_SAVE_MODEL, model, number, generation, figures, windows, evidence)
                for name in TABLES:
                    await _save_table(connection, (model, name), generation, saved.tables[name])
            for each in announcements:
                await self._publish(transaction, each)

    async def _publish(self, transaction: Transaction, each: Announcement) -> None:
        await transaction.publish(each.event, each.event_id)
        if each.closed is not None and isinstance(each.event, WindowClosed):
            await save_window(transaction.connection, each.event.model, each.closed, each.bins)
        if isinstance(each.event, AlertRaised | AlertResolved):
            await save_alert(transaction.connection, each.event)


class PostgresModels:
    """Implements `ports.SavedModels`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revisions(self) -> Mapping[str, ModelRevision]:
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(_REVISIONS)
        return {
            row["model"]: ModelRevision(
                row["spec"], row["champion"], row["generation"], row["profiled"], row["undecided_rollout"]
            )
            for row in rows
        }

    async def load(self, model: str, *, tables: bool) -> SavedModel:
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_ONE_STATE)
            row = await connection.fetchrow(f"{_MODEL} where model = $1", model)
            kept = _tables(*[await connection.fetch(query, [model]) for query in (_LIVE, _SEGMENTS)]) if tables else {}
            control_plane = await _control_plane(connection, model.__eq__, model)
        return SavedModel(_checkpoint(row, kept.get(model, _NO_TABLES)) if row else None, control_plane)

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
        return await _profiles(self._database, digests)


async def _control_plane(connection: Any, has: Callable[[str], bool], model: str | None = None) -> ControlPlaneSnapshot:
    specs, champions, skews, undecided_rollouts = [
        [row for row in await connection.fetch(query, model) if has(row["model"])]
        for query in (_SPECS, _CHAMPIONS, _SKEWS, _ASKING)
    ]
    return ControlPlaneSnapshot(
        {row["model"]: ModelSpec.model_validate_json(row["spec"]) for row in specs if row["spec"]},
        {row["model"]: ChampionRevision(row["revision"], row["version"], row["digest"]) for row in champions},
        {row["model"]: row["removed"] for row in specs if row["removed"]},
        {row["model"]: read_skew(row) for row in skews},
        {row["model"]: row["alert_id"] for row in undecided_rollouts},
    )


async def _profiles(database: Database, digests: Sequence[str]) -> Mapping[str, ReferenceProfile]:
    async with database.transaction() as transaction:
        rows = await transaction.connection.fetch(
            "select digest, profile from profiles where digest = any($1)", list(digests)
        )
    return {row["digest"]: ReferenceProfile.model_validate_json(row["profile"]) for row in rows}


async def _save_table(connection: Any, key: tuple[str, str], generation: int, table: StoredTable) -> None:
    if table.replace:
        await connection.execute("delete from segments where model = $1 and name = $2", *key)
    for content in table.segments:
        await connection.execute(_SAVE_SEGMENT, *key, generation, content)
    await connection.execute(_SAVE_LIVE, *key, table.live)


def _checkpoint(row: Mapping[str, Any], tables: Mapping[str, StoredTable]) -> ModelCheckpoint:
    return ModelCheckpoint(row["figures"], row["windows"], row["evidence"], tables)


def _tables(live_rows: Sequence[Any], segments: Sequence[Any]) -> Mapping[str, Mapping[str, StoredTable]]:
    contents = defaultdict[tuple[str, str], list[bytes]](list)
    for row in segments:
        contents[row["model"], row["name"]].append(row["content"])
    tables = defaultdict[str, dict[str, StoredTable]](dict)
    for row in live_rows:
        model, name = row["model"], row["name"]
        tables[model][name] = StoredTable(row["live"], tuple(contents[model, name]))
    return tables

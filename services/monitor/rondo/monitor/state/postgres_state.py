"""The state of the watching in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.contracts.events.profile import ReferenceProfile
from rondo.contracts.spec.model import ModelSpec
from rondo.monitor.detectors.reference import Profiled
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import KINDS_KEPT, Champion, Kept, Knowledge, Saved, SavedWatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.monitor.alerts.findings import Announcement

_SAVE_WATCH = """
insert into watches (model, figures, windows) values ($1, $2, $3)
on conflict (model) do update set figures = excluded.figures, windows = excluded.windows
"""
_SAVE_ALIVE = """
insert into waiting (model, kind, alive) values ($1, $2, $3)
on conflict (model, kind) do update set alive = excluded.alive
"""
_SAVE_POSITION = """
insert into positions (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
_SAVE_DELIVERY = """
insert into deliveries (event_id, receiver, alert) values ($1, $2, $3) on conflict do nothing
"""


class PostgresStore:
    """Implements `ports.Store`. `receivers` name the webhooks that get a delivery for each alert."""

    def __init__(self, database: Database, receivers: Sequence[str] = ()) -> None:
        self._database = database
        self._receivers = receivers

    async def load(self) -> Saved:
        """Return what was saved last."""
        async with self._database.transaction() as transaction:
            fetch = transaction.connection.fetch
            turn = await transaction.connection.fetchval("select turn from turns")
            positions = {(r["topic"], r["partition"]): r["next_offset"] for r in await fetch("select * from positions")}
            waiting = _waiting(
                await fetch("select model, kind, alive from waiting"),
                await fetch("select model, kind, content from parts order by model, kind, turn"),
            )
            rows = await fetch("select model, figures, windows from watches")
        return Saved(turn, positions, {m: SavedWatch(figures, open_, waiting[m]) for m, figures, open_ in rows})

    async def knowledge(self) -> Knowledge:
        """Return what the control plane has said so far."""
        async with self._database.transaction() as transaction:
            specs = await transaction.connection.fetch("select model, spec from specs")
            champions = await transaction.connection.fetch("select model, revision, version, digest from champions")
        return Knowledge(
            {row["model"]: ModelSpec.model_validate(row["spec"]) for row in specs},
            {row["model"]: Champion(*tuple(row)[1:]) for row in champions},
        )

    async def profiles(self, digests: Sequence[str]) -> Mapping[str, Profiled]:
        """Return the profiles that are known among these."""
        async with self._database.transaction() as transaction:
            rows = await transaction.connection.fetch(
                "select digest, profile, holdout_rows from profiles where digest = any($1)", list(digests)
            )
        return {
            row["digest"]: Profiled(ReferenceProfile.model_validate(row["profile"]), row["holdout_rows"])
            for row in rows
        }

    async def save(self, saved: Saved, announcements: Sequence[Announcement]) -> None:
        """Save all of it in one transaction, with the outbox rows and the webhook deliveries."""
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            status = await connection.execute("update turns set turn = turn + 1 where turn = $1", saved.turn)
            if status != "UPDATE 1":
                raise FencedError(saved.turn)
            places = [(topic, partition, offset) for (topic, partition), offset in saved.positions.items()]
            await connection.executemany(_SAVE_POSITION, places)
            for model, watch in saved.watches.items():
                await connection.execute(_SAVE_WATCH, model, watch.figures, watch.windows)
                for kind in KINDS_KEPT:
                    await _save_waiting(connection, (model, kind), saved.turn, watch.waiting[kind])
            for each in announcements:
                await self._announce(transaction, each)

    async def _announce(self, transaction: Transaction, each: Announcement) -> None:
        await transaction.publish(each.event, each.event_id)
        if isinstance(each.event, AlertRaised | AlertResolved):
            body = each.event.model_dump(mode="json")
            deliveries = [(each.event_id, receiver, body) for receiver in self._receivers]
            await transaction.connection.executemany(_SAVE_DELIVERY, deliveries)


async def _save_waiting(connection: Any, place: tuple[str, str], turn: int, kept: Kept) -> None:
    if kept.whole:
        await connection.execute("delete from parts where model = $1 and kind = $2", *place)
    for content in kept.parts:
        await connection.execute("insert into parts values ($1, $2, $3, $4)", *place, turn, content)
    await connection.execute(_SAVE_ALIVE, *place, kept.alive)


def _waiting(alive: Sequence[Any], parts: Sequence[Any]) -> Mapping[str, Mapping[str, Kept]]:
    contents = defaultdict[tuple[str, str], list[bytes]](list)
    for model, kind, content in parts:
        contents[model, kind].append(content)
    waiting = defaultdict[str, dict[str, Kept]](dict)
    for model, kind, bits in alive:
        waiting[model][kind] = Kept(bits, tuple(contents[model, kind]))
    return waiting

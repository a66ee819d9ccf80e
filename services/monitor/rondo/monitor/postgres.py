"""The monitor's state in PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from rondo.contracts.monitoring import AlertRaised, AlertResolved
from rondo.contracts.profile import ReferenceProfile
from rondo.contracts.spec import ModelSpec
from rondo.monitor.errors import FencedError
from rondo.monitor.ports import Champion, Knowledge, Saved, SavedWatch
from rondo.monitor.reference import Profiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.chassis.consume import Begin
    from rondo.chassis.postgres import Database, Transaction
    from rondo.contracts.cloudevents import Envelope
    from rondo.monitor.alerts import Announcement
    from rondo.monitor.ports import Work

_SAVE_WATCH = """
insert into watches (model, figures, windows, predictions, outcomes, held) values ($1, $2, $3, $4, $5, $6)
on conflict (model) do update set figures = excluded.figures, windows = excluded.windows,
    predictions = excluded.predictions, outcomes = excluded.outcomes, held = excluded.held
"""
_SAVE_POSITION = """
insert into positions (topic, partition, next_offset) values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""
_SAVE_DELIVERY = """
insert into deliveries (event_id, receiver, alert) values ($1, $2, $3) on conflict do nothing
"""


class PostgresNews:
    """Implements `ports.News`: set after a handler's transaction has committed."""

    def __init__(self) -> None:
        self._changed = True

    def tell(self) -> None:
        """Say that something changed."""
        self._changed = True

    def heard(self) -> bool:
        """Return True once after each change."""
        changed, self._changed = self._changed, False
        return changed


class PostgresWork:
    """Implements `ports.Work` in the transaction of an event."""

    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def save_spec(self, model: str, revision: int, spec: ModelSpec) -> None:
        """Keep a spec, unless a later revision is known."""
        await self._connection.execute(
            "insert into specs (model, revision, spec) values ($1, $2, $3) on conflict (model) do update"
            " set revision = excluded.revision, spec = excluded.spec where specs.revision < excluded.revision",
            model, revision, spec.as_dict(),
        )  # fmt: skip

    async def save_profile(self, digest: str, profiled: Profiled) -> None:
        """Keep the profile of an artifact."""
        await self._connection.execute(
            "insert into profiles (digest, profile, holdout_rows) values ($1, $2, $3) on conflict do nothing",
            digest, profiled.profile.model_dump(mode="json"), profiled.holdout_rows,
        )  # fmt: skip

    async def save_champion(self, model: str, champion: Champion) -> None:
        """Keep who is champion, unless a later revision is known."""
        await self._connection.execute(
            "insert into champions (model, revision, version, digest) values ($1, $2, $3, $4)"
            " on conflict (model) do update set revision = excluded.revision, version = excluded.version,"
            " digest = excluded.digest where champions.revision < excluded.revision",
            model, champion.revision, champion.version, champion.digest,
        )  # fmt: skip


def handling(database: Database, news: PostgresNews) -> Begin[Work]:
    """Return how an event's unit of work begins; the news are told once it has committed."""

    @asynccontextmanager
    async def begin(envelope: Envelope[Any]) -> AsyncIterator[Work]:
        async with database.handling(envelope) as transaction:
            yield PostgresWork(transaction)
        news.tell()

    return begin


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
            rows = await fetch("select model, figures, windows, predictions, outcomes, held from watches")
            return Saved(turn, positions, {row["model"]: SavedWatch(*tuple(row)[1:]) for row in rows})

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
            for model, kept in saved.watches.items():
                await connection.execute(_SAVE_WATCH, model, *astuple(kept))
            for each in announcements:
                await transaction.publish(each.event, each.event_id)
                if isinstance(each.event, AlertRaised | AlertResolved):
                    body = each.event.model_dump(mode="json")
                    await connection.executemany(_SAVE_DELIVERY, [(each.event_id, r, body) for r in self._receivers])

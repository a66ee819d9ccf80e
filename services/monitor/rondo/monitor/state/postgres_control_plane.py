"""Stores the control plane's data in PostgreSQL, in the transaction of each event, and notifies all replicas.

The replicas share the events: one replica handles an event, and the pipelines of other replicas may need its data.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.retry import Retry
from rondo.contracts.events.data import SkewMeasured
from rondo.contracts.events.monitoring import AlertRaised, AlertResolved
from rondo.monitor.notifications.postgres_alerts import save_alert
from rondo.monitor.quality.skew import ServedSkew

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from rondo.chassis.events.consumer import Begin
    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.ports import ChampionRevision, Work

_CHANNEL = "monitor_control_plane"
_CHECK_SECONDS, _ANSWER_SECONDS = 2.0, 5.0


class CommitSignal:
    """Implements `ports.ChangeSignal`. It is set initially, and after a handler's transaction has committed."""

    def __init__(self) -> None:
        self._changed = True

    def set(self) -> None:
        self._changed = True

    def consume(self) -> bool:
        changed, self._changed = self._changed, False
        return changed


class ControlPlaneChanges:
    """Sets the signals of this process's pipelines after an event's transaction has committed, in any replica."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._signals = WeakSet[CommitSignal]()
        self._retry = Retry("changes of the control plane", (UnavailableError, TimeoutError), Backoff(first=0.2))

    def signal(self) -> CommitSignal:
        """Return a signal for a pipeline. It is removed together with the pipeline."""
        signal = CommitSignal()
        self._signals.add(signal)
        return signal

    def set(self) -> None:
        for signal in self._signals:
            signal.set()

    async def run(self) -> None:
        """Listen until cancelled. Changes during an outage of PostgreSQL are detected after it."""
        await self._retry.call(self._listen)

    async def _listen(self) -> None:
        async with self._database.session() as connection:
            await connection.add_listener(_CHANNEL, lambda *_: self.set())
            self.set()
            while True:
                # The query detects a connection that was lost without an error. Such a connection notifies nobody.
                await connection.execute("select 1", timeout=_ANSWER_SECONDS)
                self._retry.progressed()
                await asyncio.sleep(_CHECK_SECONDS)


class PostgresWork:
    """Implements `ports.Work` in the transaction of an event."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction, self._connection = transaction, transaction.connection

    async def save_spec(
        self, model: str, revision: int, spec: ModelSpec | None, removed_at: datetime | None = None
    ) -> None:
        await self._connection.execute(
            # Topics have no order among each other: a removal may arrive after the spec that followed it.
            "insert into specs (model, revision, spec, removed, removed_at) values ($1, $2, $3, $4, $5)"
            " on conflict (model) do update"
            " set revision = greatest(specs.revision, excluded.revision),"
            " spec = case when specs.revision < excluded.revision then excluded.spec else specs.spec end,"
            " removed = greatest(specs.removed, excluded.removed),"
            " removed_at = greatest(specs.removed_at, excluded.removed_at)",
            model, revision, json.dumps(spec.as_dict()) if spec else None, 0 if spec else revision, removed_at,
        )  # fmt: skip

    async def save_profile(self, digest: str, profile: ReferenceProfile) -> None:
        await self._connection.execute(
            "insert into profiles (digest, profile) values ($1, $2) on conflict do nothing",
            digest, profile.model_dump_json(),
        )  # fmt: skip

    async def save_champion(self, model: str, champion: ChampionRevision) -> None:
        await self._connection.execute(
            "insert into champions (model, revision, version, digest) values ($1, $2, $3, $4)"
            " on conflict (model) do update set revision = excluded.revision, version = excluded.version,"
            " digest = excluded.digest where champions.revision < excluded.revision",
            model, champion.revision, champion.version, champion.digest,
        )  # fmt: skip

    async def skew(self, model: str) -> ServedSkew:
        query = "select number, batches from skews where model = $1 for update"
        row = await self._connection.fetchrow(query, model)
        return read_skew(row) if row else ServedSkew()

    async def save_skew(self, model: str, skew: ServedSkew) -> None:
        batches = json.dumps([each.model_dump(mode="json") for each in skew.batches])
        await self._connection.execute(
            "insert into skews (model, number, batches) values ($1, $2, $3)"
            " on conflict (model) do update set number = excluded.number, batches = excluded.batches",
            model, skew.number, batches,
        )  # fmt: skip

    async def is_removed(self, model: str, since: datetime) -> bool:
        query = "select exists (select from specs where model = $1 and (spec is null or removed_at > $2))"
        return bool(await self._connection.fetchval(query, model, since))

    async def open_alerts(self, model: str, kind: str, until: datetime | None = None) -> Sequence[str]:
        query = (
            "select alert_id from alerts where model = $1 and kind = $2 and closed_at is null"
            " and ($3::timestamptz is null or raised_at <= $3) order by alert_id"
        )
        return [row["alert_id"] for row in await self._connection.fetch(query, model, kind, until)]

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        for each in announcements:
            await self._transaction.publish(each.event, each.event_id)
            if isinstance(each.event, AlertRaised | AlertResolved):
                await save_alert(self._connection, each.event)


def read_skew(row: Mapping[str, Any]) -> ServedSkew:
    """Return the measurements in a row of the table `skews`."""
    return ServedSkew(row["number"], tuple(map(SkewMeasured.model_validate, json.loads(row["batches"]))))


def handling(database: Database, changed: CommitSignal | ControlPlaneChanges) -> Begin[Work]:
    """Return the factory of an event's unit of work, which sets `changed` after the commit, in all replicas."""

    @asynccontextmanager
    async def begin(envelope: Envelope[Any]) -> AsyncIterator[Work]:
        async with database.handling(envelope) as transaction:
            yield PostgresWork(transaction)
            await transaction.connection.execute(f"notify {_CHANNEL}")
        changed.set()

    return begin

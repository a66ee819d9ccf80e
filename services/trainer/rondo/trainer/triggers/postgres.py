"""The handlers' unit of work in PostgreSQL: specs, champions, batches, queued runs and deferred triggers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.vocabularies import RouteRole, TriggerKind
from rondo.trainer.run import Batch, History, Labels, PastRun
from rondo.trainer.triggers.admission import HARM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from typing import Any

    from rondo.chassis.postgres.pool import Database
    from rondo.chassis.postgres.transaction import Transaction
    from rondo.contracts.events.base import Event
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.data import BatchAccepted
    from rondo.contracts.events.deployment import DeploymentChanged
    from rondo.contracts.events.models import ModelRemoved, ModelRolledBack, SpecApplied

RUNS_CHANNEL = "trainer_runs"
# It is more than a weekly budget allows, and more than the breaker needs.
_HISTORY_LIMIT = 200
# The slot of a deferred drop of the performance. The slot of a training is empty, that of a registration is its
# trigger's id.
_HARM_SLOT = "harm"

_LABELS = """
select greatest(counted - coalesce(labelled, 0), 0) as new, first_rows, fitted, growth, gain, basis, until,
    unconfirmed_rows - rows as again, loss
from labels left join trainings using (model) where model = $1
"""


def handling(database: Database) -> Callable[[Envelope[Any]], AbstractAsyncContextManager[PostgresUnitOfWork]]:
    """Return a function that opens the unit of work of an event, for the consumer."""

    @asynccontextmanager
    async def begin(envelope: Envelope[Any]) -> AsyncIterator[PostgresUnitOfWork]:
        async with database.handling(envelope) as transaction:
            yield PostgresUnitOfWork(transaction)

    return begin


class PostgresUnitOfWork:
    """`ports.UnitOfWork` on an open transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._connection = transaction.connection

    async def save_spec(self, applied: SpecApplied) -> None:
        await self._connection.execute(
            """insert into specs (model, revision, digest, dataset, spec, sources) values ($1, $2, $3, $4, $5, $6)
            on conflict (model) do update set revision = excluded.revision, digest = excluded.digest,
                dataset = excluded.dataset, spec = excluded.spec, sources = excluded.sources
            where specs.revision <= excluded.revision""",
            applied.model, applied.revision, applied.digest, applied.spec.data.dataset, applied.spec.canonical_json(),
            [source.model_dump(mode="json") for source in applied.sources],
        )  # fmt: skip

    async def remove_spec(self, removed: ModelRemoved) -> None:
        await self._connection.execute(
            """insert into specs (model, revision) values ($1, $2)
            on conflict (model) do update set revision = excluded.revision, digest = null, dataset = null, spec = null
            where specs.revision < excluded.revision""",
            removed.model, removed.revision,
        )  # fmt: skip
        await self._connection.execute(
            "update specs set removed_revision = greatest(removed_revision, $2) where model = $1",
            removed.model, removed.revision,
        )  # fmt: skip
        await self._forget_skips(removed.model)
        await self._connection.execute(
            "delete from trainings where model = $1 and spec_revision < $2", removed.model, removed.revision
        )
        await self._connection.execute(
            "delete from strategy_scores where model = $1 and not exists (select from trainings where model = $1)",
            removed.model,
        )

    async def spec(self, model: str) -> ModelSpec | None:
        text = await self._connection.fetchval("select spec from specs where model = $1", model)
        return None if text is None else ModelSpec.from_json(text)

    async def models_of(self, dataset: str) -> tuple[str, ...]:
        rows = await self._connection.fetch("select model from specs where dataset = $1 order by model", dataset)
        return tuple(row["model"] for row in rows)

    async def save_batch(self, accepted: BatchAccepted) -> None:
        await self._connection.execute(
            """insert into batches (dataset, batch_id, event_time_to) values ($1, $2, $3)
            on conflict (dataset) do update set batch_id = excluded.batch_id, event_time_to = excluded.event_time_to
            where batches.event_time_to <= excluded.event_time_to""",
            accepted.dataset, accepted.batch_id, accepted.event_time_to,
        )  # fmt: skip

    async def latest_batch(self, dataset: str) -> Batch | None:
        row = await self._connection.fetchrow("select * from batches where dataset = $1", dataset)
        return None if row is None else Batch(row["batch_id"], row["event_time_to"])

    async def save_champion(self, changed: DeploymentChanged, at: datetime) -> None:
        champion = next((route for route in changed.routes if route.role == RouteRole.PRIMARY), None)
        await self._connection.execute(
            """insert into champions (model, revision, model_version, digest) values ($1, $2, $3, $4)
            on conflict (model) do update set revision = excluded.revision, model_version = excluded.model_version,
                digest = excluded.digest, changed_at = clock_timestamp()
            where champions.revision <= excluded.revision""",
            changed.model, changed.revision,
            champion.model_version if champion else None, champion.digest if champion else None,
        )  # fmt: skip
        if champion is None:
            await self._connection.execute(
                "delete from past_champions where model = $1 and revision <= $2", changed.model, changed.revision
            )
        else:
            await self._connection.execute(
                """insert into past_champions (model, model_version, digest, revision, deployed_at)
                values ($1, $2, $3, $4, $5) on conflict (model, model_version)
                do update set revision = excluded.revision, deployed_at = excluded.deployed_at
                where past_champions.revision <= excluded.revision""",
                changed.model, champion.model_version, champion.digest, changed.revision, at,
            )  # fmt: skip
        await self._connection.execute(f"notify {RUNS_CHANNEL}")

    async def save_rollback(self, rolled_back: ModelRolledBack, at: datetime) -> None:
        await self._connection.execute(
            """insert into rolled_back (model, model_version, rolled_back_at) values ($1, $2, $3)
            on conflict (model, model_version)
            do update set rolled_back_at = greatest(rolled_back.rolled_back_at, excluded.rolled_back_at)""",
            rolled_back.model, rolled_back.from_version, at,
        )  # fmt: skip

    async def lock_model(self, model: str) -> None:
        await self._connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"trainer.admission.{model}")

    async def lock_dataset(self, dataset: str) -> None:
        await self._connection.execute("select pg_advisory_xact_lock(hashtext($1))", f"trainer.dataset.{dataset}")

    async def history(self, model: str) -> History:
        removed = await self._connection.fetchval("select removed_revision from specs where model = $1", model) or 0
        rows = await self._connection.fetch(
            """select id, trigger, spec_digest, state, spec_revision < $3 as before_removal
            from runs where model = $1 order by created_at desc limit $2""",
            model, _HISTORY_LIMIT, removed,
        )  # fmt: skip
        trained = await self._connection.fetchval(
            """select exists (select from runs where model = $1 and state = 'trained' and spec_revision >= $2
            and trigger ->> 'kind' <> 'registration')""",
            model, removed,
        )  # fmt: skip
        champion = await self._connection.fetchval("select model_version from champions where model = $1", model)
        runs = (
            PastRun(r["id"], Trigger.model_validate(r["trigger"]), r["spec_digest"], r["state"], r["before_removal"])
            for r in rows
        )
        return History(tuple(runs), trained, removed, await self._labels(model), champion)

    async def _labels(self, model: str) -> Labels:
        row = await self._connection.fetchrow(_LABELS, model)
        if row is None:
            return Labels()
        if row["fitted"] is None:
            return Labels(row["new"])
        return Labels(
            row["new"], row["first_rows"], row["fitted"], row["growth"], row["gain"], row["basis"], row["until"],
            row["again"], row["loss"],
        )  # fmt: skip

    async def count_labels(self, model: str, rows: int) -> None:
        await self._connection.execute(
            """insert into labels (model, counted) values ($1, $2)
            on conflict (model) do update set counted = labels.counted + excluded.counted""",
            model, rows,
        )  # fmt: skip

    async def last_skip(self, model: str, kind: str) -> str | None:
        found: str | None = await self._connection.fetchval(
            "select reason from skips where model = $1 and kind = $2", model, kind
        )
        return found

    async def save_skip(self, model: str, kind: str, reason: str) -> None:
        await self._connection.execute(
            """insert into skips (model, kind, reason) values ($1, $2, $3)
            on conflict (model, kind) do update set reason = excluded.reason""",
            model, kind, reason,
        )  # fmt: skip

    async def _forget_skips(self, model: str) -> None:
        await self._connection.execute("delete from skips where model = $1", model)

    async def enqueue(self, run_id: str, trigger: Trigger, spec: ModelSpec) -> None:
        await self._connection.execute(
            """insert into runs (id, model, trigger_id, trigger, spec_digest, spec, traceparent, spec_revision, sources)
            values ($1, $2, $3, $4, $5, $6, $7, coalesce((select revision from specs where model = $2), 0),
                coalesce((select sources from specs where model = $2), '[]'))""",
            run_id, spec.model, trigger.id, trigger.model_dump(mode="json"), spec.digest, spec.canonical_json(),
            self._transaction.traceparent,
        )  # fmt: skip
        await self._forget_skips(spec.model)
        await self._connection.execute(f"notify {RUNS_CHANNEL}")

    async def defer(self, model: str, trigger: Trigger) -> None:
        # A manual request is not repeated, and trains on all data. So it replaces a data trigger, and none replaces it.
        await self._connection.execute(
            """insert into deferred (model, slot, trigger) values ($1, $2, $3)
            on conflict (model, slot) do update set trigger = excluded.trigger
            where deferred.trigger ->> 'kind' <> 'manual' or excluded.trigger ->> 'kind' = 'manual'""",
            model, _slot(trigger), trigger.model_dump(mode="json"),
        )  # fmt: skip

    async def pop_harm(self, model: str) -> Trigger | None:
        found = await self._connection.fetchval(
            "delete from deferred where model = $1 and slot = $2 returning trigger", model, _HARM_SLOT
        )
        return None if found is None else Trigger.model_validate(found)

    async def pop_deferred(self, model: str) -> tuple[Trigger, ...]:
        rows = await self._connection.fetch(
            "delete from deferred where model = $1 returning trigger, deferred_at", model
        )
        by_time = sorted(rows, key=lambda row: row["deferred_at"])
        return tuple(Trigger.model_validate(row["trigger"]) for row in by_time)

    async def publish(self, event: Event) -> object:
        return await self._transaction.publish(event)


def _slot(trigger: Trigger) -> str:
    if trigger.kind == TriggerKind.REGISTRATION:
        return trigger.id
    return _HARM_SLOT if trigger.kind in HARM else ""

"""Steps of the registry's tests, on a store in memory or on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from rondo.chassis.artifacts import ArtifactMissingError
from rondo.chassis.security.principal import Principal
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.registry import commands, handlers
from rondo.registry.commands import Requester
from rondo.registry.ports import Queries, Work
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.support.evidence import EvidenceStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from rondo.chassis.postgres.pool import Database
    from rondo.contracts.events.base import Event
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.audit.hash_chain import AuditRecord
    from rondo.registry.model.runs import Run

ANA = Requester(Principal("ana", frozenset({"admin"})), "because")
GONE = f"sha256:{'f' * 64}"


class Backend(Queries, Protocol):
    """The backend of a scenario: the ports, the unit of work of an event, and the published events."""

    def work(self) -> AbstractAsyncContextManager[Work]: ...
    def handling(self, envelope: Envelope[Any]) -> AbstractAsyncContextManager[Work]: ...
    async def published(self) -> list[tuple[str, str]]: ...


class OnPostgres(PostgresStore, PostgresQueries):
    """Both adapters, and access to the outbox."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._pool = database.pool

    async def published(self) -> list[tuple[str, str]]:
        """Return id and type of all published events, in order."""
        rows = await self._pool.fetch("select event_id, headers from outbox order by id")
        return [(row["event_id"], row["headers"]["ce_type"]) for row in rows]


class FakeArtifacts(EvidenceStore):
    """A store that has all artifacts of the tests except those in `gone`."""

    def __init__(self, *gone: str) -> None:
        super().__init__()
        self.gone = gone

    async def get(self, digest: str) -> bytes:
        if digest in self.gone:
            raise ArtifactMissingError(digest)
        return await super().get(digest)


async def handle(store: Backend, event: Event, event_id: str, *gone: str) -> None:
    envelope = Envelope(event_id, "test", datetime.now(UTC), event)
    async with store.handling(envelope) as work:
        await handlers.event_handlers(FakeArtifacts(*gone))[type(event)](envelope, work)


async def apply(store: Backend, spec: ModelSpec) -> commands.Applied:
    async with store.work() as work:
        return await commands.apply_spec(work, spec, ANA)


async def published_types(store: Backend) -> list[str]:
    return [kind.removeprefix("rondo.").removesuffix(".v1") for _, kind in await store.published()]


async def states(store: Backend) -> dict[int, str]:
    return {number: version.state for number, version in (await store.model("late")).versions.items()}


def replica_report(replica: str, state: str, version: int, revision: int, digest: str, day: datetime) -> ReplicaChanged:
    return ReplicaChanged(
        model="late", replica=replica, model_version=version, digest=digest, revision=revision, state=state, at=day,
        detail="its folder is empty" if state == "refused" else "",
    )  # fmt: skip


async def runs_of(store: Backend, model: str | None) -> list[Run]:
    """Return the runs of a model, or of all, latest change first."""
    return [each.run for each in await store.runs(model, None, 100)]


async def audit_of(store: Backend, chain: str) -> Sequence[AuditRecord]:
    return (await store.audit_records(chain, 0, 1_000))[0]

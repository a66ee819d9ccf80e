"""A client of the real app on real PostgreSQL, without a socket, and one of a registry that has versions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.events.cloudevents import Envelope
from rondo.registry import handlers
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app
from rondo.registry.http.dependencies import ApiContext, open_api
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.support.access import bearer, token_cache
from tests.support.evidence import put_evidence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rondo.chassis.postgres.pool import Database

Make = Callable[..., Any]


@pytest.fixture
async def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path / "artifacts"))


@pytest.fixture
async def client(registry_database: Database, artifacts: Artifacts) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a registry that has nothing yet."""
    api, queries = app.api(), PostgresQueries(registry_database)
    open_api(api, ApiContext(PostgresStore(registry_database), queries, artifacts, AuditVerifier(queries)))
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), api))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as opened:
        yield opened


@pytest.fixture
async def seeded(
    client: httpx.AsyncClient, registry_database: Database, artifacts: Artifacts, spec_text: str, trained: Make
) -> httpx.AsyncClient:
    """Return a client of a registry with two versions that served and one that was rejected."""
    await client.put("/v1/specs", content=spec_text)
    events = [
        trained("run-1", auc=0.7),
        trained("run-2", auc=0.8, champion=(1, 0.7)),
        trained("run-3", auc=0.1, champion=(2, 0.8)),
    ]
    await put_evidence(artifacts)
    for event in events:
        envelope = Envelope(event.run_id, "test", datetime.now(UTC), event)
        async with PostgresStore(registry_database).handling(envelope) as work:
            await handlers.on_model_trained(envelope, work, artifacts)
    return client

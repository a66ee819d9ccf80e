"""A client of the real app on real PostgreSQL, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app
from rondo.registry.http.dependencies import ApiContext, open_api
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore

from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rondo.chassis.postgres.pool import Database


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

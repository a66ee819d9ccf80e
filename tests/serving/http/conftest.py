"""A client of the HTTP API over one model, whose answers a test can read in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.contracts.access_tokens import Role
from rondo.serving.http.endpoints import api
from rondo.serving.http.v2.error_field import AddErrorField
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels

from tests.serving.http.inference_api import LogTopic
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel


NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def topic() -> LogTopic:
    return LogTopic()


@pytest.fixture
def models(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> ServedModels:
    models = ServedModels()
    models.swap(serve(version(3, 2.0)))
    return models


@pytest.fixture
async def client(models: ServedModels, topic: LogTopic) -> AsyncIterator[httpx.AsyncClient]:
    async def report() -> dict[str, str]:
        return {"kafka": "no answer" if topic.unavailable else "ok"}

    app = api(models, InferenceService(topic.publish, lambda: NOW), report)
    guarded = AddErrorField(server.guarded(Health(), await token_cache(), app, continued_spans_only=True))
    transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer(Role.PREDICTOR)) as client:
        yield client

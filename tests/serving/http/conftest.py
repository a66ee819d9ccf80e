"""A client of the HTTP API over one model, whose answers a test can read in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.artifacts import ArtifactMissingError
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.settings import ServiceSettings
from rondo.contracts.access_tokens import Role
from rondo.serving.explanations.trees.tree_cache_onnx import TreeModels
from rondo.serving.http.direct_inferences import DirectInferences
from rondo.serving.http.endpoints import api
from rondo.serving.http.error_field import AddErrorField
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
def artifacts() -> dict[str, bytes]:
    """Artifacts by digest, for explanations by trees."""
    return {}


@pytest.fixture(params=["asgi", "direct"])
async def client(
    models: ServedModels, topic: LogTopic, artifacts: dict[str, bytes], request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    """Call the application, or a server that answers common requests without it. Clients can't see a difference."""

    async def report() -> dict[str, str]:
        return {"kafka": "no answer" if topic.unavailable else "ok"}

    async def artifact(digest: str) -> bytes:
        if digest not in artifacts:
            raise ArtifactMissingError(digest)
        return artifacts[digest]

    tokens, service = await token_cache(), InferenceService(topic.publish, lambda: NOW)
    app = api(models, service, report, trees=TreeModels(artifact))
    guarded = AddErrorField(server.guarded(Health(), tokens, app, continued_spans_only=True))
    if request.param == "asgi":
        transport: httpx.AsyncBaseTransport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer(Role.PREDICTOR)) as it:
            yield it
        return
    direct = DirectInferences(models, tokens)
    direct.service = service
    settings = ServiceSettings.model_validate({"service": "serving", "kafka": "nowhere:1", "http_port": 0})
    async with (
        server.listen(settings, guarded, Health(), direct) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=bearer(Role.PREDICTOR)) as it,
    ):
        yield it

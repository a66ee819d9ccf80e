"""Inferences in the common form never reach the ASGI application. Their tables are released in each case."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import REGISTRY
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.settings import ServiceSettings
from rondo.contracts.access_tokens import Role
from rondo.serving.http.direct_inferences import DirectInferences
from rondo.serving.inference import batcher
from rondo.serving.inference.service import InferenceService
from starlette.responses import PlainTextResponse

from tests.serving.http.inference_api import DISTANCE, INFER, NIGHT, LogTopic
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.serving.models.serving_table import ServedModels

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
BODY = {"id": "a", "inputs": [DISTANCE, NIGHT]}
LEFT = "left to the application"


@asynccontextmanager
async def connected(models: ServedModels, service: InferenceService | None) -> AsyncIterator[httpx.AsyncClient]:
    """Yield the client of a server whose application predicts nothing."""
    direct = DirectInferences(models, await token_cache())
    direct.service = service
    settings = ServiceSettings.model_validate({"service": "serving", "kafka": "nowhere:1", "http_port": 0})
    async with (
        server.listen(settings, PlainTextResponse(LEFT), Health(), direct) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=bearer(Role.PREDICTOR)) as client,
    ):
        yield client


@pytest.mark.parametrize("path", [INFER, "/v2/models/delay/versions/3/infer"])
@pytest.mark.medium
async def test_an_inference_is_answered_without_the_application(
    models: ServedModels, topic: LogTopic, path: str
) -> None:
    async with connected(models, InferenceService(topic.publish, lambda: NOW)) as client:
        response = await client.post(path, json=BODY)
    assert response.json()["outputs"][0]["data"] == [3.0, 6.0]
    assert [batch.column("id").to_pylist() for batch in topic.batches] == [["a/0", "a/1"]]
    assert models.table.leases == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (INFER, {"authorization": ""}, BODY),
        (INFER, {"authorization": "Basic YTpi"}, BODY),
        (INFER, {"authorization": "Bearer wrong"}, BODY),
        (INFER, bearer(Role.READER), BODY),
        (INFER, {}, {"inputs": []}),
        ("/v2/models/other/infer", {}, BODY),
        ("/v2/models/delay/versions/4/infer", {}, BODY),
        ("/v2/models/del%61y/infer", {}, BODY),
        ("/v2/models/a/b/c/infer", {}, BODY),
    ],
)
@pytest.mark.medium
async def test_what_is_refused_at_once_is_left_to_the_application(
    models: ServedModels, topic: LogTopic, path: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    async with connected(models, InferenceService(topic.publish, lambda: NOW)) as client:
        assert (await client.post(path, json=body, headers=headers)).text == LEFT
    assert (topic.batches, models.table.leases) == ([], 0)


@pytest.mark.medium
async def test_a_full_queue_is_answered_without_the_application(
    models: ServedModels, topic: LogTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "MAX_REQUESTS", 0)
    labels = {"method": "POST", "route": "/v2/models/{model}/infer", "status": "503"}
    before = REGISTRY.get_sample_value("rondo_http_request_seconds_count", labels) or 0
    async with connected(models, InferenceService(topic.publish, lambda: NOW)) as client:
        response = await client.post(INFER, json=BODY)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (response.json()["code"], response.json()["error"]) == (
        "overloaded",
        (
            "0 requests of 0 bytes wait for the model delay or its log already: this one was neither scored nor logged."
            " Send it again after 1 s, or send fewer at the same time"
        ),
    )
    assert (topic.batches, models.table.leases) == ([], 0)
    assert REGISTRY.get_sample_value("rondo_http_request_seconds_count", labels) == before + 1


async def test_before_the_service_is_open_everything_is_left_to_the_application(models: ServedModels) -> None:
    async with connected(models, None) as client:
        assert (await client.post(INFER, json=BODY)).text == LEFT


@pytest.mark.medium
async def test_a_fault_of_ours_is_a_problem_and_releases_the_table(
    models: ServedModels, topic: LogTopic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(InferenceService, "_infer_whole", failing)
    async with connected(models, InferenceService(topic.publish, lambda: NOW)) as client:
        response = await client.post(INFER, json=BODY)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]
    assert models.table.leases == 0


async def test_nothing_is_unloaded_while_an_answer_waits_for_its_log(models: ServedModels) -> None:
    asked, free = asyncio.Event(), asyncio.Event()

    async def publish(_: str, __: bytes) -> None:
        asked.set()
        await free.wait()

    async with connected(models, InferenceService(publish, lambda: NOW)) as client:
        request = asyncio.create_task(client.post(INFER, json=BODY))
        await asked.wait()
        assert models.table.leases == 1
        free.set()
        await request
    assert models.table.leases == 0

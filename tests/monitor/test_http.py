"""The HTTP API, also before the monitor has started and for unknown models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.monitor.errors import UnknownModelError
from rondo.monitor.http import Opened, api, open_api

if TYPE_CHECKING:
    from starlette.applications import Starlette


async def get(app: Starlette, path: str) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://monitor") as client:
        answer = await client.get(path)
        return answer.status_code, answer.json()


def status(model: str) -> dict[str, Any]:
    if model != "loans":
        raise UnknownModelError(model, ["loans"])
    return {"model": model}


async def deliveries() -> list[dict[str, Any]]:
    return [{"state": "delivered"}]


@pytest.fixture
def app() -> Starlette:
    app = api()
    open_api(app, Opened(status, deliveries))
    return app


async def test_the_status_of_a_model(app: Starlette) -> None:
    assert await get(app, "/v1/models/loans/drift") == (200, {"model": "loans"})


async def test_the_newest_deliveries(app: Starlette) -> None:
    assert await get(app, "/v1/deliveries") == (200, {"deliveries": [{"state": "delivered"}]})


async def test_an_unknown_model_is_not_found(app: Starlette) -> None:
    code, answer = await get(app, "/v1/models/flights/drift")
    assert (code, answer["error"]) == (404, "unknown_model")


async def test_before_the_start_the_api_is_unavailable() -> None:
    code, answer = await get(api(), "/v1/models/loans/drift")
    assert (code, answer["error"]) == (503, "unavailable")


async def test_without_postgresql_the_deliveries_are_unavailable() -> None:
    async def down() -> list[dict[str, Any]]:
        raise UnavailableError("PostgreSQL", "stopped")

    app = api()
    open_api(app, Opened(status, down))
    code, answer = await get(app, "/v1/deliveries")
    assert (code, answer["error"]) == (503, "unavailable")

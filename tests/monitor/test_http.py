"""The HTTP API: what it says before the monitor is open, and of a model that nobody knows."""

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


def look(model: str) -> dict[str, Any]:
    if model != "loans":
        raise UnknownModelError(model, ["loans"])
    return {"model": model}


async def deliveries() -> list[dict[str, Any]]:
    return [{"state": "delivered"}]


@pytest.fixture
def app() -> Starlette:
    app = api()
    open_api(app, Opened(look, deliveries))
    return app


async def test_the_picture_of_a_model(app: Starlette) -> None:
    assert await get(app, "/v1/models/loans/drift") == (200, {"model": "loans"})


async def test_the_newest_deliveries(app: Starlette) -> None:
    assert await get(app, "/v1/deliveries") == (200, {"deliveries": [{"state": "delivered"}]})


async def test_an_unknown_model_says_what_to_do(app: Starlette) -> None:
    message = "no spec of flights has been applied (watched: loans); apply one with `rondo apply rondo.yaml`"
    assert await get(app, "/v1/models/flights/drift") == (404, {"error": "unknown_model", "message": message})


async def test_before_it_is_open_it_says_what_it_waits_for() -> None:
    status, answer = await get(api(), "/v1/models/loans/drift")
    assert (status, answer["error"]) == (503, "unavailable")
    assert "/readyz says what it waits for" in answer["message"]


async def test_while_postgresql_is_away_the_log_says_so() -> None:
    async def away() -> list[dict[str, Any]]:
        raise UnavailableError("PostgreSQL", "stopped")

    app = api()
    open_api(app, Opened(look, away))
    message = "PostgreSQL is not available (stopped); this will be tried again until it is"
    assert await get(app, "/v1/deliveries") == (503, {"error": "unavailable", "message": message})

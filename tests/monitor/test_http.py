"""The HTTP API, also before the monitor has started and for unknown models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.monitor.errors import UnknownModelError
from rondo.monitor.http import Opened, api, open_api
from rondo.monitor.status_view import ModelStatus, ModelSummary, model_status, summary

from tests.monitor.builders import MODEL, REFERENCE, SPEC
from tests.monitor.scenarios import DailyScenario
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from fastapi import FastAPI

DELIVERY = {
    "event_id": "e", "receiver": "https://example.org/hook", "alert_id": "a", "state": "delivered", "attempts": 1,
    "last_answer": "204", "written_at": "2013-01-08T00:00:00Z",
}  # fmt: skip


def status(model: str) -> ModelStatus:
    """Return the status of a model with one open window, in its third day."""
    if model != MODEL:
        raise UnknownModelError(model, [MODEL])
    scenario = DailyScenario()
    for day, shift in ((0, 1.5), (1, 1.5), (2, 0.0)):
        scenario.day(day, shift=shift, count=1_000 if day < 2 else 80)
    scenario.close()
    return model_status(scenario.state, SPEC, REFERENCE)


def summaries() -> tuple[ModelSummary, ...]:
    return (summary(late_scenario().state),)


def late_scenario() -> DailyScenario:
    """Return a model whose requests of the second day arrive after one of a year later."""
    scenario = DailyScenario()
    scenario.day(0)
    scenario.day(365, count=1)
    scenario.day(366, count=1)
    scenario.close()
    for _ in range(2):
        scenario.day(1)
    return scenario


async def deliveries() -> list[dict[str, Any]]:
    return [DELIVERY]


async def get(app: FastAPI, path: str, role: Role = Role.READER) -> tuple[int, dict[str, Any]]:
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor", headers=bearer(role)) as client:
        answer = await client.get(path)
        return answer.status_code, answer.json()


@pytest.fixture
def app() -> FastAPI:
    app = api()
    open_api(app, Opened(summaries, status, deliveries))
    return app


async def test_the_status_of_a_model(app: FastAPI) -> None:
    code, answer = await get(app, f"/v1/models/{MODEL}/drift")
    assert (code, answer) == (200, status(MODEL).model_dump(mode="json"))
    (window,) = answer["windows"]
    assert (window["start"], window["rows"], window["no_verdict"]) == ("2024-01-03T00:00:00Z", 80, "80 of 100 rows")
    assert {each["statistic"] for each in window["statistics"]} >= {"psi", "ks", "total_variation", "roc_auc"}
    assert answer["alarms"]["drift"] == {
        "since": "2024-01-01T00:00:00Z", "windows_over": 2, "alert_id": answer["alarms"]["drift"]["alert_id"]
    }  # fmt: skip
    assert answer["alarms"].keys() == {"drift", "performance", "quality", "no_verdict"}


async def test_the_models_with_their_last_window_and_open_alerts(app: FastAPI) -> None:
    code, answer = await get(app, "/v1/models")
    (model,) = answer["models"]
    assert (code, model["model"], model["version"]) == (200, MODEL, 1)
    assert (model["last_window"], model["no_verdict"]) == ("2024-01-02T00:00:00Z", None)
    assert model["open_alerts"] == ["coverage"]
    assert model["not_monitored_share"] == pytest.approx(1, abs=0.01)
    assert model["watermark"].startswith("2025-01-01")


async def test_the_newest_deliveries(app: FastAPI) -> None:
    assert await get(app, "/v1/deliveries") == (200, {"deliveries": [DELIVERY]})


async def test_an_unknown_model_is_not_found(app: FastAPI) -> None:
    code, answer = await get(app, "/v1/models/flights/drift")
    assert (code, answer["code"]) == (404, "unknown_model")
    assert "no spec of flights has been applied" in answer["detail"]
    assert "; apply one with `rondo apply rondo.yaml`" in answer["detail"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/loans/drift", "/v1/deliveries"])
async def test_a_reader_may_look(app: FastAPI, path: str) -> None:
    assert (await get(app, path, Role.PUBLISHER))[0] == 403
    assert (await get(app, path, Role.ENGINEER))[0] == 200


async def test_before_the_start_the_api_is_unavailable() -> None:
    code, answer = await get(api(), "/v1/models/loans/drift")
    assert (code, answer["code"]) == (503, "unavailable")


async def test_without_postgresql_the_deliveries_are_unavailable() -> None:
    async def down() -> list[dict[str, Any]]:
        raise UnavailableError("PostgreSQL", "stopped")

    app = api()
    open_api(app, Opened(summaries, status, down))
    code, answer = await get(app, "/v1/deliveries")
    assert (code, answer["code"]) == (503, "unavailable")

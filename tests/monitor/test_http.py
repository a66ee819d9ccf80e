"""The HTTP API, also before the monitor has started and for unknown models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.contracts.events.monitoring import AlertRaised
from rondo.monitor.alerts.no_verdict import NO_ROWS
from rondo.monitor.errors import UnknownModelError
from rondo.monitor.http import Opened, api, open_api
from rondo.monitor.label_requests.wanted_labels import WantedLabels, wanted_labels
from rondo.monitor.model_state import ModelState
from rondo.monitor.notifications.http import Notifications
from rondo.monitor.status.model_status import ModelStatus, ModelSummary, model_status, summary

from tests.monitor.builders import MODEL, REFERENCE, SPEC
from tests.monitor.scenarios import DailyScenario
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from fastapi import FastAPI
    from rondo.monitor.evidence.reference import Reference

# Tests in `report` and `notifications` cover the routes that need these.
UNUSED: Any = None


async def status(model: str) -> ModelStatus:
    """Return the status of a model whose x has shifted, with one open window, in its fifth day."""
    if model != MODEL:
        raise UnknownModelError(model, [MODEL])
    scenario = DailyScenario()
    for day in range(5):
        scenario.day(day, shift=1.5 if day >= 2 else 0.0, count=1_000 if day < 4 else 80)
    scenario.close()
    return model_status(scenario.state, SPEC, REFERENCE)


async def wanted(model: str, budget: int, uncertain: bool) -> WantedLabels:  # noqa: FBT001 - as the pipeline has it
    assert model == MODEL
    return wanted_labels(late_scenario().state, REFERENCE, budget, uncertain=uncertain)


async def summaries() -> tuple[ModelSummary, ...]:
    return (summary(late_scenario().state, SPEC, REFERENCE),)


def late_scenario() -> DailyScenario:
    """Return a model whose requests of the second day arrive after a request of a year later."""
    scenario = DailyScenario()
    scenario.day(0)
    scenario.day(365, count=1)
    scenario.day(366, count=1)
    scenario.close()
    for _ in range(2):
        scenario.day(1)
    return scenario


class Silenced:
    """The silenced alerts of `notifications`. `kinds` is None while PostgreSQL is unavailable."""

    def __init__(self, kinds: set[str] | None) -> None:
        self.kinds = kinds

    async def silenced(self) -> set[tuple[str, str]]:
        if self.kinds is None:
            raise UnavailableError("PostgreSQL", "stopped")
        return {(MODEL, kind) for kind in self.kinds}


def opened(kinds: set[str] | None) -> Opened:
    silenced: Any = Silenced(kinds)
    return Opened(summaries, status, UNUSED, UNUSED, UNUSED, Notifications(silenced, UNUSED, UNUSED), wanted, UNUSED)


async def get(app: FastAPI, path: str, role: Role = Role.READER) -> tuple[int, dict[str, Any]]:
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor", headers=bearer(role)) as client:
        answer = await client.get(path)
        return answer.status_code, answer.json()


@pytest.fixture
def app() -> FastAPI:
    app = api()
    open_api(app, opened({"drift"}))
    return app


@pytest.mark.medium
async def test_the_status_of_a_model(app: FastAPI) -> None:
    code, answer = await get(app, f"/v1/models/{MODEL}/drift")
    assert (code, answer) == (200, (await status(MODEL)).model_dump(mode="json"))
    (window,) = answer["windows"]
    assert (window["start"], window["rows"], window["labelled_rows"]) == ("2024-01-05T00:00:00Z", 80, 80)
    assert {each["statistic"] for each in window["statistics"]} >= {"psi", "ks", "total_variation", "roc_auc"}
    assert (answer["no_verdict"], answer["alerts"].keys()) == (None, {"drift"})
    columns = {(each["group"], each["column"]): each for each in answer["columns"]}
    assert columns.keys() == {("inputs", "x"), ("inputs", "city"), ("outputs", "output.score"), ("loss", None)}
    x, city = columns["inputs", "x"], columns["inputs", "city"]
    assert (x["judged"], x["expected"], city["since"], city["statistics"]) == (True, None, None, [])
    assert x["evidence"] > x["threshold"] > city["evidence"]
    assert x["since_earliest"] <= x["since"] <= x["since_latest"]
    assert x["statistics"][0]["statistic"] == "level"


@pytest.mark.parametrize(
    ("champion", "reference", "known"), [(False, REFERENCE, False), (True, None, False), (True, REFERENCE, True)]
)
def test_what_is_not_there_yet_is_why_there_is_no_verdict(
    *, champion: bool, reference: Reference | None, known: bool
) -> None:
    state = DailyScenario().state if champion else ModelState(MODEL)
    found, status = summary(state, SPEC, reference), model_status(state, SPEC, reference)
    assert found.no_verdict == status.no_verdict
    assert (found.no_verdict == NO_ROWS) == known
    assert found.no_verdict
    assert (status.columns, status.windows, status.window_seconds) == ((), (), None)


async def test_the_models_with_their_last_window_and_open_alerts(app: FastAPI) -> None:
    code, answer = await get(app, "/v1/models")
    (model,) = answer["models"]
    assert (code, model["model"], model["version"]) == (200, MODEL, 1)
    assert (model["last_window"], model["no_verdict"]) == ("2024-01-02T00:00:00Z", None)
    assert model["open_alerts"] == ["coverage"]
    assert model["not_monitored_share"] == pytest.approx(1, abs=0.01)
    assert model["watermark"].startswith("2025-01-01")


def test_the_status_has_the_id_of_the_alert_that_rows_are_not_monitored() -> None:
    state = late_scenario().state
    raised = state.dropped.pending_alerts[0].event
    assert isinstance(raised, AlertRaised)
    assert model_status(state, SPEC, REFERENCE).alerts == {"coverage": raised.alert_id}


@pytest.mark.medium
@pytest.mark.parametrize(("kinds", "marked"), [({"drift"}, []), ({"coverage", "drift"}, ["coverage"]), (None, [])])
async def test_open_alerts_are_marked_that_are_silenced(kinds: set[str] | None, marked: list[str]) -> None:
    app = api()
    open_api(app, opened(kinds))
    code, answer = await get(app, "/v1/models")
    (model,) = answer["models"]
    assert (code, model["open_alerts"], model["silenced_alerts"]) == (200, ["coverage"], marked)


async def test_an_unknown_model_is_not_found(app: FastAPI) -> None:
    code, answer = await get(app, "/v1/models/flights/drift")
    assert (code, answer["code"]) == (404, "unknown_model")
    assert "no spec of flights has been applied" in answer["detail"]
    assert "; apply one with `rondo apply rondo.yaml`" in answer["detail"]


@pytest.mark.medium
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/loans/drift"])
async def test_a_reader_may_look(app: FastAPI, path: str) -> None:
    assert (await get(app, path, Role.PUBLISHER))[0] == 403
    assert (await get(app, path, Role.ENGINEER))[0] == 200


@pytest.mark.parametrize("path", ["models/loans/drift", "alerts", "silences", "deliveries"])
async def test_before_the_start_the_api_is_unavailable(path: str) -> None:
    code, answer = await get(api(), f"/v1/{path}")
    assert (code, answer["code"]) == (503, "unavailable")


@pytest.mark.medium
async def test_the_predictions_whose_outcome_is_wanted() -> None:
    app = api()
    open_api(app, opened(set()))
    code, found = await get(app, f"/v1/models/{MODEL}/labels/wanted?budget=5&uncertain=true")
    assert (code, found["budget"], found["version"]) == (200, 5, 1)
    for query in ("budget=0", "budget=10001"):
        assert (await get(app, f"/v1/models/{MODEL}/labels/wanted?{query}"))[0] == 422

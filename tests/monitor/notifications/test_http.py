"""The routes about alerts, silences and deliveries, with a real PostgreSQL: their roles and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.contracts.access_tokens import Role
from rondo.monitor.errors import UnknownModelError
from rondo.monitor.http import Opened, api, open_api
from rondo.monitor.notifications.http import Notifications
from rondo.monitor.notifications.postgres_alerts import PostgresAlerts

from tests.monitor.builders import MODEL
from tests.monitor.notifications.receiver import BOTH, Server, drain, publish
from tests.support.access import bearer, token_cache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.chassis.postgres.pool import Database

UNUSED: Any = None
SILENCE = {"kind": "drift", "seconds": 7_200, "reason": "a known sensor fault"}


async def require(model: str) -> None:
    if model != MODEL:
        raise UnknownModelError(model, [MODEL])


@pytest.fixture
async def http(opened: Database, server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the monitor's API, with an alert that is open and was sent, as an engineer."""
    app = api()
    async with httpx.AsyncClient() as client:
        deliveries = await publish(opened, server.url, client, published=BOTH[:1])
        await drain(deliveries)
        notifications = Notifications(PostgresAlerts(opened), deliveries, require)
        open_api(app, Opened(UNUSED, UNUSED, require, UNUSED, UNUSED, notifications, UNUSED, UNUSED))
        transport = httpx.ASGITransport(guarded(Health(), await token_cache(), app))
        headers = bearer(Role.ENGINEER)
        async with httpx.AsyncClient(transport=transport, base_url="http://monitor", headers=headers) as found:
            yield found


async def test_an_alert_is_listed_as_silenced_by_whom_and_until_when(http: httpx.AsyncClient) -> None:
    (before,) = (await http.get("/v1/alerts")).json()["alerts"]
    assert (before["state"], before["silence"], before["messages"]) == ("open", None, 1)
    made = await http.post(f"/v1/models/{MODEL}/silences", json=SILENCE)
    assert (made.status_code, made.json()["created_by"]) == (201, "engineer")
    (alert,) = (await http.get("/v1/alerts", params={"model": MODEL})).json()["alerts"]
    assert (alert["state"], alert["silence"]) == ("silenced", made.json())
    (listed,) = (await http.get("/v1/silences")).json()["silences"]
    assert listed == made.json()
    ended = await http.delete(f"/v1/silences/{listed['silence_id']}")
    assert (ended.status_code, ended.json()["ended_by"], ended.json()["active"]) == (200, "engineer", False)
    (after,) = (await http.get("/v1/alerts")).json()["alerts"]
    assert after["state"] == "open"


async def test_a_resolved_alert_is_listed_with_why(http: httpx.AsyncClient, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, "", client, published=BOTH[1:])
    (alert,) = (await http.get("/v1/alerts")).json()["alerts"]
    assert (alert["state"], alert["resolution"], alert["resolved_at"][:4]) == ("resolved", "over", "2024")


async def test_a_delivery_is_listed_and_delivered_again(http: httpx.AsyncClient) -> None:
    (delivery,) = (await http.get("/v1/deliveries")).json()["deliveries"]
    facts = (delivery["reason"], delivery["alert_ids"], delivery["state"], delivery["last_answer"])
    assert facts == ("opened", ["a1"], "delivered", "200 OK")
    assert "s3cret" not in str(delivery)
    again = await http.post(f"/v1/deliveries/{delivery['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (202, "pending")


@pytest.mark.parametrize("role", [Role.READER, Role.PUBLISHER, Role.PREDICTOR, Role.APPROVER])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1/models/{MODEL}/silences"),
        ("DELETE", "/v1/silences/1"),
        ("POST", "/v1/deliveries/1/redeliver"),
    ],
)
async def test_what_changes_messages_needs_an_engineer(
    http: httpx.AsyncClient, role: Role, method: str, path: str
) -> None:
    answer = await http.request(method, path, json=SILENCE, headers=bearer(role))
    assert (answer.status_code, answer.json()["required_roles"]) == (403, ["engineer"])
    assert (await http.get("/v1/silences")).json()["silences"] == []


@pytest.mark.parametrize("path", ["alerts", "silences", "deliveries"])
async def test_what_is_listed_needs_a_reader(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/v1/{path}", headers=bearer(Role.PUBLISHER))).status_code == 403
    assert (await http.get(f"/v1/{path}", headers=bearer(Role.READER))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/alerts?model=rides", "unknown_model"),
        ("POST", "/v1/models/rides/silences", "unknown_model"),
        ("DELETE", "/v1/silences/9", "unknown_silence"),
        ("POST", "/v1/deliveries/9/redeliver", "unknown_delivery"),
    ],
)
async def test_what_is_unknown_is_not_found(http: httpx.AsyncClient, method: str, path: str, code: str) -> None:
    answer = await http.request(method, path, json=SILENCE)
    assert (answer.status_code, answer.json()["code"]) == (404, code)


@pytest.mark.parametrize(
    "change",
    [{"seconds": 0}, {"seconds": 31 * 86_400}, {"kind": "drfit"}, {"reason": ""}, {"url": "http://169.254.169.254/"}],
)
async def test_a_silence_that_makes_no_sense_is_refused(http: httpx.AsyncClient, change: dict[str, Any]) -> None:
    answer = await http.post(f"/v1/models/{MODEL}/silences", json=SILENCE | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_the_next_step_after_a_wrong_id(http: httpx.AsyncClient) -> None:
    silence = (await http.delete("/v1/silences/9")).json()["detail"]
    assert "there is no silence 9; `rondo silences` lists those of the last days" in silence
    delivery = (await http.post("/v1/deliveries/9/redeliver")).json()["detail"]
    assert "there is no delivery 9; `rondo alerts` lists the newest" in delivery


@pytest.mark.parametrize("number", [0, 2**63])
async def test_a_number_that_no_row_can_have_is_refused(http: httpx.AsyncClient, number: int) -> None:
    answers = [await http.delete(f"/v1/silences/{number}"), await http.post(f"/v1/deliveries/{number}/redeliver")]
    assert [answer.status_code for answer in answers] == [422, 422]

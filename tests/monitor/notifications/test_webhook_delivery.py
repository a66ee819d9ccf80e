"""Deliveries from PostgreSQL to a real HTTP server. A receiver that is down or redirects delays no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
from rondo.chassis.service import background

from tests.monitor.builders import MODEL
from tests.monitor.notifications.receiver import BOTH, Server, delivering, drain, publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.chassis.postgres.pool import Database


async def test_an_alert_is_delivered_with_its_figures_and_then_its_end(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert log == [("opened", "delivered", 1, "200 OK"), ("resolved", "delivered", 1, "200 OK")]
    (path, headers, first), (_, _, second) = server.received
    assert (path, headers["idempotency-key"]) == ("/services/s3cret", first["message_id"])
    assert first == {
        "text": "WARNING: loans version 1: drifted\nx PSI 1.23 (threshold 0.25)", "status": "firing",
        "reason": "opened", "message_id": first["message_id"], "model": MODEL, "model_version": 1, "alerts": [{
            "alert_id": "a1", "kind": "drift", "severity": "warning", "title": "loans version 1: drifted",
            "detail": "x PSI 1.23 (threshold 0.25)", "raised_at": "2024-01-01T00:00:00Z", "resolved_at": None,
            "resolution": None,
        }],
    }  # fmt: skip
    assert (second["text"], second["status"]) == ("Resolved: loans version 1: drifted\nover", "resolved")
    assert second["alerts"][0]["resolved_at"] == "2024-01-01T00:00:00Z"


async def test_alertmanager_gets_its_own_format(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await drain(await publish(opened, f"alertmanager+http://127.0.0.1:{server.port}", client))
    (path, _, first), (_, _, second) = server.received
    assert (path, first[0]["labels"]) == ("/api/v2/alerts", second[0]["labels"])
    assert first[0]["labels"]["alert_id"] == "a1"
    # The call about the opening is made when the alert is over: see `with_ends`.
    assert first == second


async def test_a_lasting_alert_is_repeated_to_alertmanager_and_not_to_slack(server: Server, opened: Database) -> None:
    urls = f"alertmanager+http://127.0.0.1:{server.port}, {server.url}"
    async with httpx.AsyncClient() as client:
        await drain(await publish(opened, urls, client, published=BOTH[:1]))
        lasting = await publish(opened, urls, client, published=())
        assert len(server.received) == 2
        assert await lasting.repeat() == 1
        (first,) = {json.dumps(content) for path, _, content in server.received if path == "/api/v2/alerts"}
        assert json.loads(first)[0]["endsAt"] == "2200-01-01T00:00:00Z"
        assert [path for path, _, _ in server.received[2:]] == ["/api/v2/alerts"]
        await drain(await publish(opened, urls, client, published=BOTH[1:]))
        assert await lasting.repeat() == 0


async def test_a_lasting_alert_is_repeated_while_the_monitor_runs(server: Server, opened: Database) -> None:
    url = f"alertmanager+http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient() as client:
        await publish(opened, url, client, published=BOTH[:1])
        deliveries = delivering(opened, url, client, poll=0.01, repeat_after=0.02)
        async with background(deliveries.run()):
            await server.arrived(3)


async def test_a_temporary_failure_is_retried_in_order(server: Server, opened: Database) -> None:
    server.answers = ["503 Busy", "429 Slower"]
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert log == [("opened", "delivered", 3, "200 OK"), ("resolved", "delivered", 1, "200 OK")]


async def test_a_receiver_that_is_down_fails_and_delays_no_other(
    server: Server, opened: Database, free_port: Callable[[], int]
) -> None:
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, f"http://127.0.0.1:{free_port()}/, {server.url}", client, attempts=2))
    assert sorted((state, attempts) for _, state, attempts, _ in log) == [("delivered", 1)] * 2 + [("failed", 2)] * 2
    assert any(answer.startswith("ConnectError") for *_, answer in log)
    assert len(server.received) == 2


async def test_a_refusal_is_final_and_a_redirect_is_not_followed(server: Server, opened: Database) -> None:
    server.answers = ["404 Gone", f"307 There\r\nLocation: {server.url}/elsewhere"]
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert [(state, attempts, answer[:3]) for _, state, attempts, answer in log] == [
        ("failed", 1, "404"),
        ("failed", 1, "307"),
    ]
    assert len(server.received) == 2


async def test_an_answer_that_the_database_refuses_ends_no_deliveries(server: Server, opened: Database) -> None:
    server.answers = ["400 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\na\0b"]
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert [(state, answer) for _, state, _, answer in log] == [
        ("failed", "400 No: a\ufffdb"),
        ("delivered", "200 OK"),
    ]


async def test_a_delivery_to_a_removed_receiver_fails(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, server.url, client)
        log = await drain(delivering(opened, "", client))
    assert {"RONDO_WEBHOOK_URLS" in answer for *_, answer in log} == {True}
    assert server.received == []


async def test_an_alert_published_twice_is_delivered_once(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, server.url, client)
        await drain(await publish(opened, server.url, client))
    assert len(server.received) == 2

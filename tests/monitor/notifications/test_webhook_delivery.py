"""Deliveries from PostgreSQL to a real HTTP server. A receiver that is down or redirects does not delay others."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from rondo.chassis.postgres import pool
from rondo.chassis.service import background

from tests.monitor.builders import MODEL
from tests.monitor.notifications.receiver import BOTH, Server, delivering, drain, publish
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.notifications.webhook_delivery import Deliveries


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
            "resolution": None, "evident_over_models": None,
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
    # The alert has ended when the call about its opening is made: see `with_ends`.
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


async def test_one_replica_delivers_at_a_time_and_another_goes_on_after_it(server: Server, opened: Database) -> None:
    """At first the receiver does not answer. A second delivering replica would call it with the same message."""
    server.hold = asyncio.Event()
    async with httpx.AsyncClient() as client:
        await publish(opened, server.url, client)
        replicas = [delivering(opened, server.url, client, poll=0.01) for _ in range(2)]
        tasks = {asyncio.create_task(each.run()) for each in replicas}
        await server.arrived(1)
        await until(lambda: opened.pool.fetchval(_BOTH_TRIED))
        server.hold.set()
        await until(lambda: all_delivered(replicas[0]))
        assert [content["status"] for _, _, content in server.received] == ["firing", "resolved"]
        for ended in list(tasks):
            # The replica that ends first may be the one that delivers. Then the other one takes over.
            await replicas[0].redeliver((await replicas[0].log())[0]["id"])
            await until(lambda: all_delivered(replicas[0]))
            ended.cancel()
            with pytest.raises(asyncio.CancelledError):
                await ended
    assert [content["status"] for _, _, content in server.received] == ["firing", *["resolved"] * 3]


@pytest.mark.medium
async def test_another_replica_delivers_while_the_one_that_has_the_lock_hangs(
    server: Server, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs within a call of a receiver, like a process that is paused."""
    monkeypatch.setattr(pool, "HUNG_SECONDS", 0.2)
    async with httpx.AsyncClient() as client:
        hung, other = (delivering(opened, server.url, client, poll=0.01) for _ in range(2))
        monkeypatch.setattr(hung, "deliver_due", asyncio.Event().wait)
        await publish(opened, server.url, client)
        async with background(hung.run()):
            await until(lambda: opened.pool.fetchval(_LOCKED))
            async with background(other.run()):
                await server.arrived(2)


_LOCKED = """
select pid from pg_locks join pg_database on pg_database.oid = database
where locktype = 'advisory' and granted and datname = current_database()
"""
_BOTH_TRIED = """
select count(*) > 1 from pg_stat_activity
where query like 'select pg_try_advisory_lock%' and datname = current_database()
"""


async def all_delivered(deliveries: Deliveries) -> bool:
    return {each["state"] for each in await deliveries.log()} == {"delivered"}


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

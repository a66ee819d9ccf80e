"""Deliveries from PostgreSQL to a real HTTP server. A receiver that is down or redirects delays no other."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rondo.chassis.errors import Backoff
from rondo.chassis.postgres import pool as chassis
from rondo.chassis.service import background
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.alerts.webhook import Webhook, receivers
from rondo.monitor.alerts.webhook_delivery import Deliveries
from rondo.monitor.ports import Checkpoint
from rondo.monitor.settings import MonitorSettings
from rondo.monitor.state.postgres_state import PostgresStore

from tests.monitor.builders import MODEL
from tests.monitor.events import RAISED, RESOLVED
from tests.monitor.fakes import ENVIRONMENT, NOW
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from rondo.chassis.postgres.pool import Database


@dataclass
class Server:
    """Records posts, and answers with the next of `answers`, or 200."""

    answers: list[str] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    port: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def arrived(self, count: int) -> None:
        """Wait until so many posts arrived."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: len(self.received) >= count), 30)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        content = await reader.readexactly(int(headers["content-length"]))
        async with self.changed:
            self.received.append((head.split()[1], headers, json.loads(content)))
            self.changed.notify_all()
        answer = self.answers.pop(0) if self.answers else "200 OK"
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        """Its URL, with a secret in the path as Slack has it."""
        return f"http://127.0.0.1:{self.port}/services/s3cret"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    kept = Server()
    async with await asyncio.start_server(kept.serve, "127.0.0.1", 0) as listening:
        kept.port = listening.sockets[0].getsockname()[1]
        yield kept


@pytest.fixture
async def opened(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    settings = load(MonitorSettings, ENVIRONMENT | {"RONDO_POSTGRES": await database("monitor")})
    async with chassis.connect(settings, files("rondo.monitor") / "migrations") as connected:
        yield connected


BOTH = (Announcement(RAISED, "a1-raised"), Announcement(RESOLVED, "a1-resolved"))


async def publish(
    database: Database,
    urls: str,
    client: httpx.AsyncClient,
    attempts: int = 3,
    published: Sequence[Announcement] = BOTH,
) -> Deliveries:
    known = receivers(urls)
    store = PostgresStore(database, [receiver.name for receiver in known])
    await store.save(Checkpoint((await store.load()).generation, {}, {}), published)
    return Deliveries(database, Webhook(client, lambda: NOW), known, Backoff(first=0.0, cap=0.0, attempts=attempts))


async def drain(deliveries: Deliveries) -> list[tuple[str, str, int, str]]:
    while await deliveries.deliver_due():
        pass
    return [(d["event_id"], d["state"], d["attempts"], d["last_answer"]) for d in reversed(await deliveries.log())]


async def test_an_alert_is_delivered_with_its_figures_and_then_its_end(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert log == [("a1-raised", "delivered", 1, "200 OK"), ("a1-resolved", "delivered", 1, "200 OK")]
    (path, headers, first), (_, _, second) = server.received
    assert (path, headers["idempotency-key"]) == ("/services/s3cret", "a1-raised")
    assert first == {
        "text": "WARNING: loans version 1: drifted\nx PSI 1.23 (threshold 0.25)", "status": "firing", "model": MODEL,
        "alert_id": "a1", "severity": "warning", "title": "loans version 1: drifted",
        "detail": "x PSI 1.23 (threshold 0.25)", "raised_at": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    assert (second["text"], second["status"]) == ("Resolved: loans\nover", "resolved")


async def test_alertmanager_gets_its_own_format(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await drain(await publish(opened, f"alertmanager+http://127.0.0.1:{server.port}", client))
    (path, _, first), (_, _, second) = server.received
    labels = {"alertname": "RondoFinding", "model": MODEL, "alert_id": "a1"}
    assert (path, first[0]["labels"], second[0]["labels"]) == ("/api/v2/alerts", labels, labels)


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
        deliveries = Deliveries(opened, Webhook(client, lambda: NOW), receivers(url), poll=0.01, repeat_after=0.02)
        async with background(deliveries.run()):
            await server.arrived(3)


async def test_a_temporary_failure_is_retried_in_order(server: Server, opened: Database) -> None:
    server.answers = ["503 Busy", "429 Slower"]
    async with httpx.AsyncClient() as client:
        log = await drain(await publish(opened, server.url, client))
    assert log == [("a1-raised", "delivered", 3, "200 OK"), ("a1-resolved", "delivered", 1, "200 OK")]


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


async def test_a_delivery_to_a_removed_receiver_fails(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, server.url, client)
        log = await drain(Deliveries(opened, Webhook(client, lambda: NOW), ()))
    assert {answer for *_, answer in log} == {"this receiver is no longer in RONDO_WEBHOOK_URLS"}
    assert server.received == []


async def test_an_alert_published_twice_is_delivered_once(server: Server, opened: Database) -> None:
    async with httpx.AsyncClient() as client:
        await publish(opened, server.url, client)
        await drain(await publish(opened, server.url, client))
    assert len(server.received) == 2

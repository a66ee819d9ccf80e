"""A real HTTP server that receives messages, and the deliveries to it from a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rondo.chassis.errors import Backoff
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.notifications.message_plan import Policy
from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
from rondo.monitor.notifications.webhook import Webhook
from rondo.monitor.notifications.webhook_delivery import Deliveries
from rondo.monitor.notifications.webhook_receivers import receivers
from rondo.monitor.ports import Checkpoint
from rondo.monitor.settings import MonitorSettings
from rondo.monitor.state.postgres_state import PostgresStore, saved_count

from tests.monitor.events import RAISED, RESOLVED
from tests.monitor.fakes import ENVIRONMENT, NOW
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    from rondo.chassis.postgres.pool import Database


def settings(address: str) -> MonitorSettings:
    """Return the settings of a monitor with this database."""
    return load(MonitorSettings, ENVIRONMENT | {"RONDO_POSTGRES": address})


@dataclass
class Server:
    """Records posts, and answers with the next of `answers`, or 200.

    If there is a `hold`, it waits until that is set.
    """

    answers: list[str] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    port: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    hold: asyncio.Event | None = None

    async def arrived(self, count: int) -> None:
        """Wait until `count` posts have arrived."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: len(self.received) >= count), 30)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. There is none if the caller closes the connection before it."""
        with closing(writer), suppress(asyncio.IncompleteReadError):
            await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        content = await reader.readexactly(int(headers["content-length"]))
        async with self.changed:
            self.received.append((head.split()[1], headers, json.loads(content)))
            self.changed.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        answer = self.answers.pop(0) if self.answers else "200 OK"
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()

    @property
    def url(self) -> str:
        """Its URL, with a secret in the path, like a URL of Slack."""
        return f"http://127.0.0.1:{self.port}/services/s3cret"


AT_ONCE = Policy(timedelta(0), (timedelta(days=1), timedelta(days=7)))
BOTH = (Announcement(RAISED, "a1-raised"), Announcement(RESOLVED, "a1-resolved"))


async def publish(
    database: Database,
    urls: str,
    client: httpx.AsyncClient,
    attempts: int = 3,
    published: Sequence[Announcement] = BOTH,
    *,
    together: bool = False,
) -> Deliveries:
    """Publish announcements, plan the messages about each, or about all together, and return the deliveries."""
    found = delivering(database, urls, client, attempts)
    store = PostgresStore(database)
    await saved_count(database, 1)
    for each in [published] if together else [[each] for each in published]:
        await store.save(Checkpoint((await store.load()).generation, {}, {}), each)
        await found.plan()
    return found


def delivering(
    database: Database, urls: str, client: httpx.AsyncClient, attempts: int = 3, **intervals: float
) -> Deliveries:
    retries = Backoff(first=0.0, cap=0.0, attempts=attempts)
    webhook, alerts = Webhook(client, lambda: NOW), PostgresAlerts(database)
    return Deliveries(database, alerts, webhook, receivers(urls), AT_ONCE, retries, **intervals)


async def drain(deliveries: Deliveries) -> list[tuple[str, str, int, str]]:
    while await deliveries.deliver_due():
        pass
    return [(d["reason"], d["state"], d["attempts"], d["last_answer"]) for d in reversed(await deliveries.log())]

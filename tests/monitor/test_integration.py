"""The monitor as a process on real Kafka and PostgreSQL: killed in the middle, it says the same as otherwise."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer
from monitor_events import control_plane
from monitor_fakes import Clock, MemoryStore, messages
from monitor_world import DIGEST, EPOCH, MODEL, PROFILED, SPEC, year
from rondo.chassis.events.broker import create_topics
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    WindowClosed,
)
from rondo.monitor.pipeline import Watching
from rondo.monitor.ports import Champion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.contracts.events.base import Event

DAYS, SHIFT = 10, 5
SAID = (WindowClosed, DriftDetected, PerformanceDegraded, DataQualityDegraded, AlertRaised, AlertResolved)


async def uninterrupted(asked: list[bytes], known: list[bytes]) -> dict[str, dict[str, Any]]:
    """Return what a monitor in memory says that gets everything at once."""
    store, clock = MemoryStore(), Clock()
    await store.save_spec(MODEL, 1, SPEC)
    await store.save_profile(DIGEST, PROFILED)
    await store.save_champion(MODEL, Champion(1, 1, DIGEST))
    watching = Watching(store, store, clock)
    await watching.load()
    await watching.advance(messages(asked, known))
    return {each.event_id: each.event.model_dump(mode="json") for each in store.announced}


class Monitor:
    """The real process."""

    def __init__(self, kafka: str, dsn: str, port: int, **environment: str) -> None:
        self.environment = os.environ | {
            "RONDO_SERVICE": "monitor", "RONDO_KAFKA": kafka, "RONDO_POSTGRES": dsn, "RONDO_HTTP_PORT": str(port),
            "RONDO_API_TOKEN": "a-token-for-the-tests", **environment,
        }  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(sys.executable, "-m", "rondo.monitor", env=self.environment)

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()


@dataclass
class Receiver:
    """A webhook: keeps the alerts that it gets."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        self.alerts.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    async with await asyncio.start_server(kept.serve, "127.0.0.1", 0) as listening:
        kept.port = listening.sockets[0].getsockname()[1]
        yield kept


async def ask(port: int, path: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"http://127.0.0.1:{port}{path}", headers={"authorization": "Bearer a-token-for-the-tests"}
        )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


class Said:
    """What the monitor published: the values by CloudEvents id, and how often each id came."""

    def __init__(self, kafka: str) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.topics: dict[str, str] = {}
        self.consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "said",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        self.consumer.subscribe([event.topic for event in SAID])

    async def until(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not enough():
                self.take(await asyncio.to_thread(self.consumer.consume, 100, 0.2))

    def take(self, received: list[Any]) -> None:
        for message in received:
            assert message.error() is None
            event_id = dict(message.headers())["ce_id"].decode()
            value = json.loads(message.value())
            # The outbox publishes at least once; what is said twice is the same, to the letter.
            assert self.values.setdefault(event_id, value) == value
            self.topics[event_id] = message.topic()

    def count(self, event: type[Event]) -> int:
        return sum(topic == event.topic for topic in self.topics.values())


def publish(kafka: str, asked: list[bytes], known: list[bytes], events: list[Event] | None = None) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for n, event in enumerate(events or []):
        envelope = Envelope(f"e{n}", "test", datetime.now(UTC), event)
        producer.produce(event.topic, envelope.value(), event.key, headers=dict(envelope.headers()))
    for first, second in zip(asked, known, strict=True):
        producer.produce(PREDICTIONS_LOG, first, MODEL)
        producer.produce(OUTCOMES_LOG, second, MODEL)
    producer.flush()


@pytest.mark.slow
async def test_killed_in_the_middle_it_says_the_same(
    clean_kafka: str, database: Callable[[str], Awaitable[str]], free_port: Callable[[], int], receiver: Receiver
) -> None:
    asked, known = year(DAYS, SHIFT)
    expected = await uninterrupted(asked, known)
    await asyncio.to_thread(create_topics, clean_kafka)
    port, dead = free_port(), free_port()
    urls = f"http://127.0.0.1:{dead}/dead,http://127.0.0.1:{receiver.port}/alerts"
    monitor = Monitor(clean_kafka, await database("monitor"), port, RONDO_WEBHOOK_URLS=urls)
    said = Said(clean_kafka)
    half = len(asked) * 6 // 10
    publish(clean_kafka, asked[:half], known[:half], control_plane())
    await monitor.start()
    try:
        await said.until(lambda: said.count(WindowClosed) >= 3)
        assert await monitor.end(signal.SIGKILL) == -signal.SIGKILL
        publish(clean_kafka, asked[half:], known[half:])
        await monitor.start()
        await said.until(lambda: len(said.values) >= len(expected) and len(receiver.alerts) >= 1)
        seen, log = await ask(port, f"/v1/models/{MODEL}/drift"), await ask(port, "/v1/deliveries")
        assert await monitor.end(signal.SIGTERM) == 0
    finally:
        if monitor.process and monitor.process.returncode is None:
            await monitor.end(signal.SIGKILL)
        said.consumer.close()
    assert expected == said.values
    drifts = [value for i, value in said.values.items() if said.topics[i] == DriftDetected.topic]
    drift = min(drifts, key=lambda told: told["window"]["end"])
    assert {told["since"] for told in drifts} == {drift["since"]}
    assert said.count(AlertRaised) == 1
    assert drift["since"] == (EPOCH + timedelta(days=SHIFT)).isoformat().replace("+00:00", "Z")
    assert {f["feature"] for f in drift["features"]} >= {"x"}
    raised = [value for i, value in said.values.items() if said.topics[i] == AlertRaised.topic]
    assert raised == [{name: alert[name] for name in raised[0]} for alert in receiver.alerts]
    assert {(d["state"], d["attempts"] > 0) for d in log["deliveries"]} >= {("delivered", True), ("pending", True)}
    assert seen["alarms"]["drift"]["alert_id"] == drift["finding_id"]
    assert seen["waiting"]["outcomes"] == 0

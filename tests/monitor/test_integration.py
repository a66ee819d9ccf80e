"""The monitor as a process on real Kafka and PostgreSQL, killed in the middle."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.logs import OUTCOMES_LOG, PREDICTIONS_LOG
from rondo.contracts.events.monitoring import (
    AlertRaised,
    AlertResolved,
    DataQualityDegraded,
    DriftDetected,
    PerformanceDegraded,
    PerformanceSuspected,
    WindowClosed,
)
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.monitor.pipeline import MonitorPipeline
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.settings import MonitorTimings

from tests.monitor.builders import DIGEST, EPOCH, MODEL, PROFILE, SPEC, log_of_days
from tests.monitor.events import control_plane
from tests.monitor.fakes import FakeClock, MemoryStore, messages
from tests.support.access import bearer, publish_tokens
from tests.support.evidence import put_evidence
from tests.support.processes import ServiceProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from rondo.contracts.events.base import Event

DAYS, SHIFT = 10, 5
EVENTS = (
    WindowClosed, DriftDetected, PerformanceDegraded, PerformanceSuspected, DataQualityDegraded, AlertRaised,
    AlertResolved,
)  # fmt: skip


Logs = tuple[list[bytes], list[bytes]]


async def uninterrupted(logs: Mapping[str, Logs]) -> dict[str, dict[str, Any]]:
    """Return the events of a pipeline in memory that reads the logs of all models in one call."""
    store, clock = MemoryStore(), FakeClock()
    await store.save_profile(DIGEST, PROFILE)
    for model in logs:
        await store.save_spec(model, 1, SPEC.model_copy(update={"model": model}))
        await store.save_champion(model, ChampionRevision(1, 1, DIGEST))
    pipeline = MonitorPipeline(store, store, clock, MonitorTimings())
    await pipeline.load()
    await pipeline.advance([each for model, of_model in logs.items() for each in messages(*of_model, model=model)])
    return {each.event_id: each.event.model_dump(mode="json") for each in store.published}


@dataclass
class Receiver:
    """A webhook that records alerts by their id."""

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. There is none if a monitor that is killed closes the connection before it."""
        with closing(writer), suppress(asyncio.IncompleteReadError):
            await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        message = json.loads(await reader.readexactly(length))
        self.sent |= {alert["alert_id"]: alert for alert in message["alerts"]}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    async with await asyncio.start_server(kept.serve, "127.0.0.1", 0) as listening:
        kept.port = listening.sockets[0].getsockname()[1]
        yield kept


async def ask(port: int, path: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}", headers=bearer())
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


class PublishedEvents:
    """The events on the monitor's topics: values and topics by CloudEvents id. `repeated` counts repeated events."""

    def __init__(self, kafka: str) -> None:
        self.repeated = 0
        self.values: dict[str, dict[str, Any]] = {}
        self.topics: dict[str, str] = {}
        self.consumer = Consumer(
            {
                **KafkaConnection(kafka).confluent(),
                "group.id": "published-events",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        self.consumer.subscribe([event.topic for event in EVENTS])

    async def until(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not enough():
                self.take(await asyncio.to_thread(self.consumer.consume, 100, 0.2))

    def take(self, received: list[Any]) -> None:
        for message in received:
            assert message.error() is None
            event_id = dict(message.headers())["ce_id"].decode()
            value = json.loads(message.value())
            # The outbox publishes at least once. A repetition is identical.
            self.repeated += event_id in self.values
            assert self.values.setdefault(event_id, value) == value
            self.topics[event_id] = message.topic()

    def count(self, event: type[Event]) -> int:
        return sum(topic == event.topic for topic in self.topics.values())


def publish(kafka: str, logs: Mapping[str, Logs], control_events: Sequence[Event] = ()) -> None:
    """Write messages of each model's logs, and events of the control plane."""
    producer = Producer({**KafkaConnection(kafka).confluent(), "partitioner": "murmur2_random"})
    for n, event in enumerate(control_events):
        envelope = Envelope(f"e{n}", "test", datetime.now(UTC), event)
        producer.produce(event.topic, envelope.value(), event.key, headers=dict(envelope.headers()))
    for model, (predicted, known) in logs.items():
        for topic, values in ((PREDICTIONS_LOG, predicted), (OUTCOMES_LOG, known)):
            for value in values:
                producer.produce(topic, value, model)
    producer.flush()


@pytest.mark.slow
async def test_a_kill_changes_no_published_event(
    clean_kafka: str,
    database: Callable[[str], Awaitable[str]],
    free_port: Callable[[], int],
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    """The inputs shift, and the predictions become worse. Evidence of both is taken before and after the kill."""
    predicted, known = log_of_days(DAYS, SHIFT, skill=0.2)
    expected = await uninterrupted({MODEL: (predicted, known)})
    await asyncio.to_thread(publish_tokens, clean_kafka)
    port, dead = free_port(), free_port()
    urls = f"http://127.0.0.1:{dead}/dead,http://127.0.0.1:{receiver.port}/alerts"
    events_of_control, artifacts = control_plane(), str(tmp_path / "artifacts")
    await put_evidence(Artifacts(artifacts))
    environment = {
        "RONDO_KAFKA": clean_kafka, "RONDO_POSTGRES": await database("monitor"), "RONDO_HTTP_PORT": str(port),
        "RONDO_ARTIFACTS": artifacts, "RONDO_WEBHOOK_URLS": urls,
        "RONDO_ALERT_GROUP_WAIT": "0",
    }  # fmt: skip
    monitor = ServiceProcess("monitor", environment, tmp_path / "monitor.log")
    events = PublishedEvents(clean_kafka)
    half = len(predicted) * 6 // 10
    publish(clean_kafka, {MODEL: (predicted[:half], known[:half])}, events_of_control)
    monitor.start()
    try:
        await events.until(lambda: events.count(WindowClosed) >= 3)
        monitor.kill()
        publish(clean_kafka, {MODEL: (predicted[half:], known[half:])})
        monitor.start()
        await events.until(lambda: len(events.values) >= len(expected) and len(receiver.sent) >= 2)
        (summary,) = (await ask(port, "/v1/models"))["models"]
        assert summary["model"] == MODEL
        status, log = await ask(port, f"/v1/models/{MODEL}/drift"), await ask(port, "/v1/deliveries")
        kept = (await ask(port, f"/v1/models/{MODEL}/windows?limit=200"))["windows"]
        assert await asyncio.to_thread(monitor.stop) == 0
    finally:
        monitor.kill()
        events.consumer.close()
    assert expected == events.values
    closed = [value for i, value in events.values.items() if events.topics[i] == WindowClosed.topic]
    assert _figures(kept) == _figures([each | each["window"] for each in closed])
    assert len(kept) == DAYS - 1
    drifts = [value for i, value in events.values.items() if events.topics[i] == DriftDetected.topic]
    drift = min(drifts, key=lambda each: each["window"]["end"])
    assert drift["since_earliest"] <= drift["since"] <= drift["since_latest"]
    assert abs(datetime.fromisoformat(drift["since"]) - (EPOCH + timedelta(days=SHIFT))) <= timedelta(hours=6)
    assert {s["feature"] for s in drift["statistics"]} >= {"x"}
    assert events.count(PerformanceSuspected) >= 1
    assert events.count(AlertRaised) == 2
    raised = [value for i, value in events.values.items() if events.topics[i] == AlertRaised.topic]
    common = ("alert_id", "kind", "severity", "title", "detail", "raised_at")
    raised = [{name: alert[name] for name in common} for alert in raised]
    received = [{name: alert[name] for name in common} for alert in receiver.sent.values()]
    assert sorted(received, key=lambda each: each["alert_id"]) == sorted(raised, key=lambda each: each["alert_id"])
    assert {(d["state"], d["attempts"] > 0) for d in log["deliveries"]} >= {("delivered", True), ("pending", True)}
    assert status["alerts"]["drift"] == drift["finding_id"]
    assert status["alerts"].keys() == {"drift", "performance"}
    assert status["unmatched"]["outcomes"] == 0


def _figures(windows: list[dict[str, Any]]) -> list[list[Any]]:
    """Return the common part of a stored closed window and its event, by the start of the window."""
    names = ("start", "end", "rows", "labelled_rows", "model_version", "no_verdict", "statistics")
    return sorted([each[name] for name in names] for each in windows)

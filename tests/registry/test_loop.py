"""The story of the registry, told by its real process on real Kafka and PostgreSQL: spec, candidate, promotion."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rondo.contracts import cloudevents
from rondo.contracts.cloudevents import Envelope
from rondo.contracts.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.models import ModelPromoted, ModelRolledBack, SpecApplied

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.event import Event
    from rondo.registry.settings import Settings

DEADLINE = 30.0


async def ready(url: str) -> None:
    async with asyncio.timeout(DEADLINE), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def next_of(consumer: AIOKafkaConsumer, event: type[Event]) -> Any:
    async with asyncio.timeout(DEADLINE):
        async for message in consumer:
            if message.topic == event.topic:
                headers = {name: value.decode() for name, value in message.headers}
                return cloudevents.read(event, headers, message.value)
    return None


async def publish(producer: AIOKafkaProducer, event: Event, event_id: str) -> None:
    envelope = Envelope(event_id, "test", datetime.now(UTC), event)
    headers = [(name, value.encode()) for name, value in envelope.headers().items()]
    await producer.send_and_wait(event.topic, envelope.value(), event.key.encode(), headers=headers)


async def test_a_candidate_becomes_the_champion_and_a_refusal_brings_the_old_one_back(
    clean_kafka: str,
    registry_settings: Settings,
    run_registry: Callable[..., Any],
    spec_text: str,
    trained: Callable[..., Any],
) -> None:
    settings = registry_settings.model_copy(update={"kafka": clean_kafka})
    async with run_registry(settings) as running:
        await ready(running.url)
        headers = {"authorization": f"Bearer {settings.api_token.get_secret_value()}"}
        topics = [e.topic for e in (SpecApplied, ModelPromoted, ModelRolledBack, DeploymentChanged)]
        consumer = AIOKafkaConsumer(*topics, bootstrap_servers=clean_kafka, auto_offset_reset="earliest")
        producer = AIOKafkaProducer(bootstrap_servers=clean_kafka)
        async with consumer, producer, httpx.AsyncClient(base_url=running.url, headers=headers) as http:
            answer = await http.put("/v1/specs", content=spec_text)
            assert answer.status_code == 200, answer.text
            assert answer.json()["revision"] == 1
            assert (await next_of(consumer, SpecApplied)).data.revision == 1

            await publish(producer, trained("run-1", auc=0.7), "t1")
            promoted = await next_of(consumer, ModelPromoted)
            assert promoted.data.model_version == 1
            assert promoted.data.trigger.id == "finding-run-1"
            changed = await next_of(consumer, DeploymentChanged)
            assert changed.data.revision == 1
            assert list(changed.data.routes[0].features) == ["carrier", "distance"]

            await publish(producer, trained("run-2", auc=0.75, champion=(1, 0.7)), "t2")
            second = (await next_of(consumer, DeploymentChanged)).data
            assert [(r.model_version, r.share) for r in second.routes] == [(2, 1.0)]

            for replica in ("a", "b"):
                refusal = ReplicaChanged(
                    model="late", replica=replica, model_version=2, digest=second.routes[0].digest, revision=2,
                    state="refused", detail="the warm-up failed", at=datetime.now(UTC),
                )  # fmt: skip
                await publish(producer, refusal, f"refused-{replica}")
            third = (await next_of(consumer, DeploymentChanged)).data
            assert (third.revision, third.routes[0].model_version) == (3, 1)
            model = (await http.get("/v1/models/late")).json()
            assert (model["revision"], model["champion"]) == (3, 1)
            audit = (await http.get("/v1/models/late/audit")).json()
            assert audit["verified"], audit["message"]
    assert running.process.returncode == 0
    ours = [line for line in running.lines() if line["logger"].startswith("rondo.")]
    assert [line["message"] for line in ours if line["level"] in {"ERROR", "CRITICAL"}] == []

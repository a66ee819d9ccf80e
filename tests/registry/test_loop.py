"""A spec, a candidate, a promotion and a rollback, in the real process on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.events import cloudevents
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged
from rondo.contracts.events.models import ModelPromoted, SpecApplied
from rondo.contracts.kafka_connection import KafkaConnection

from tests.support.access import bearer
from tests.support.evidence import put_evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.events.base import Event
    from rondo.registry.settings import Settings

DEADLINE = 60.0


async def ready(url: str) -> None:
    async with asyncio.timeout(DEADLINE), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


class Listener:
    """Reads several topics. They have no order between them, so other events than the requested one are buffered."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._kept: dict[str, deque[Any]] = defaultdict(deque)

    async def next_of(self, event: type[Event]) -> Any:
        async with asyncio.timeout(DEADLINE):
            while not self._kept[event.topic]:
                message = await self._consumer.getone()
                self._kept[message.topic].append(message)
        message = self._kept[event.topic].popleft()
        return cloudevents.read(event, {name: value.decode() for name, value in message.headers}, message.value)


async def publish(producer: AIOKafkaProducer, event: Event, event_id: str) -> None:
    envelope = Envelope(event_id, "test", datetime.now(UTC), event)
    headers = [(name, value.encode()) for name, value in envelope.headers().items()]
    await producer.send_and_wait(event.topic, envelope.value(), event.key.encode(), headers=headers)


async def test_a_candidate_becomes_the_champion_and_a_refusal_rolls_it_back(
    clean_kafka: str,
    registry_settings: Settings,
    run_registry: Callable[..., Any],
    spec_text: str,
    trained: Callable[..., Any],
) -> None:
    settings = registry_settings.model_copy(update={"kafka": clean_kafka})
    async with run_registry(settings) as running:
        await ready(running.url)
        headers = bearer()
        topics = [e.topic for e in (SpecApplied, ModelPromoted, DeploymentChanged)]
        consumer = AIOKafkaConsumer(*topics, **KafkaConnection(clean_kafka).aiokafka(), auto_offset_reset="earliest")
        producer = AIOKafkaProducer(**KafkaConnection(clean_kafka).aiokafka())
        async with consumer, producer, httpx.AsyncClient(base_url=running.url, headers=headers) as http:
            listener = Listener(consumer)
            answer = await http.put("/v1/specs", content=spec_text)
            assert answer.status_code == 200, answer.text
            assert answer.json()["revision"] == 1
            assert (await listener.next_of(SpecApplied)).data.revision == 1

            candidates = [trained("run-1", auc=0.7), trained("run-2", auc=0.75, champion=(1, 0.7))]
            await put_evidence(Artifacts(settings.artifacts))
            await publish(producer, candidates[0], "t1")
            promoted = await listener.next_of(ModelPromoted)
            assert promoted.data.model_version == 1
            assert promoted.data.trigger.id == "finding-run-1"
            changed = await listener.next_of(DeploymentChanged)
            assert changed.data.revision == 1
            assert list(changed.data.routes[0].features) == ["carrier", "distance"]

            await publish(producer, candidates[1], "t2")
            second = (await listener.next_of(DeploymentChanged)).data
            assert [(r.model_version, r.share) for r in second.routes] == [(2, 1.0)]

            for state, deployed in (("available", changed.data), ("refused", second)):
                for replica in ("a", "b"):
                    route = deployed.routes[0]
                    word = ReplicaChanged(
                        model="late", replica=replica, model_version=route.model_version, digest=route.digest,
                        revision=deployed.revision, state=state, detail="the warm-up failed", at=datetime.now(UTC),
                    )  # fmt: skip
                    await publish(producer, word, f"{state}-{replica}")
            third = (await listener.next_of(DeploymentChanged)).data
            assert (third.revision, third.routes[0].model_version) == (3, 1)
            replica_reports = (await http.get("/v1/models/late/replicas")).json()["replicas"]
            assert [(w["replica"], w["model_version"], w["state"]) for w in replica_reports] == [
                ("a", 1, "available"), ("a", 2, "refused"), ("b", 1, "available"), ("b", 2, "refused"),
            ]  # fmt: skip
            model = (await http.get("/v1/models/late")).json()
            assert (model["revision"], model["champion"]) == (3, 1)
            audit = (await http.get("/v1/models/late/audit")).json()
            assert audit["verified"], audit["message"]
            last = audit["entries"][-1]
            assert last["action"] == "rolled_back"
            assert re.search("a, b .*version 2: the warm-up failed", last["evidence"]["reason"])
    assert running.exit_code == 0
    ours = [line for line in running.lines() if line["logger"].startswith("rondo.")]
    assert [line["message"] for line in ours if line["level"] in {"ERROR", "CRITICAL"}] == []

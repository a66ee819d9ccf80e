"""Small ONNX models like the trainer's, versions of them, and a real serving process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Consumer, Producer, TopicPartition
from rondo.chassis.artifacts import Artifacts, digest_of
from rondo.contracts.events.cloudevents import Envelope, read
from rondo.contracts.events.deployment import DeploymentChanged, ReplicaChanged, Route
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

from tests.serving.builders import BINARY, FEATURES, Rollout, beside, build_model, in_rollout, version_of
from tests.support.access import publish_tokens
from tests.support.processes import ServiceProcess
from tests.support.spans import exporter as ended_spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.serving_table import ServedModels


def make_version(
    number: int = 1, factor: float = 1.0, model: str = "delay", fitted: FittedTask = BINARY
) -> LoadedVersion:
    return version_of(model, number, build_model(factor, fitted=fitted), FEATURES)


def make_serving(*versions: LoadedVersion, revision: int = 1, shares: tuple[float, ...] = (1.0,)) -> ServedModel:
    return ServedModel(versions[0].model, revision, versions, shares)


class ReplicaEnvironment:
    """The environment of a serving replica: topics, artifacts, events of the registry, and applications."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.artifacts = Artifacts(str(folder / "artifacts"))
        self._producer = Producer({**KafkaConnection(bootstrap).confluent(), "message.max.bytes": 32 << 20})
        self._revision = 0

    def deploy(
        self,
        number: int,
        content: bytes,
        *,
        store: bool = True,
        model: str = "delay",
        traceparent: str | None = None,
        log: str = "acknowledged",
        deduplicate: timedelta | None = None,
    ) -> str:
        self._revision += 1
        digest = digest_of(content)
        if store:
            asyncio.run(self.artifacts.put(content))
        route = Route(
            model_version=number, digest=digest, share=1, role="primary", features=FEATURES, log=log,
            deduplicate=deduplicate,
        )  # fmt: skip
        event = DeploymentChanged(model=model, revision=self._revision, routes=(route,))
        envelope = Envelope(str(uuid4()), "rondo/registry", datetime.now(UTC), event, traceparent)
        self.send(event.topic, envelope.value(), model, headers=list(envelope.headers().items()))
        return digest

    def send(self, topic: str, value: bytes | None, key: str, **more: Any) -> None:
        failed: list[Any] = []
        self._producer.produce(topic, value, key, on_delivery=lambda error, _: failed.append(error), **more)
        self._producer.flush(10)
        if failed and failed[0] is not None:
            raise RuntimeError(failed[0].str())

    def request(self, number: int, *, flush: bool = True, model: str = "delay", key: str | None = None) -> None:
        value = b'{"id":"r%d","model":"%b","features":{"distance":%d,"night":false}}' % (number, model.encode(), number)
        self._producer.produce("predictions.requested", value, f"k{number}" if key is None else key)
        if flush:
            self._producer.flush(10)
        else:
            self._producer.poll(0)

    def send_unreadable_header(self, value: bytes) -> None:
        """Send a request with a header whose name is not UTF-8, which clients in other languages can do."""

        async def send() -> None:
            async with AIOKafkaProducer(**KafkaConnection(self.bootstrap).aiokafka()) as producer:
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None, headers=[("name", b"v")])
                batch.close()
                # Python clients can't write such a header, so the encoded bytes are changed, and their checksum
                # (KIP-98), too.
                broken = bytearray(bytes(batch._build()).replace(b"\x08name", b"\x08\xff\xfe\xff\xfe"))
                broken[17:21] = calc_crc32c(broken[21:]).to_bytes(4, "big")
                batch._buffer = broken
                await (await producer.send_batch(batch, "predictions.requested", partition=0))

        asyncio.run(send())

    def flush(self) -> None:
        self._producer.flush(30)

    def read(self, topic: str, until: Callable[[list[Any]], bool], seconds: float = 60, quiet: float = 0) -> list[Any]:
        """Read committed messages from the beginning until `until` holds, and then for `quiet` more seconds."""
        consumer = Consumer(
            {**KafkaConnection(self.bootstrap).confluent(), "group.id": "reader", "isolation.level": "read_committed"}
        )
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        found: list[Any] = []
        deadline = datetime.now(UTC).timestamp() + seconds
        while not until(found):
            assert datetime.now(UTC).timestamp() < deadline, f"only {len(found)} messages of {topic} came"
            found += [m for m in consumer.consume(1000, 0.1) if m.error() is None]
        if quiet:
            found += [m for m in consumer.consume(100_000, quiet) if m.error() is None]
        consumer.close()
        return found

    def wait_replica(self, state: str, number: int, times: int = 1) -> ReplicaChanged:
        def states(messages: list[Any]) -> list[ReplicaChanged]:
            events = [read(ReplicaChanged, {k: v.decode() for k, v in m.headers()}, m.value()).data for m in messages]
            return [e for e in events if (e.state, e.model_version) == (state, number)]

        return states(self.read(ReplicaChanged.topic, lambda found: len(states(found)) >= times))[-1]

    def serving(self, replica: str = "0", **environment: str) -> ServiceProcess:
        """Return a replica, to be used with `with`."""
        mine = {
            "RONDO_KAFKA": self.bootstrap,
            "RONDO_HTTP_PORT": "0",
            "RONDO_ARTIFACTS": str(self.folder / "artifacts"),
            "RONDO_REPLICA": replica,
        }
        return ServiceProcess("serving", mine | environment, self.folder / f"serving-{replica}.log")

    def log_lines(self, replica: str = "0") -> str:
        return (self.folder / f"serving-{replica}.log").read_text()


@pytest.fixture
def platform(clean_kafka: str, tmp_path: Path) -> ReplicaEnvironment:
    """Return a platform without anything on it yet."""
    publish_tokens(clean_kafka)
    return ReplicaEnvironment(clean_kafka, tmp_path)


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """Return the exporter of all spans of the session, because opentelemetry allows one provider per process."""
    return ended_spans()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """Return the exporter of the spans of this test."""
    exporter.clear()
    return exporter


@pytest.fixture(scope="session")
def version() -> Callable[..., LoadedVersion]:
    return make_version


@pytest.fixture(scope="session")
def serve() -> Callable[..., ServedModel]:
    return make_serving


@pytest.fixture(scope="session")
def model() -> Callable[..., bytes]:
    return build_model


@pytest.fixture(params=[(0.4, RouteRole.CANARY), (0.0, RouteRole.SHADOW)], ids=["canary", "shadow"])
def rollout(request: pytest.FixtureRequest, models: ServedModels, version: Callable[..., LoadedVersion]) -> Rollout:
    share, role = request.param
    found = in_rollout(models, beside(version, share, role=role))
    assert (2 in found.versions.values()) == (share > 0)
    return found

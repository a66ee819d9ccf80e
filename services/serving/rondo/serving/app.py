"""Puts the serving service together: the only place where its parts are constructed and connections opened."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events import broker as kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.chassis.http import server
from rondo.chassis.http.health import Health
from rondo.chassis.service import background
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.deployments.pending import Arrivals
from rondo.serving.deployments.reconciler import Reconciler
from rondo.serving.handlers import Replica
from rondo.serving.http.bentoml import LateApp
from rondo.serving.http.endpoints import api
from rondo.serving.inference.log_writer import LogQueue
from rondo.serving.inference.service import Inference
from rondo.serving.kafka import KafkaAnnouncer, KafkaLog, partition_count
from rondo.serving.models.loader import ArtifactLoader
from rondo.serving.models.table import Versions
from rondo.serving.stream.partitions import Partitions
from rondo.serving.stream.transform import PredictionStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faststream.kafka import KafkaBroker

    from rondo.serving.settings import Settings


@dataclass(frozen=True)
class _Held:
    """What the parts of the service share."""

    health: Health = field(default_factory=Health)
    versions: Versions = field(default_factory=Versions)
    arrivals: Arrivals = field(default_factory=Arrivals)
    late: LateApp = field(default_factory=LateApp)


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[None]:
    """Serve until the body ends. Requests are read once every deployment known at the start is served or refused."""
    held = _Held()
    kafka.expect(held.health, settings)
    token = settings.api_token.get_secret_value()
    async with (
        server.listen(settings, server.guarded(held.health, token, held.late), held.health),
        background(held.health.watch()),
        _following(settings, held) as broker,
        _answering(settings, held, broker),
        held.health.serving(),
    ):
        yield


@asynccontextmanager
async def _following(settings: Settings, held: _Held) -> AsyncIterator[KafkaBroker]:
    """Follow the deployments. Yields the broker once those known at the start are served or refused."""
    await kafka.wait_for_kafka(settings.kafka)
    async with kafka.broker(settings) as broker:
        kafka.watch(held.health, settings, broker)
        loader = ArtifactLoader(Artifacts(settings.artifacts), settings.inference_threads)
        replica = Replica(held.versions, loader, KafkaAnnouncer(broker, settings))
        reconciler = Reconciler(replica, held.arrivals)
        deployments = CompactedTopic(settings.kafka, DeploymentChanged, reconciler.take)
        held.health.add("deployments", deployments.check)
        held.health.add("versions", reconciler.check)
        async with background(deployments.run(), reconciler.run(deployments.caught_up)):
            await deployments.caught_up.wait()
            await reconciler.settled()
            yield broker


@asynccontextmanager
async def _answering(settings: Settings, held: _Held, broker: KafkaBroker) -> AsyncIterator[None]:
    """Answer over Kafka and over HTTP."""
    partitions = Partitions(partial(partition_count, settings.kafka))
    transform = PredictionStream(held.versions, held.arrivals, partitions, settings.service)
    stream, log = ExactlyOnceStream(stream_settings(settings), transform), LogQueue(KafkaLog(broker).publish)
    inference = Inference(log, lambda: datetime.now(UTC))
    routes = api(held.versions, inference, held.health.report)
    held.health.add("stream", stream.check)
    held.health.at_stop(held.arrivals.stop)
    held.health.add("http", held.late.check)
    async with background(stream.run(), log.run(), held.late.build(routes, stream.turning)):
        yield


def stream_settings(settings: Settings) -> StreamSettings:
    """Return how the prediction stream runs."""
    return StreamSettings(
        settings.kafka, settings.service, settings.instance, (PredictionRequested.topic,), PREDICTIONS_FAILED,
        max_records=settings.max_batch, linger=settings.linger,
    )  # fmt: skip

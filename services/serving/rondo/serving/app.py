"""Puts the serving service together: the only place where its parts are constructed and connections opened."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis import http, kafka
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.compacted import CompactedTopic
from rondo.chassis.health import Health
from rondo.chassis.service import background
from rondo.chassis.stream import ExactlyOnceStream
from rondo.chassis.stream_settings import StreamSettings
from rondo.contracts.deployment import DeploymentChanged
from rondo.contracts.predictions import PredictionRequested
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.serving.artifacts import ArtifactLoader
from rondo.serving.handlers import Replica
from rondo.serving.http import LateApp, api
from rondo.serving.inference import Inference
from rondo.serving.kafka import KafkaAnnouncer, KafkaLog
from rondo.serving.reconcile import Reconciler
from rondo.serving.stream import PredictionStream
from rondo.serving.versions import Versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.serving.settings import Settings


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[None]:
    """Serve until the body ends. Requests are read once every deployment known at the start is served or refused."""
    health, versions = Health(), Versions()
    late = LateApp()
    kafka.expect(health, settings)
    async with (
        http.listen(settings, http.guarded(health, settings.api_token.get_secret_value(), late)),
        background(health.watch()),
    ):
        await kafka.wait_for_kafka(settings.kafka)
        async with kafka.broker(settings) as broker:
            kafka.watch(health, settings, broker)
            loader = ArtifactLoader(Artifacts(settings.artifacts), settings.inference_threads)
            reconciler = Reconciler(Replica(versions, loader, KafkaAnnouncer(broker, settings)))
            deployments = CompactedTopic(settings.kafka, DeploymentChanged, reconciler.take)
            health.add("deployments", deployments.check)
            health.add("versions", reconciler.check)
            async with background(deployments.run(), reconciler.run(deployments.caught_up)):
                await deployments.caught_up.wait()
                await reconciler.settled()
                stream = ExactlyOnceStream(
                    stream_settings(settings), PredictionStream(versions, settings.service, reconciler.wait_settled)
                )
                health.add("stream", stream.check)
                inference = Inference(KafkaLog(broker).publish, lambda: datetime.now(UTC))
                health.add("http", late.check)
                async with background(
                    stream.run(), inference.run(), late.build(api(versions, inference, health.report), stream.turning)
                ):
                    health.started()
                    yield


def stream_settings(settings: Settings) -> StreamSettings:
    """Return how the prediction stream runs."""
    return StreamSettings(
        settings.kafka, settings.service, settings.instance, (PredictionRequested.topic,), PREDICTIONS_FAILED,
        max_records=settings.max_batch, linger=settings.linger,
    )  # fmt: skip

"""The composition root: constructs the parts of the serving service and opens its connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events import broker as kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.periodic import run_periodically
from rondo.chassis.service import background
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.predictions import PredictionRequested
from rondo.contracts.events.scores import MAX_MESSAGE_BYTES, SCORES_REQUESTED
from rondo.contracts.topics import PREDICTIONS_FAILED, dead_letters
from rondo.serving.bulk.direct import DirectAnswers
from rondo.serving.bulk.transform import BulkStream
from rondo.serving.bulk.versions import BulkVersions
from rondo.serving.deployments.loader import ArtifactLoader
from rondo.serving.deployments.pending import PendingDeployments
from rondo.serving.deployments.reconciler import Reconciler
from rondo.serving.deployments.replica_events_kafka import KafkaReplicaEvents
from rondo.serving.explanations.trees.tree_cache_onnx import TreeModels
from rondo.serving.grpc import server as grpc_server
from rondo.serving.grpc.api import GrpcApi
from rondo.serving.handlers import Replica, on_deployment_changed
from rondo.serving.http.direct_inferences import DirectInferences
from rondo.serving.http.endpoints import DeferredApp, api
from rondo.serving.http.error_field import AddErrorField
from rondo.serving.inference.idle_costs import IdleCosts
from rondo.serving.inference.pace import Paces
from rondo.serving.inference.service import InferenceService
from rondo.serving.models.serving_table import ServedModels
from rondo.serving.prediction_log.kafka import KafkaLog
from rondo.serving.stream.committed_answers_kafka import KafkaAnswers
from rondo.serving.stream.own_queues import OwnQueues
from rondo.serving.stream.partitions_kafka import Partitions, partition_count
from rondo.serving.stream.repeated_requests import RepeatedRequests
from rondo.serving.stream.requests_kafka import KafkaRequests
from rondo.serving.stream.transform import PredictionStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from rondo.chassis.security.token_cache import TokenCache
    from rondo.serving.grpc.api import Method
    from rondo.serving.settings import Settings


@dataclass(frozen=True)
class _Shared:
    """Objects that the parts of the service share."""

    health: Health = field(default_factory=Health)
    models: ServedModels = field(default_factory=ServedModels)
    pending: PendingDeployments = field(default_factory=PendingDeployments)
    http: DeferredApp = field(default_factory=DeferredApp)


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[None]:
    """Serve until the body ends. Requests are read after each deployment known at the start is served or refused."""
    shared = _Shared()
    kafka.expect(shared.health, settings)
    tokens = TokenFollower(settings.kafka, shared.health)
    guarded = server.guarded(shared.health, tokens.cache, shared.http, continued_spans_only=True)
    direct = DirectInferences(shared.models, tokens.cache)
    async with (
        server.listen(settings, AddErrorField(guarded), shared.health, direct),
        background(shared.health.watch(), tokens.run()),
        _following(settings, shared),
        _answering(settings, shared, direct, tokens.cache),
        shared.health.serving(),
    ):
        yield


@asynccontextmanager
async def _following(settings: Settings, shared: _Shared) -> AsyncIterator[None]:
    """Apply deployments. Yield after those known at the start are served or refused."""
    await kafka.wait_for_kafka(settings.kafka)
    async with kafka.broker(settings) as broker:
        kafka.watch(shared.health, settings, broker)
        loader = ArtifactLoader(Artifacts(settings.artifacts), settings.inference_threads)
        replica = Replica(shared.models, loader, KafkaReplicaEvents(broker, settings))
        reconciler = Reconciler(partial(on_deployment_changed, replica=replica), shared.pending)
        deployments = CompactedTopic(settings.kafka, DeploymentChanged, reconciler.add)
        shared.health.add("deployments", deployments.check)
        shared.health.add("versions", reconciler.check)
        async with background(deployments.run(), reconciler.run(deployments.caught_up)):
            await deployments.caught_up.wait()
            await reconciler.idle()
            yield


@asynccontextmanager
async def _answering(
    settings: Settings, shared: _Shared, direct: DirectInferences, tokens: TokenCache
) -> AsyncIterator[None]:
    """Answer requests over Kafka, HTTP and gRPC."""
    log = KafkaLog(settings.kafka, settings.instance)
    await log.connect()
    service = InferenceService(log.publish, lambda: datetime.now(UTC))
    partitions = Partitions(partial(partition_count, settings.kafka))
    answers = KafkaAnswers(settings.kafka, f"{settings.instance}-answers")
    repeats = RepeatedRequests(answers, settings.deduplicated_answers, service.now)
    queues = OwnQueues(
        lambda model: KafkaRequests(settings.kafka, f"{settings.instance}-{model}"),
        Paces(),
        settings.queue_after or None,
    )
    transform = PredictionStream(shared.models, shared.pending, service, partitions, repeats, queues, settings.service)
    stream = ExactlyOnceStream(
        stream_settings(settings), transform, moved=transform.forget, notes=queues, max_records=transform.max_records
    )
    bulk = _bulk_versions(settings)
    direct_bulk = DirectAnswers(bulk, lambda: datetime.now(UTC))
    shared.http.app = api(
        shared.models, service, shared.health.report, direct_bulk, TreeModels(Artifacts(settings.artifacts).get)
    )  # fmt: skip
    direct.service = service
    shared.health.add("stream", stream.check)
    shared.health.on_shutdown(shared.pending.stop)
    shared.health.on_shutdown(answers.stop)
    costs = run_periodically("the costs of idle versions", IdleCosts(shared.models, log.publish).tick)
    methods = GrpcApi(shared.models, service, shared.health.report).methods()
    async with (
        background(stream.run(), log.run(), costs, *_bulk_stream(settings, bulk)),
        _grpc(settings, shared.health, methods, tokens),
    ):
        yield
        await service.flush()
    await asyncio.to_thread(queues.close)
    await asyncio.to_thread(repeats.close)


def _bulk_versions(settings: Settings) -> BulkVersions | None:
    if not settings.bulk_threads:
        return None
    loader = ArtifactLoader(Artifacts(settings.artifacts), settings.bulk_threads, live=False)
    return BulkVersions(loader, asyncio.get_running_loop())


def _bulk_stream(settings: Settings, versions: BulkVersions | None) -> list[Coroutine[Any, Any, None]]:
    """Return the coroutines of the bulk stream. It has no check in `/readyz`, because live requests do not need it."""
    if versions is None:
        return []
    transform = BulkStream(versions, lambda: datetime.now(UTC))
    return [ExactlyOnceStream(bulk_settings(settings), transform, cancel=transform.cancel).run()]


@asynccontextmanager
async def _grpc(
    settings: Settings, health: Health, methods: Mapping[str, Method], tokens: TokenCache
) -> AsyncIterator[None]:
    if settings.grpc_port is None:
        yield
        return
    async with grpc_server.listen(settings.http_host, settings.grpc_port, methods, tokens, health):
        yield


def stream_settings(settings: Settings) -> StreamSettings:
    """Return the settings of the prediction stream."""
    return StreamSettings(
        settings.kafka, settings.service, settings.instance, (PredictionRequested.topic,), PREDICTIONS_FAILED,
        max_records=settings.max_batch, linger=settings.linger,
    )  # fmt: skip


def bulk_settings(settings: Settings) -> StreamSettings:
    """Return the settings of the bulk stream: one message at a time, and a small read-ahead.

    A message may have 65,536 rows, so even a row of a quarter of a second does not exceed the time of a turn. A replica
    that joins or leaves does not wait for it.
    """
    return StreamSettings(
        settings.kafka, f"{settings.service}-bulk", settings.instance, (SCORES_REQUESTED,), dead_letters("serving"),
        max_records=1, linger=0.0, turn_timeout=6 * 3600,
        consumer={"queued.max.messages.kbytes": 2 * MAX_MESSAGE_BYTES // 1024, "fetch.message.max.bytes": 1 << 20},
    )  # fmt: skip

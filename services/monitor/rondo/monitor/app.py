"""The composition root of the monitor: the only file that constructs objects and opens connections."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

import httpx

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events import broker as kafka
from rondo.chassis.events.consumer import Consumer
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.chassis.stream.follower import Follower
from rondo.contracts.topics import DATA_PARTITIONS
from rondo.monitor import handlers, http
from rondo.monitor.assignment.kafka_group import PartitionGroup
from rondo.monitor.assignment.model_answers import ModelAnswers
from rondo.monitor.assignment.postgres_replicas import PostgresReplicas
from rondo.monitor.assignment.replica import Replica
from rondo.monitor.assignment.saved_models import SavedModelAnswers
from rondo.monitor.history.postgres_windows import WindowLog
from rondo.monitor.notifications.http import Notifications
from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
from rondo.monitor.notifications.webhook import Webhook, signer
from rondo.monitor.notifications.webhook_delivery import Deliveries
from rondo.monitor.pipeline import TOPICS, MonitorPipeline
from rondo.monitor.state.postgres_control_plane import ControlPlaneChanges, handling
from rondo.monitor.state.postgres_state import PostgresModels, PostgresStore, saved_count
from rondo.monitor.stream.partition_numbers import count_of_numbers
from rondo.monitor.user_detectors.process_runtime import DetectorProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import FastAPI

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.settings import MonitorSettings
    from rondo.monitor.stream.partition_numbers import PartitionNumber


# One checkpoint of each partition at a time, three sessions that stay open (outbox, deliveries, changes), and seven for
# events, the HTTP API and `/readyz`. They are opened when they are needed.
MAX_CONNECTIONS = DATA_PARTITIONS + 3 + 7


@asynccontextmanager
async def application(settings: MonitorSettings) -> AsyncIterator[int]:
    """Run the monitor for the duration of the `async with` body. Yields the port of its HTTP API."""
    health, api = Health(), http.api()
    pool.expect(health)
    kafka.expect(health, settings)
    tokens = TokenFollower(settings.kafka, health)
    async with (
        server.listen(settings, server.guarded(health, tokens.cache, api), health) as port,
        background(health.watch(), tokens.run()),
        _pipeline(settings, health, api),
        health.serving(),
    ):
        yield port


@asynccontextmanager
async def _pipeline(settings: MonitorSettings, health: Health, api: FastAPI) -> AsyncIterator[None]:
    async with (
        pool.connect(settings, files("rondo.monitor") / "migrations", max_size=MAX_CONNECTIONS) as database,
        httpx.AsyncClient() as client,
    ):
        health.add("postgresql", database.ping)
        await kafka.wait_for_kafka(settings.kafka)
        changes, broker = ControlPlaneChanges(database), kafka.broker(settings)
        Consumer(
            settings, broker, handlers.event_handlers(Artifacts(settings.artifacts)), handling(database, changes)
        ).subscribe()
        detectors = DetectorProcess(settings.detectors, settings.detector_seconds)
        webhook = Webhook(client, partial(datetime.now, UTC), signer(settings.webhook_secret.get_secret_value()))
        replica = Replica(
            PartitionGroup(settings.kafka, settings.instance, TOPICS),
            partial(_count_numbers, database),
            partial(_part, settings, database, changes, detectors),
        )
        replicas = PostgresReplicas(database, settings.replica, replica)
        models = ModelAnswers(replica, SavedModelAnswers(PostgresModels(database), settings.power))
        alerts = PostgresAlerts(database, models.evident)
        deliveries = Deliveries(database, alerts, webhook, settings.receivers, settings.messages)
        await broker.start()
        kafka.watch(health, settings, broker)
        health.add("logs", replica.check)
        windows = WindowLog(database)
        opened = http.Opened(
            models.summaries, models.status, models.require, windows.page, windows.one,
            Notifications(alerts, deliveries, models.require), models.wanted_labels, replicas.list,
        )  # fmt: skip
        http.open_api(api, opened)
        relay = OutboxRelay(database, broker)
        try:
            async with background(changes.run(), replica.run(), replicas.run(), relay.run(), deliveries.run()):
                yield
        finally:
            detectors.close()
            await broker.stop()


async def _count_numbers(database: Database, partitions: Mapping[str, int]) -> int:
    """Return the number of partition numbers, see `count_of_numbers`. The first start fixes it."""
    first = count_of_numbers(partitions, None)
    return count_of_numbers(partitions, await saved_count(database, first))


@dataclass(frozen=True)
class _Part:
    """Implements `ports.Part`: a pipeline, and the follower that feeds it."""

    models: MonitorPipeline
    follower: Follower

    async def run(self) -> None:
        await self.follower.run()

    async def check(self) -> None:
        await self.follower.check()

    def close(self) -> None:
        self.models.close()


def _part(
    settings: MonitorSettings,
    database: Database,
    changes: ControlPlaneChanges,
    detectors: DetectorProcess,
    part: PartitionNumber,
) -> _Part:
    store, signal = PostgresStore(database, part), changes.signal()
    pipeline = MonitorPipeline(
        store, signal, time.monotonic, settings.timings, detectors, power=settings.power, part=part
    )
    name = f"{settings.instance}-partition-{part.number}"
    follower = Follower(
        settings.kafka, name, TOPICS, pipeline, caught_up=pipeline.caught_up, rank=part.rank,
    )  # fmt: skip
    return _Part(pipeline, follower)

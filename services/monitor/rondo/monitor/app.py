"""The composition root of the monitor: the only file that constructs things and opens connections."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
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
from rondo.monitor import handlers, http
from rondo.monitor.detectors.process_runtime import DetectorProcess
from rondo.monitor.history.postgres_windows import WindowLog
from rondo.monitor.notifications.http import Notifications
from rondo.monitor.notifications.postgres_alerts import PostgresAlerts
from rondo.monitor.notifications.webhook import Webhook, signer
from rondo.monitor.notifications.webhook_delivery import Deliveries
from rondo.monitor.pipeline import TOPICS, MonitorPipeline
from rondo.monitor.state.postgres_control_plane import CommitSignal, handling
from rondo.monitor.state.postgres_state import PostgresStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from rondo.monitor.settings import MonitorSettings


@asynccontextmanager
async def application(settings: MonitorSettings) -> AsyncIterator[int]:
    """Run the monitor while the body does. Yields the port of its HTTP API."""
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
        pool.connect(settings, files("rondo.monitor") / "migrations") as database,
        httpx.AsyncClient() as client,
    ):
        health.add("postgresql", database.ping)
        await kafka.wait_for_kafka(settings.kafka)
        signal, broker = CommitSignal(), kafka.broker(settings)
        Consumer(
            settings, broker, handlers.event_handlers(Artifacts(settings.artifacts)), handling(database, signal)
        ).subscribe()
        store = PostgresStore(database)
        detectors = DetectorProcess(settings.detectors, settings.detector_seconds)
        pipeline = MonitorPipeline(store, signal, time.monotonic, settings.timings, detectors, power=settings.power)
        webhook = Webhook(client, partial(datetime.now, UTC), signer(settings.webhook_secret.get_secret_value()))
        alerts = PostgresAlerts(database)
        deliveries = Deliveries(database, alerts, webhook, settings.receivers, settings.messages)
        follower = Follower(settings.kafka, settings.instance, TOPICS, pipeline, caught_up=pipeline.caught_up)
        await broker.start()
        kafka.watch(health, settings, broker)
        health.add("logs", follower.check)
        opened = http.Opened(
            pipeline.summaries, pipeline.status, pipeline.require, WindowLog(database).page,
            Notifications(alerts, deliveries, pipeline.require), pipeline.wanted_labels,
        )  # fmt: skip
        http.open_api(api, opened)
        try:
            async with background(follower.run(), OutboxRelay(database, broker).run(), deliveries.run()):
                yield
        finally:
            detectors.close()
            await broker.stop()

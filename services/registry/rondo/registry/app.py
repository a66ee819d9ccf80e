"""The composition root of the registry: the only file that constructs things and opens connections."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events import broker as kafka
from rondo.chassis.events.consumer import Consumer
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.registry import handlers
from rondo.registry.access import tokens
from rondo.registry.audit.verifier import AuditVerifier
from rondo.registry.http import app
from rondo.registry.http.dependencies import ApiContext, open_api
from rondo.registry.postgres.queries import PostgresQueries
from rondo.registry.postgres.unit_of_work import PostgresStore
from rondo.registry.rollout.controller import RolloutController
from rondo.registry.rollout.report_timeout import ReportTimeout
from rondo.registry.schedule.scheduler import CronScheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from rondo.chassis.security.token_cache import TokenCache
    from rondo.registry.settings import Settings


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[int]:
    """Run the registry until the body ends. Yields the port of its HTTP API."""
    health, api = Health(), app.api()
    pool.expect(health)
    kafka.expect(health, settings)
    follower = TokenFollower(settings.kafka, health)
    async with (
        server.listen(settings, server.guarded(health, follower.cache, api), health) as port,
        background(health.watch(), follower.run()),
        _consuming(settings, health, api, follower.cache),
        health.serving(),
    ):
        yield port


@asynccontextmanager
async def _consuming(settings: Settings, health: Health, api: FastAPI, cache: TokenCache) -> AsyncIterator[None]:
    async with pool.connect(settings, files("rondo.registry") / "migrations") as database:
        health.add("postgresql", database.ping)
        store, queries = PostgresStore(database), PostgresQueries(database)
        async with store.work() as work:
            await tokens.seed(work, settings.token_seeds)
        artifacts = Artifacts(settings.artifacts)
        verifier = AuditVerifier(queries)
        open_api(api, ApiContext(store, queries, artifacts, verifier, settings.max_model_bytes))
        await kafka.wait_for_kafka(settings.kafka)
        broker = kafka.broker(settings)
        Consumer(settings, broker, handlers.event_handlers(artifacts), store.handling).subscribe()
        await broker.start()
        kafka.watch(health, settings, broker)
        try:
            async with background(
                OutboxRelay(database, broker).run(),
                CronScheduler(store, queries).run(),
                ReportTimeout(store, queries).run(),
                RolloutController(store, queries, artifacts).run(),
                verifier.run(),
            ):
                await cache.wait_for(each.id for each in settings.token_seeds)
                yield
        finally:
            await broker.stop()

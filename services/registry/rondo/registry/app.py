"""The composition root of the registry: the only file that constructs things and opens connections."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis import http as server
from rondo.chassis import kafka, postgres
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.consume import Consumer
from rondo.chassis.health import Health
from rondo.chassis.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.registry import handlers, http
from rondo.registry.http_access import Registry, open_api
from rondo.registry.patience import Patience
from rondo.registry.postgres import PostgresStore
from rondo.registry.postgres_archive import PostgresArchive
from rondo.registry.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from rondo.registry.settings import Settings


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[int]:
    """Run the registry while the body does. Yields the port of its HTTP API."""
    health, api = Health(), http.api()
    postgres.expect(health)
    kafka.expect(health, settings)
    token = settings.api_token.get_secret_value()
    async with (
        server.listen(settings, server.guarded(health, token, api), health) as port,
        background(health.watch()),
        _consuming(settings, health, api),
        health.serving(),
    ):
        yield port


@asynccontextmanager
async def _consuming(settings: Settings, health: Health, api: FastAPI) -> AsyncIterator[None]:
    async with postgres.connect(settings, files("rondo.registry") / "migrations") as database:
        health.add("postgresql", database.ping)
        store, archive = PostgresStore(database), PostgresArchive(database)
        artifacts = Artifacts(settings.artifacts)
        open_api(api, Registry(store, archive, artifacts))
        await kafka.wait_for_kafka(settings.kafka)
        broker = kafka.broker(settings)
        Consumer(settings, broker, handlers.routes(artifacts), store.handling).subscribe()
        await broker.start()
        kafka.watch(health, settings, broker)
        try:
            async with background(
                OutboxRelay(database, broker).run(), Timetable(store, archive).run(), Patience(store, archive).run()
            ):
                yield
        finally:
            await broker.stop()

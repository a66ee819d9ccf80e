"""The composition root of the trainer service. It never trains: its worker process does."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis import http, kafka, postgres
from rondo.chassis.consume import Consumer
from rondo.chassis.health import Health
from rondo.chassis.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.trainer import handlers
from rondo.trainer.postgres import handling
from rondo.trainer.postgres_runs import release
from rondo.trainer.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.trainer.settings import Settings

WORKER = (sys.executable, "-m", "rondo.trainer.worker")


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[None]:
    """Open the service; it consumes until the body ends."""
    health = Health()
    postgres.expect(health)
    kafka.expect(health, settings)
    async with (
        http.listen(settings, http.guarded(health, settings.api_token.get_secret_value()), health),
        background(health.watch()),
        postgres.connect(settings, files("rondo.trainer") / "migrations") as database,
    ):
        supervisor = Supervisor(WORKER, partial(release, database))
        health.add("postgresql", database.ping)
        health.add("worker", supervisor.check)
        async with background(supervisor.run()):
            await kafka.wait_for_kafka(settings.kafka)
            broker = kafka.broker(settings)
            Consumer(settings, broker, handlers.routes(), handling(database)).subscribe()
            await broker.start()
            kafka.watch(health, settings, broker)
            try:
                async with background(OutboxRelay(database, broker).run()), health.serving():
                    yield
            finally:
                await broker.stop()

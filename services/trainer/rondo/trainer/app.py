"""The composition root of the trainer service. Training happens in its worker process alone."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.events import broker as kafka
from rondo.chassis.events.consumer import Consumer
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.http import server
from rondo.chassis.http.api import api
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.trainer import handlers
from rondo.trainer.triggers.postgres import handling
from rondo.trainer.worker import queue
from rondo.trainer.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.trainer.settings import Settings

WORKER = (sys.executable, "-m", "rondo.trainer.worker")


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[None]:
    """Run the service until the body ends."""
    health = Health()
    pool.expect(health)
    kafka.expect(health, settings)
    tokens = TokenFollower(settings.kafka, health)
    async with (
        server.listen(settings, server.guarded(health, tokens.cache, api("Rondo trainer", "Trains models.")), health),
        background(health.watch(), tokens.run()),
        pool.connect(settings, files("rondo.trainer") / "migrations") as database,
    ):
        supervisor = Supervisor(WORKER, partial(queue.release, database))
        health.add("postgresql", database.ping)
        health.add("worker", supervisor.check)
        async with background(supervisor.run()):
            await kafka.wait_for_kafka(settings.kafka)
            broker = kafka.broker(settings)
            Consumer(settings, broker, handlers.event_handlers(), handling(database)).subscribe()
            await broker.start()
            kafka.watch(health, settings, broker)
            try:
                async with background(OutboxRelay(database, broker).run()), health.serving():
                    yield
            finally:
                await broker.stop()

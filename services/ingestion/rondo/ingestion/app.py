"""The composition root of ingestion: the only file that constructs things and opens connections."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.chassis.http import server as chassis_http
from rondo.chassis.http.health import Health
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.follower import Follower
from rondo.contracts.events.models import SpecApplied
from rondo.ingestion import handlers
from rondo.ingestion.batches.publisher import Publishing
from rondo.ingestion.batches.service import Intake
from rondo.ingestion.batches.spool import Spool
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.landing import TOPICS, Landing
from rondo.ingestion.http import Desk, api
from rondo.ingestion.inbox.watcher import Inbox
from rondo.ingestion.kafka import BatchConsumer, OutcomeTransform, outcome_stream
from rondo.ingestion.postgres import PostgresBatches, PostgresJournal
from rondo.ingestion.spec_cache import Specs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rondo.chassis.postgres.pool import Database
    from rondo.ingestion.settings import IngestionSettings


@asynccontextmanager
async def application(settings: IngestionSettings) -> AsyncIterator[int]:
    """Hold ingestion open; yields its HTTP port."""
    health, app = Health(), api()
    pool.expect(health)
    chassis_kafka.expect(health, settings)
    token = settings.api_token.get_secret_value()
    spool = Spool(settings.spool, settings.max_batch_bytes)
    spool.clear()
    async with (
        chassis_http.listen(settings, chassis_http.guarded(health, token, app), health) as port,
        background(health.watch()),
        pool.connect(settings, files("rondo.ingestion") / "migrations") as database,
    ):
        health.add("postgresql", database.ping)
        await chassis_kafka.wait_for_kafka(settings.kafka)
        async with _specs(settings, health) as specs, _taking_in(settings, health, database, specs, spool) as desk:
            app.state.desk = desk
            async with health.serving():
                yield port


@asynccontextmanager
async def _specs(settings: IngestionSettings, health: Health) -> AsyncIterator[Specs]:
    """Hold the specs in force; yields once all that were applied are, for what comes without one is refused."""
    specs = Specs()
    applied = CompactedTopic(settings.kafka, SpecApplied, partial(handlers.on_spec_applied, specs=specs))
    health.add("specs", applied.check)
    async with background(applied.run()):
        await applied.caught_up.wait()
        yield specs


@asynccontextmanager
async def _taking_in(
    settings: IngestionSettings, health: Health, database: Database, specs: Specs, spool: Spool
) -> AsyncIterator[Desk]:
    """Take in batches, outcomes and logs while the body runs."""
    tables, batches = DeltaTables(settings.data), PostgresBatches(database)
    intake = Intake(specs, batches, Publishing(tables), settings.spec_patience_seconds)
    await intake.recover()
    stream = ExactlyOnceStream(outcome_stream(settings), OutcomeTransform(specs))
    landing = Landing(tables, PostgresJournal(database), settings.landing_seconds, settings.landing_rows)
    follower = Follower(settings.kafka, f"{settings.instance}-landing", TOPICS, landing)
    health.add("outcomes", stream.check)
    health.add("landing", follower.check)
    inbox = [Inbox(settings.inbox, settings, intake, spool).run()] if settings.inbox else []
    async with chassis_kafka.broker(settings) as broker:
        BatchConsumer(settings, broker, intake, spool).subscribe()
        await broker.start()
        chassis_kafka.watch(health, settings, broker)
        async with background(OutboxRelay(database, broker).run(), stream.run(), follower.run(), *inbox):
            yield Desk(intake, spool, batches, tables, specs)

"""The composition root of ingestion: the only file that constructs objects and opens connections."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from rondo.chassis.artifacts import Artifacts
from rondo.chassis.errors import UnavailableError
from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.events.compacted_topic import CompactedTopic
from rondo.chassis.events.consumer import Consumer
from rondo.chassis.events.token_topic import TokenFollower
from rondo.chassis.health import Health
from rondo.chassis.http import server as chassis_http
from rondo.chassis.periodic import run_periodically
from rondo.chassis.postgres import pool
from rondo.chassis.postgres.outbox import OutboxRelay
from rondo.chassis.service import background
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.follower import Follower
from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.events.scores import SCORES_REQUESTED
from rondo.ingestion import handlers
from rondo.ingestion.batches.kafka_consumer import BatchConsumer
from rondo.ingestion.batches.publisher import BatchPublisher
from rondo.ingestion.batches.service import BatchService
from rondo.ingestion.batches.spool import Spool
from rondo.ingestion.delta.location import Location
from rondo.ingestion.delta.tables import DeltaTables
from rondo.ingestion.feedback.landing import TOPICS, FeedbackLanding
from rondo.ingestion.http.context import ApiContext
from rondo.ingestion.http.routes import api
from rondo.ingestion.inbox.watcher import InboxWatcher
from rondo.ingestion.outcomes.stream import OutcomeTransform, outcome_stream
from rondo.ingestion.postgres import PostgresBatchStore, PostgresComparisonStore, PostgresLandingStore
from rondo.ingestion.scoring.answers import TOPICS as ANSWER_TOPICS
from rondo.ingestion.scoring.answers import Answers
from rondo.ingestion.scoring.coordinator import Coordinator
from rondo.ingestion.scoring.delta_scores import DeltaScores
from rondo.ingestion.scoring.delta_source import DeltaSource
from rondo.ingestion.scoring.postgres_jobs import PostgresScoringJobs
from rondo.ingestion.skew.comparer import Comparer
from rondo.ingestion.spec_cache import SpecCache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faststream.kafka import KafkaBroker

    from rondo.chassis.postgres.pool import Database
    from rondo.ingestion.settings import IngestionSettings


@asynccontextmanager
async def application(settings: IngestionSettings) -> AsyncIterator[int]:
    """Run ingestion until the body ends. Yields its HTTP port."""
    health, app = Health(), api()
    pool.expect(health)
    chassis_kafka.expect(health, settings)
    tokens = TokenFollower(settings.kafka, health)
    spool = Spool(settings.spool_folder, settings.max_batch_bytes)
    spool.clear()
    async with (
        chassis_http.listen(settings, chassis_http.guarded(health, tokens.cache, app), health) as port,
        background(health.watch(), tokens.run()),
        pool.connect(settings, files("rondo.ingestion") / "migrations") as database,
    ):
        health.add("postgresql", database.ping)
        await chassis_kafka.wait_for_kafka(settings.kafka)
        async with _specs(settings, health) as specs, _ingesting(settings, health, database, specs, spool) as context:
            app.state.context = context
            async with health.serving():
                yield port


@asynccontextmanager
async def _specs(settings: IngestionSettings, health: Health) -> AsyncIterator[SpecCache]:
    """Follow specs and removals. Yields once all of them are cached: a batch without a spec would be rejected."""
    specs = SpecCache()
    applied = CompactedTopic(settings.kafka, SpecApplied, partial(handlers.on_spec_applied, specs=specs))
    removed = CompactedTopic(settings.kafka, ModelRemoved, partial(handlers.on_model_removed, specs=specs))
    declared = CompactedTopic(settings.kafka, DatasetApplied, partial(handlers.on_dataset_applied, specs=specs))
    undeclared = CompactedTopic(settings.kafka, DatasetRemoved, partial(handlers.on_dataset_removed, specs=specs))
    tables: dict[str, CompactedTopic[Any]] = {
        "specs": applied,
        "removals": removed,
        "datasets": declared,
        "dataset removals": undeclared,
    }
    for name, topic in tables.items():
        health.add(name, topic.check)
    async with background(*(topic.run() for topic in tables.values())):
        for topic in tables.values():
            await topic.caught_up.wait()
        yield specs


@asynccontextmanager
async def _ingesting(
    settings: IngestionSettings, health: Health, database: Database, specs: SpecCache, spool: Spool
) -> AsyncIterator[ApiContext]:
    """Consume batches, outcomes and logs while the body runs."""
    tables, batches = DeltaTables(settings.data), PostgresBatchStore(database)
    publisher, reports = BatchPublisher(tables), Artifacts(settings.artifacts)
    service = BatchService(specs, batches, publisher, reports, settings.spec_wait_seconds)
    await service.recover()
    stream = ExactlyOnceStream(outcome_stream(settings), OutcomeTransform(specs))
    landing = FeedbackLanding(tables, PostgresLandingStore(database), settings.landing_seconds, settings.landing_rows)
    follower = Follower(settings.kafka, f"{settings.instance}-landing", TOPICS, landing)
    jobs, root = PostgresScoringJobs(database), Location(settings.data)
    comparer = Comparer(tables, PostgresComparisonStore(database), specs)
    comparing = run_periodically("the comparison of served with published values", comparer.tick)
    health.add("outcomes", stream.check)
    health.add("landing", follower.check)
    inbox = [InboxWatcher(settings.inbox, settings, service, spool).run()] if settings.inbox else []
    async with chassis_kafka.broker(settings) as broker:
        BatchConsumer(settings, broker, service, spool).subscribe()
        Consumer(settings, broker, handlers.event_handlers(DeltaScores(root)), jobs.handling).subscribe()
        coordinator = Coordinator(DeltaSource(root), DeltaScores(root), jobs, partial(send_rows, broker))
        answers = Follower(
            settings.kafka, f"{settings.instance}-scores", ANSWER_TOPICS,
            Answers(jobs, DeltaScores(root), coordinator), max_records=8,
        )  # fmt: skip
        health.add("scores", answers.check)
        scoring = run_periodically("scoring", coordinator.tick)
        await broker.start()
        chassis_kafka.watch(health, settings, broker)
        async with background(
            OutboxRelay(database, broker).run(), stream.run(), follower.run(), answers.run(), scoring, comparing, *inbox
        ):
            yield ApiContext(service, spool, batches, publisher, tables, reports, specs, jobs)


async def send_rows(broker: KafkaBroker, value: bytes, key: str) -> None:
    """Send a part to serving. The keys of parts distribute them over all partitions of the topic.

    Raises:
        UnavailableError: Kafka does not accept it.

    """
    try:
        await broker.publish(value, SCORES_REQUESTED, key=key.encode())
    except (KafkaError, OSError, TimeoutError) as error:
        raise UnavailableError("Kafka", f"it does not take rows to score ({error})") from error

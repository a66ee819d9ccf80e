"""Kafka: the stream of outcomes, and batches that come as messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from rondo.chassis.errors import PermanentError
from rondo.chassis.events.dead_letters import dead_letter
from rondo.chassis.events.delivery import SUBSCRIPTION, Delivery
from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.records import Record
from rondo.chassis.telemetry import messaging_attributes, span
from rondo.contracts.events import logs
from rondo.contracts.events.predictions import OutcomeObserved
from rondo.contracts.topics import BATCHES_SUBMITTED, dead_letters
from rondo.ingestion import metrics
from rondo.ingestion.batches.submission import Submission, check_names
from rondo.ingestion.errors import IngestionError
from rondo.ingestion.outcomes.parser import sort_out
from rondo.ingestion.validation.file_formats import form_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from confluent_kafka import Message
    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

    from rondo.ingestion.batches.service import Intake
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.settings import IngestionSettings
    from rondo.ingestion.spec_cache import Specs

_OUTCOMES_GROUP, _BATCHES_GROUP = "ingestion-outcomes", "ingestion-batches"


def outcome_stream(settings: IngestionSettings) -> StreamSettings:
    """Return how outcomes are streamed. A micro-batch may wait a little: nobody waits for an outcome's answer."""
    return StreamSettings(
        bootstrap=settings.kafka,
        name=_OUTCOMES_GROUP,
        instance=settings.instance,
        topics=(OutcomeObserved.topic,),
        dead_letters=dead_letters("ingestion"),
        linger=0.1,
        producer={"compression.type": "lz4"},
    )


class OutcomeTransform:
    """`outcomes.observed` in; `outcomes.log` and dead letters out, in the same transaction."""

    def __init__(self, specs: Specs, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._specs = specs
        self._clock = clock
        self._good = self._bad = 0

    def __call__(self, messages: Sequence[Message], /) -> Iterable[Record]:
        """Return one record a model, and one for each outcome that can't be used."""
        found = sort_out([message.value() for message in messages], self._specs.models, self._clock())
        self._good, self._bad = len(messages) - len(found.bad), len(found.bad)
        for model, columns in found.good.items():
            yield Record(logs.OUTCOMES_LOG, logs.encode(columns.batch(model)), model.encode())
        for index, error in found.bad:
            yield dead_letter(messages[index], dead_letters("ingestion"), _OUTCOMES_GROUP, error)

    def committed(self) -> None:
        """Count what is visible now: of a micro-batch that was aborted the same messages come again."""
        metrics.OUTCOMES.labels("accepted").inc(self._good)
        metrics.OUTCOMES.labels("dead_letter").inc(self._bad)


class BatchConsumer:
    """Takes batches from `batches.submitted`: judged, then committed. What is no batch goes to the dead letters."""

    def __init__(self, settings: IngestionSettings, broker: KafkaBroker, intake: Intake, spool: Spool) -> None:
        self._instance = settings.instance
        self._broker = broker
        self._intake = intake
        self._spool = spool
        self._delivery = Delivery(broker, settings.service, _BATCHES_GROUP, (IngestionError, PermanentError))

    def subscribe(self) -> None:
        """Subscribe; takes effect when the broker starts."""
        subscriber = self._broker.subscriber(
            BATCHES_SUBMITTED, group_id=_BATCHES_GROUP, group_instance_id=self._instance, **SUBSCRIPTION
        )
        subscriber(self.receive)

    async def receive(self, message: KafkaMessage) -> None:
        """Take in one batch, waiting as long as PostgreSQL or the disk is away, and commit its offset."""
        raw: Any = message.raw_message
        headers: dict[str, str] = message.headers
        with span(
            f"process {BATCHES_SUBMITTED}",
            headers.get("traceparent"),
            SpanKind.CONSUMER,
            **messaging_attributes(BATCHES_SUBMITTED, headers),
        ):
            await self._delivery.settle(raw, "a batch from Kafka", lambda: self._submit(message))
        await self._delivery.commit(message)

    async def _submit(self, message: KafkaMessage) -> str:
        headers: dict[str, str] = message.headers
        dataset, batch_id = headers.get("dataset", ""), headers.get("batch_id", "")
        check_names(dataset, batch_id)
        form = form_of(headers.get("content-type"))
        raw: Any = message.raw_message
        async with self._spool.receive(_one(raw.value or b"")) as (path, content):
            answer = await self._intake.submit(Submission(dataset, batch_id, "kafka", form, path, content))
        return answer.record.status


async def _one(chunk: Any) -> AsyncIterator[bytes]:
    yield chunk

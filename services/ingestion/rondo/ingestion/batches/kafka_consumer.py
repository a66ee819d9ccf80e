"""Batches as Kafka messages: the value is the file.

The headers are `dataset`, `batch_id`, `content-type` and, if it is compressed, `content-encoding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from rondo.chassis.errors import PermanentError
from rondo.chassis.events.delivery import SUBSCRIPTION, DeliveryPolicy
from rondo.chassis.telemetry import messaging_attributes, span
from rondo.contracts.topics import BATCHES_SUBMITTED
from rondo.ingestion.batches.compression import decoded
from rondo.ingestion.batches.submission import Submission, check_names
from rondo.ingestion.errors import IngestionError
from rondo.ingestion.validation.file_formats import format_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

    from rondo.ingestion.batches.service import BatchService
    from rondo.ingestion.batches.spool import Spool
    from rondo.ingestion.settings import IngestionSettings

_GROUP = "ingestion-batches"


class BatchConsumer:
    """Validates and stores each batch of `batches.submitted`, then commits its offset.

    A message without valid headers becomes a dead letter. A file that can't be used is a rejected batch.
    """

    def __init__(self, settings: IngestionSettings, broker: KafkaBroker, service: BatchService, spool: Spool) -> None:
        self._instance = settings.instance
        self._broker = broker
        self._service = service
        self._spool = spool
        self._delivery = DeliveryPolicy(broker, settings.service, _GROUP, (IngestionError, PermanentError))

    def subscribe(self) -> None:
        """Subscribe. Takes effect when the broker starts."""
        subscriber = self._broker.subscriber(
            BATCHES_SUBMITTED, group_id=_GROUP, group_instance_id=self._instance, **SUBSCRIPTION
        )
        subscriber(self.receive)

    async def receive(self, message: KafkaMessage) -> None:
        """Process one batch and commit its offset. Waits while PostgreSQL or the data storage is unavailable."""
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
        file_format = format_of(headers.get("content-type"))
        raw: Any = message.raw_message
        body = decoded(_one(raw.value or b""), headers.get("content-encoding"))
        async with self._spool.receive(body) as file:
            result = await self._service.submit(Submission(dataset, batch_id, "kafka", file_format, file))
        return result.record.status


async def _one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk

"""Kafka: the stream of outcomes, and batches that come as messages."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faststream import AckPolicy

from rondo.chassis.failures import Backoff, Origin, UnavailableError, dead_letter_headers
from rondo.chassis.stream import Record, StreamSettings, place
from rondo.contracts import logs
from rondo.contracts.predictions import OutcomeObserved
from rondo.contracts.topics import BATCHES_SUBMITTED, dead_letters
from rondo.ingestion import metrics
from rondo.ingestion.errors import IngestionError
from rondo.ingestion.outcomes import sort_out
from rondo.ingestion.reading import form_of
from rondo.ingestion.submission import Submission, check_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from confluent_kafka import Message
    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

    from rondo.ingestion.intake import Intake
    from rondo.ingestion.outcomes import BadOutcomeError
    from rondo.ingestion.settings import IngestionSettings
    from rondo.ingestion.specs import Specs
    from rondo.ingestion.spool import Spool

log = logging.getLogger(__name__)
_OUTCOMES_GROUP, _BATCHES_GROUP = "ingestion-outcomes", "ingestion-batches"


def outcome_stream(settings: IngestionSettings) -> StreamSettings:
    """Return how outcomes are streamed. A micro-batch may wait a little: nobody waits for an outcome's answer."""
    return StreamSettings(
        bootstrap=settings.kafka,
        name=_OUTCOMES_GROUP,
        instance=settings.instance,
        topics=(OutcomeObserved.topic,),
        linger=0.1,
        producer={"compression.type": "lz4"},
    )


class OutcomeTransform:
    """`outcomes.observed` in; `outcomes.log` and dead letters out, in the same transaction."""

    def __init__(self, specs: Specs) -> None:
        self._specs = specs

    def __call__(self, messages: Sequence[Message], /) -> Iterable[Record]:
        """Return one record a model, and one for each outcome that can't be used."""
        found = sort_out([message.value() for message in messages], self._specs.models)
        metrics.OUTCOMES.labels("accepted").inc(len(messages) - len(found.bad))
        for model, columns in found.good.items():
            yield Record(logs.OUTCOMES_LOG, logs.encode(columns.batch(model)), model.encode())
        for index, error in found.bad:
            metrics.OUTCOMES.labels("dead_letter").inc()
            yield _dead_letter(messages[index], error)

    def committed(self) -> None:
        """Nothing waits for the commit."""


def _dead_letter(message: Message, error: BadOutcomeError) -> Record:
    origin = Origin(*place(message), _OUTCOMES_GROUP)
    sent: Any = message.headers() or ()
    headers: dict[str, str | bytes] = {name: value or b"" for name, value in sent}
    headers |= dead_letter_headers(origin, error, 1, datetime.now(UTC))
    return Record(dead_letters("ingestion"), message.value(), message.key(), headers)


class BatchConsumer:
    """Takes batches from `batches.submitted`: judged, then committed. What is no batch goes to the dead letters."""

    def __init__(self, settings: IngestionSettings, broker: KafkaBroker, intake: Intake, spool: Spool) -> None:
        self._settings = settings
        self._broker = broker
        self._intake = intake
        self._spool = spool
        self._backoff = Backoff()

    def subscribe(self) -> None:
        """Subscribe; takes effect when the broker starts."""
        subscriber = self._broker.subscriber(
            BATCHES_SUBMITTED,
            group_id=_BATCHES_GROUP,
            group_instance_id=self._settings.instance,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            parser=_parse,
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(self.receive)

    async def receive(self, message: KafkaMessage) -> None:
        """Take in one batch, waiting as long as PostgreSQL or the disk is away, and commit its offset."""
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._judge(message)
            except (UnavailableError, KafkaError) as error:
                log.warning("a batch from Kafka waits: %s", error, extra={"attempt": attempt})
                await asyncio.sleep(self._backoff.delay(attempt))
            else:
                break
        try:
            await message.ack()
        except KafkaError as error:
            log.warning("a batch's offset is not committed, so it comes again and changes nothing: %s", error)

    async def _judge(self, message: KafkaMessage) -> None:
        try:
            await self._submit(message)
        except IngestionError as error:
            await self._bury(message.raw_message, error)

    async def _submit(self, message: KafkaMessage) -> None:
        headers: dict[str, str] = message.headers
        dataset, batch_id = headers.get("dataset", ""), headers.get("batch_id", "")
        check_names(dataset, batch_id)
        form = form_of(headers.get("content-type"))
        raw: Any = message.raw_message
        async with self._spool.receive(_one(raw.value or b"")) as (path, content):
            await self._intake.submit(Submission(dataset, batch_id, "kafka", form, path, content))

    async def _bury(self, raw: Any, error: IngestionError) -> None:
        origin = Origin(raw.topic, raw.partition, raw.offset, _BATCHES_GROUP)
        original = {key: value.decode(errors="replace") for key, value in raw.headers}
        headers = original | dead_letter_headers(origin, error, 1, datetime.now(UTC))
        log.error("a message of %s goes to the dead letters: %s", raw.topic, error)
        await self._broker.publish(raw.value or b"", dead_letters("ingestion"), key=raw.key, headers=headers)


async def _one(chunk: Any) -> AsyncIterator[bytes]:
    yield chunk


async def _parse(message: Any, original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Make headers that are no UTF-8 readable first: FastStream's own parser fails there, and skips the message."""
    headers = tuple((key, value.decode(errors="replace").encode()) for key, value in message.headers)
    return await original(replace(message, headers=headers))


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    """Hand over the message as it is: a file is not FastStream's to decode."""
    return message

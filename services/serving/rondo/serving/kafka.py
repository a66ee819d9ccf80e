"""What a replica asks and says beside its stream: ReplicaChanged, and the log of what it answered over HTTP."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4, uuid5

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.telemetry import current_traceparent
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.serving.inference.log_batch import ARROW_STREAM

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker

    from rondo.contracts.vocabularies import ReplicaState
    from rondo.serving.settings import Settings

log = logging.getLogger(__name__)
_ANSWER_SECONDS = 5


def partition_count(bootstrap: str, topic: str) -> int:
    """Return how many partitions a topic has. Blocks for some seconds at most.

    Raises:
        UnavailableError: Kafka does not answer, or knows no such topic.

    """
    try:
        found = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(topic, _ANSWER_SECONDS)
    except KafkaException as error:
        raise UnavailableError(f"Kafka at {bootstrap}", error.args[0].str()) from error
    if not (count := len(found.topics[topic].partitions)):
        raise UnavailableError(f"the topic {topic}", "Kafka does not know it: restart this service, which creates it")
    return count


class KafkaLog:
    """Publishes log records of what was answered over HTTP, with the broker's idempotent producer."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    async def publish(self, model: str, record: bytes) -> None:
        """Return when Kafka has it.

        Raises:
            UnavailableError: Kafka does not take it.

        """
        try:
            await self._broker.publish(
                record, PREDICTIONS_LOG, key=model.encode(), headers={"content-type": ARROW_STREAM}
            )
        except (KafkaError, OSError) as error:
            raise UnavailableError("the inference log", str(error)) from error


class KafkaAnnouncer:
    """Publishes what this replica does. There is no outbox: the topic of deployments is the truth, and this follows it.

    The event's id is a function of the process, the revision and the state, so a repetition is known as one.
    """

    def __init__(self, broker: KafkaBroker, settings: Settings, backoff: Backoff | None = None) -> None:
        self._broker = broker
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._process = uuid4()

    async def announce(
        self, model: str, revision: int, version: tuple[int, str], state: ReplicaState, detail: str = ""
    ) -> None:
        """Publish, waiting for Kafka as long as it takes."""
        number, digest = version
        now = datetime.now(UTC)
        event = ReplicaChanged(
            model=model, replica=self._settings.instance, model_version=number, digest=digest, revision=revision,
            state=state, detail=detail, at=now,
        )  # fmt: skip
        event_id = str(uuid5(self._process, f"{model}/{revision}/{number}/{digest}/{state}"))
        await self._publish(Envelope(event_id, f"rondo/{self._settings.service}", now, event, current_traceparent()))

    async def _publish(self, envelope: Envelope[ReplicaChanged]) -> None:
        attempt = 0
        while True:
            try:
                await self._broker.publish(
                    envelope.value(), envelope.data.topic, key=envelope.data.key.encode(), headers=envelope.headers()
                )
            except (KafkaError, OSError) as error:
                attempt += 1
                log.warning("ReplicaChanged waits for Kafka: %s", error, extra={"attempt": attempt})
                await asyncio.sleep(self._backoff.delay(attempt))
            else:
                return

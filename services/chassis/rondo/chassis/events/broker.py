"""Kafka for the control plane: the FastStream broker of a service, and the creation of the topics."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from rondo.chassis.errors import Backoff, UnavailableError
from rondo.chassis.events.fallback_consumer import TolerantConsumer
from rondo.chassis.retry import Retry
from rondo.contracts.topics import HEADER_ROOM, TOPICS, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rondo.chassis.health import Health
    from rondo.chassis.settings import ServiceSettings
    from rondo.contracts.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)
_ANSWER_SECONDS = 5
_PING_SECONDS = 2.0


class Broker(KafkaBroker):
    """A FastStream broker whose subscribers read with a `TolerantConsumer`."""

    def __init__(self, kafka: KafkaConnection, **options: Any) -> None:
        super().__init__(kafka.servers.split(","), security=_security(kafka), **options)
        self._kafka = kafka
        self._readers: list[TolerantConsumer] = []

    async def _connect(self) -> Callable[..., TolerantConsumer]:
        connected: Any = await super()._connect()
        self.config.broker_config.builder = partial(self._reader, **connected.keywords)
        return self._reader

    def _reader(self, *topics: str, **options: Any) -> TolerantConsumer:
        reader = TolerantConsumer(*topics, kafka=self._kafka, **options)
        self._readers.append(reader)
        return reader

    def check(self) -> None:
        """Check for `/readyz`.

        Raises:
            UnavailableError: a subscriber can't read. The message says why.

        """
        for reader in self._readers:
            reader.check()


def broker(settings: ServiceSettings) -> Broker:
    """Return a broker that publishes durably. FastStream's defaults are `acks=1` and no idempotence."""
    return Broker(
        settings.kafka,
        client_id=settings.instance,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        # A dead letter is its original with more headers, so the client must accept messages of the topics' size.
        max_request_size=max(topic.max_message_bytes for topic in TOPICS) + HEADER_ROOM,
        # Only its errors are logged, because its INFO lines repeat those of the chassis.
        logger=logging.getLogger("rondo.faststream"),
        log_level=logging.DEBUG,
        apply_types=False,
    )


def _security(kafka: KafkaConnection) -> BaseSecurity | None:
    """Convert the settings for SASL and TLS to FastStream's classes."""
    context = kafka.ssl_context()
    if kafka.sasl is None:
        return BaseSecurity(ssl_context=context) if context else None
    security = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return security[kafka.sasl.mechanism](
        kafka.sasl.username, kafka.sasl.password.get_secret_value(), ssl_context=context, use_ssl=context is not None
    )


def expect(health: Health, settings: ServiceSettings) -> None:
    """Show Kafka in `/readyz` before there is a broker."""
    health.expect("kafka", f"Kafka at {settings.kafka}", "start it, or set RONDO_KAFKA to the address of one that runs")


def watch(health: Health, settings: ServiceSettings, opened: Broker) -> None:
    """Add checks to `/readyz`: Kafka answers a started broker, and its subscribers can read."""

    async def ping() -> None:
        if not await opened.ping(_PING_SECONDS):
            why = f"no answer within {_PING_SECONDS:g} s; messages that were read are handled when it answers"
            raise UnavailableError(f"Kafka at {settings.kafka}", why)
        opened.check()

    health.add("kafka", ping)


def topic_config(topic: Topic) -> dict[str, str]:
    """Return the broker-side configuration of a topic."""
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
        "max.message.bytes": str(topic.max_message_bytes),
    }


def create_topics(kafka: KafkaConnection, topics: Iterable[Topic] = TOPICS, replication: int = -1) -> None:
    """Create the topics that don't exist yet. `replication` -1 is the cluster's default. Blocks for seconds.

    Raises:
        UnavailableError: Kafka does not answer.
        KafkaException: the broker refused a topic, and not because it exists.

    """
    # librdkafka's log lines would repeat those of the chassis, and are not JSON.
    admin = AdminClient(kafka.confluent() | {"log_level": 0})
    try:
        existing = admin.list_topics(timeout=_ANSWER_SECONDS).topics
    except KafkaException as error:
        raise UnavailableError(f"Kafka at {kafka}", error.args[0].str()) from error
    missing = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=replication, config=topic_config(t))
        for t in topics
        if t.name not in existing
    ]
    for future in admin.create_topics(missing).values() if missing else ():
        try:
            future.result()
        except KafkaException as error:
            # Another service may have created it meanwhile.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


async def wait_for_kafka(kafka: KafkaConnection, backoff: Backoff = Backoff(first=0.2, cap=3.0)) -> None:  # noqa: B008 - frozen
    """Create the topics. Waits without limit while Kafka is unavailable."""
    retry = Retry(f"Kafka at {kafka}", backoff=backoff)
    await retry.call(lambda: asyncio.to_thread(create_topics, kafka))

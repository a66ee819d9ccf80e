"""Kafka for the control plane: the broker as every service uses it, topics from the table, and waiting for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from faststream.kafka import KafkaBroker

from rondo.chassis.failures import Backoff, UnavailableError
from rondo.contracts.topics import TOPICS, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.chassis.settings import ServiceSettings

log = logging.getLogger(__name__)


def broker(settings: ServiceSettings) -> KafkaBroker:
    """Return a broker that publishes durably: FastStream's own defaults are `acks=1` and no idempotence."""
    return KafkaBroker(
        settings.kafka,
        client_id=settings.instance,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_request_size=8 * 1024 * 1024,
        logger=None,
        apply_types=False,
    )


def topic_config(topic: Topic) -> dict[str, str]:
    """Return the broker-side configuration of a topic."""
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
        "max.message.bytes": str(topic.max_message_bytes),
    }


async def create_topics(bootstrap: str, topics: Iterable[Topic] = TOPICS, replication: int = -1) -> None:
    """Create the topics that don't exist yet; `replication` -1 is the cluster's default.

    Raises:
        UnavailableError: Kafka does not answer.
        KafkaError: the broker refused a topic for another reason than that it exists.

    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        wanted = [
            NewTopic(t.name, t.partitions, replication, topic_configs=topic_config(t))
            for t in topics
            if t.name not in await admin.list_topics()
        ]
        response: Any = await admin.create_topics(wanted) if wanted else None
        for name, code, *_ in response.topic_errors if response else ():
            # Another service may have created it in between.
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(name)
    except (KafkaConnectionError, OSError) as error:
        raise UnavailableError(f"Kafka at {bootstrap}", str(error)) from error
    finally:
        await admin.close()


async def wait_for_kafka(bootstrap: str, backoff: Backoff = Backoff(first=0.2, cap=3.0)) -> None:  # noqa: B008 - frozen
    """Create the topics, waiting as long as it takes for Kafka to answer; says so in the log at every try."""
    attempt = 0
    while True:
        attempt += 1
        try:
            await create_topics(bootstrap)
        except (UnavailableError, KafkaError) as error:
            log.warning("waiting for Kafka at %s: %s", bootstrap, error, extra={"attempt": attempt})
            await asyncio.sleep(backoff.delay(attempt))
        else:
            return

"""Kafka as the client uses it: durable sending, reading without a group, and errors that say what to do."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from rondo.client.errors import MessageTooLargeError, NotFoundError, UnreachableError
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import BY_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

_REQUEST_MS = 10_000
# Many requests at once share a batch; one alone waits no longer than this.
_LINGER_MS = 2
_HEADER_ROOM = 4 * 1024
_FETCH_WAIT_MS = 100
_FLUSH_SECONDS = 5
# Its words, many a second while Kafka is away, would go to stderr of an application that configures no logging. Such a
# one is told by our errors; where logging is configured, they go where all the others go.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


@contextmanager
def translated(bootstrap: str) -> Iterator[None]:
    """Turn Kafka's errors into the client's."""
    try:
        yield
    except KafkaConnectionError as error:
        # Its own text is the list of addresses that it tried.
        raise UnreachableError("Kafka", bootstrap, "nothing answers there") from error
    except (KafkaError, OSError) as error:
        raise UnreachableError("Kafka", bootstrap, str(error) or type(error).__name__) from error


class Sender:
    """Sends with acknowledgement by all replicas, and each message once even where a retry was needed."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer = AIOKafkaProducer(
            **KafkaConnection(bootstrap).aiokafka(),
            client_id="rondo-client",
            acks="all",
            enable_idempotence=True,
            linger_ms=_LINGER_MS,
            request_timeout_ms=_REQUEST_MS,
            max_request_size=max(topic.max_message_bytes for topic in BY_NAME.values()) + _HEADER_ROOM,
        )

    async def start(self) -> None:
        """Connect.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        try:
            with translated(self._bootstrap):
                await self._producer.start()
        except UnreachableError:
            await self._producer.stop()
            raise

    async def stop(self) -> None:
        """Send what is waiting, and disconnect; what Kafka does not take within some seconds is given up."""
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._producer.stop()
        except TimeoutError:
            # Whoever sent it was told that it may be lost. An idempotent producer tries for ever: it has no other end.
            await self._producer._sender.close()  # noqa: SLF001
            await self._producer.client.close()

    async def send(self, topic: str, key: str, value: bytes) -> None:
        """Return when all replicas have it, however long Kafka is away: a limit is the caller's.

        Raises:
            MessageTooLargeError: the topic takes no message of this size.
            UnreachableError: Kafka refuses it.

        """
        limit = BY_NAME[topic].max_message_bytes
        if len(value) + len(key) > limit:
            raise MessageTooLargeError(topic, limit)
        with translated(self._bootstrap):
            await self._producer.send_and_wait(topic, value, key.encode())


@asynccontextmanager
async def reading(bootstrap: str, topics: Sequence[str], **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Read all partitions of topics, only what is committed, and leave no trace on the broker.

    Raises:
        UnreachableError: Kafka does not answer.
        NotFoundError: a topic does not exist.

    """
    await _check(bootstrap, topics)
    consumer = AIOKafkaConsumer(
        *topics,
        **KafkaConnection(bootstrap).aiokafka(),
        client_id=f"rondo-client-{uuid4().hex[:8]}",
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        request_timeout_ms=_REQUEST_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        **options,
    )
    try:
        with translated(bootstrap):
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _check(bootstrap: str, topics: Sequence[str]) -> None:
    # A consumer of a topic that does not exist would wait for it, without a word.
    admin = AIOKafkaAdminClient(**KafkaConnection(bootstrap).aiokafka(), request_timeout_ms=_REQUEST_MS)
    try:
        with translated(bootstrap):
            await admin.start()
            missing = set(topics) - set(await admin.list_topics())
    finally:
        await admin.close()
    if missing:
        names = " or ".join(sorted(missing))
        raise NotFoundError(f"Kafka at {bootstrap} has no topic {names} yet: the services make it when they start")

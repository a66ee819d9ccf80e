"""Publishes records of the inference log with an idempotent producer of librdkafka.

The awaitable of `publish` ends when all in-sync replicas have acknowledged the record. Retries of librdkafka do not
duplicate records.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer

from rondo.chassis.errors import UnavailableError
from rondo.chassis.retry import Retry
from rondo.contracts.events.logs import PREDICTIONS_LOG
from rondo.serving.prediction_log.batch import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from confluent_kafka import KafkaError, Message

    from rondo.contracts.kafka_connection import KafkaConnection

_LIBRARY_LOG = logging.getLogger("librdkafka")
_HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", CONTENT_TYPE.encode())]
_TIMEOUT_SECONDS = 5.0
_POLL_SECONDS = 0.2


class FatalProducerError(Exception):
    """librdkafka can't continue without the risk of a duplicate or lost record."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(f"the producer of the inference log ended: {error.str()}; the service restarts")


class KafkaLog:
    """Publishes to `predictions.log` while `run` runs. Kafka has `timeout` seconds to acknowledge a record."""

    def __init__(self, kafka: KafkaConnection, client_id: str, timeout: float = _TIMEOUT_SECONDS) -> None:
        options = {
            **kafka.confluent(),
            "client.id": f"{client_id}-log",
            "enable.idempotence": True,
            "acks": "all",
            # A record already has all waiting rows, so a wait for another record would only delay the answers.
            "linger.ms": 0,
            "socket.nagle.disable": True,
            "delivery.timeout.ms": int(timeout * 1000),
            "message.max.bytes": 8 * 1024 * 1024,
            # The partitioner of all writers of the topic, so that a model has one partition.
            "partitioner": "murmur2_random",
            "log_level": 3,
            "error_cb": self._on_error,
        }
        self._producer = Producer(options, logger=_LIBRARY_LOG)
        self._timeout = timeout
        self._fatal: KafkaError | None = None
        self._stop = threading.Event()

    def publish(self, model: str, record: bytes) -> Awaitable[None]:
        """Send a record. The returned awaitable ends when Kafka has acknowledged it.

        Raises:
            UnavailableError: `run` has ended, or the send buffer is full. The awaitable raises it if Kafka did not
                acknowledge the record in time. Kafka may still have the record.

        """
        if self._stop.is_set():
            raise UnavailableError("the inference log", "this replica stops")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(UnavailableError("the inference log", error.str()))

        def delivered(error: KafkaError | None, _: Message) -> None:
            # Runs in the thread that polls. After the end of the loop nobody waits.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        try:
            self._producer.produce(PREDICTIONS_LOG, record, model.encode(), headers=_HEADERS, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise UnavailableError("the inference log", str(error)) from error
        return done

    async def connect(self) -> None:
        """Connect before the first record, which would otherwise wait for the metadata and the producer id.

        The method waits without limit while Kafka is unavailable.
        """
        await Retry("the inference log").call(self._connect)

    async def _connect(self) -> None:
        try:
            await asyncio.to_thread(self._producer.list_topics, PREDICTIONS_LOG, self._timeout)
        except KafkaException as error:
            raise UnavailableError("the inference log", error.args[0].str()) from error

    async def run(self) -> None:
        """Receive acknowledgements until cancelled, then those of records in flight for at most `timeout`.

        After the end, no awaitable of `publish` is pending.

        Raises:
            FatalProducerError: the producer can no longer be used.

        """
        thread = asyncio.create_task(asyncio.to_thread(self._poll))
        try:
            await asyncio.shield(thread)
        finally:
            self._stop.set()
            await thread

    def _poll(self) -> None:
        while not self._stop.is_set() and self._fatal is None:
            self._producer.poll(_POLL_SECONDS)
        # This also applies after a fatal error, when librdkafka reports records in flight as failed.
        self._stop.set()
        if self._producer.flush(self._timeout):
            self._producer.purge()
            self._producer.flush(_POLL_SECONDS)
        if self._fatal is not None:
            raise FatalProducerError(self._fatal)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error

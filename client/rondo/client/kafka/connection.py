"""Timeouts, retries and errors that the producer and the consumer share."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from rondo.client.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rondo.contracts.kafka_connection import KafkaConnection

T = TypeVar("T")
REQUEST_MS = 10_000
_RETRY_SECONDS = 0.2
# aiokafka logs many lines per second while Kafka is unavailable. In an application without a logging configuration they
# would go to stderr. The client's own errors already report the outage there.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


@contextmanager
def translated(kafka: KafkaConnection) -> Iterator[None]:
    """Convert Kafka's errors to UnreachableError."""
    try:
        yield
    except KafkaConnectionError as error:
        # aiokafka's own text is the list of addresses that it tried.
        raise UnreachableError("Kafka", str(kafka), "nothing answers there") from error
    except (KafkaError, OSError) as error:
        raise UnreachableError("Kafka", str(kafka), str(error) or type(error).__name__) from error


async def retry_while_unavailable(call: Callable[[], Awaitable[T]]) -> T:
    """Call until Kafka answers. The caller limits the time with `asyncio.timeout`.

    Raises:
        KafkaError: a retry can't help, for example after a failed authentication.

    """
    while True:
        try:
            return await call()
        except (KafkaError, OSError) as error:
            if not _is_transient(error):
                raise
        await asyncio.sleep(_RETRY_SECONDS)


def _is_transient(error: Exception) -> bool:
    """Return whether the same call may succeed later."""
    # aiokafka raises a plain KafkaError if no known broker answers a metadata request.
    return (
        isinstance(error, OSError | KafkaTimeoutError)
        or type(error) is KafkaError
        or getattr(error, "retriable", False)
    )

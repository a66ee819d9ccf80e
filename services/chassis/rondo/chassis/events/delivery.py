"""The delivery policy for messages: handle, then commit the offset.

A failure is retried with backoff and jitter a bounded number of times. Then the message becomes a dead letter, and its
offset is committed once Kafka has acknowledged the dead letter. While a dependency is unavailable the message is
retried without limit. FastStream's acknowledgement policies do not support this (`ACK` commits on exceptions,
`NACK_ON_ERROR` retries without limit and delay), so subscribers use `MANUAL`: see `SUBSCRIPTION`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faststream import AckPolicy

from rondo.chassis import metrics
from rondo.chassis.dead_letters import bounded
from rondo.chassis.errors import Backoff, Origin, PermanentError, dead_letter_headers, panics_as_errors
from rondo.chassis.retry import Retry
from rondo.contracts.topics import dead_letters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliveryPolicy:
    """Delivers the messages of one group. `permanent` are the errors that no retry can fix."""

    broker: KafkaBroker
    service: str
    group: str
    permanent: tuple[type[Exception], ...] = (PermanentError,)
    backoff: Backoff = field(default_factory=Backoff)

    async def settle(self, raw: Any, name: str, handle: Callable[[], Awaitable[str]]) -> str:
        """Handle one message until it is handled or a dead letter. `name` is its name in the log.

        Returns the result of `handle`, or `dead_letter`. The offset may be committed only after this has returned.
        """
        failures, first_failed = 0, None
        event_id = (dict(raw.headers).get("ce_id") or b"").decode(errors="replace")

        async def attempt() -> str:
            with panics_as_errors():
                return await handle()

        retry = Retry(name, backoff=self.backoff, extra={"event_id": event_id})
        while True:
            try:
                return await retry.call(attempt)
            except Exception as error:  # the boundary: every error is counted, retried, and dead-lettered
                failures += 1
                first_failed = first_failed or datetime.now(UTC)
                if isinstance(error, self.permanent) or failures >= self.backoff.attempts:
                    await self._dead_letter(raw, error, failures, first_failed)
                    return "dead_letter"
                log.warning("%s failed, attempt %d", name, failures, exc_info=error, extra={"event_id": event_id})
                await asyncio.sleep(self.backoff.delay(failures))

    async def commit(self, message: KafkaMessage) -> None:
        """Commit the offset of a message that was settled."""
        raw: Any = message.raw_message
        try:
            await message.ack()
        except KafkaError as error:
            # After a rebalance or an outage the message is delivered again, and the inbox deduplicates it.
            log.warning("offset %d of %s is not committed: %s", raw.offset, raw.topic, error)

    async def _dead_letter(self, raw: Any, error: Exception, attempts: int, first_failed: datetime) -> None:
        """Publish the dead letter. Return once Kafka has acknowledged it, so that no commit can precede it."""
        topic = dead_letters(self.service)
        origin = Origin(raw.topic, raw.partition, raw.offset, self.group)
        made = bounded(topic, raw.value, raw.key, raw.headers, origin)
        headers = {name: _text(value) for name, value in made.headers.items()}
        headers |= dead_letter_headers(origin, error, attempts, first_failed)
        log.error(
            "offset %s of %s becomes a dead letter on %s: %s", origin.offset, origin.topic, topic, error, exc_info=error
        )
        await Retry(f"a dead letter for {topic}", (KafkaError, OSError), self.backoff).call(
            lambda: self.broker.publish(made.value or b"", topic, key=made.key, headers=headers)
        )
        metrics.DEAD_LETTERS.labels(origin.topic, type(error).__name__).inc()


def _text(value: str | bytes) -> str:
    """Return a header as text, which FastStream needs."""
    return value if isinstance(value, str) else value.decode(errors="replace")


async def _parse(message: Any, original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Parse a message after replacing headers that are null or not UTF-8, on which FastStream's parser fails."""
    headers = tuple((key, (value or b"").decode(errors="replace").encode()) for key, value in message.headers)
    return await original(replace(message, headers=headers))


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    """Return the message unchanged, so that a value that is not JSON becomes a dead letter."""
    return message


# The options of every subscriber that uses `DeliveryPolicy`.
SUBSCRIPTION: dict[str, Any] = {
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "ack_policy": AckPolicy.MANUAL,
    "parser": _parse,
    "decoder": _undecoded,
    "no_reply": True,
}

"""The one way to consume control-plane events: a table from event to handler, and one policy for all failures.

Handle, then commit. A failure is retried with backoff and jitter, a bounded number of times; then the
message goes to the dead letters, that is acknowledged, and only then is the offset committed. While
something the service stands on is away the message waits. FastStream's own acknowledgement policies can't do
this (`ACK` commits on exceptions, `NACK_ON_ERROR` retries forever without a delay), so it is `MANUAL` here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from aiokafka.errors import KafkaError
from faststream import AckPolicy
from opentelemetry.trace import SpanKind

from rondo.chassis import metrics
from rondo.chassis.failures import (
    AlreadyHandledError,
    Backoff,
    Origin,
    PermanentError,
    UnavailableError,
    dead_letter_headers,
)
from rondo.chassis.telemetry import messaging_attributes, span
from rondo.contracts import cloudevents
from rondo.contracts.cloudevents import Envelope, MalformedEventError
from rondo.contracts.topics import dead_letters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

    from rondo.chassis.settings import ServiceSettings
    from rondo.contracts.event import Event

log = logging.getLogger(__name__)
E = TypeVar("E", bound="Event")
W = TypeVar("W")
Handler: TypeAlias = "Callable[[Envelope[Any], W], Awaitable[None]]"
Begin: TypeAlias = "Callable[[Envelope[Any]], AbstractAsyncContextManager[W]]"


class Routes(Generic[W]):
    """The table from event to handler. A handler gets the envelope and the unit of work that it runs in."""

    def __init__(self) -> None:
        self.handlers: dict[type[Event], Handler[W]] = {}

    def on(
        self, event: type[E]
    ) -> Callable[[Callable[[Envelope[E], W], Awaitable[None]]], Callable[[Envelope[E], W], Awaitable[None]]]:
        """Register the handler of an event; there is one for each."""

        def register(
            handler: Callable[[Envelope[E], W], Awaitable[None]],
        ) -> Callable[[Envelope[E], W], Awaitable[None]]:
            if event in self.handlers:
                message = f"{event.__name__} has a handler already"
                raise ValueError(message)
            self.handlers[event] = handler
            return handler

        return register


@dataclass(frozen=True)
class Consumer(Generic[W]):
    """Consumes the events of `routes` for one service, each inside `begin(envelope)`.

    `begin` opens the unit of work: it commits when the handler returns, rolls back when it raises, and raises
    AlreadyHandledError for an event that the inbox knows.
    """

    settings: ServiceSettings
    broker: KafkaBroker
    routes: Routes[W]
    begin: Begin[W]
    backoff: Backoff = field(default_factory=Backoff)

    def subscribe(self) -> None:
        """Subscribe to all the topics as one member of one group; takes effect when the broker starts."""
        subscriber = self.broker.subscriber(
            *(event.topic for event in self.routes.handlers),
            group_id=self.settings.service,
            group_instance_id=self.settings.instance,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            parser=_parse,
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(self.receive)

    async def receive(self, message: KafkaMessage) -> None:
        """Handle one message to its end, and commit it."""
        raw: Any = message.raw_message
        origin = Origin(raw.topic, raw.partition, raw.offset, self.settings.service)
        event = next(event for event in self.routes.handlers if event.topic == raw.topic)
        headers: dict[str, str] = message.headers
        with (
            metrics.EVENT_SECONDS.labels(event.__name__).time(),
            span(
                f"process {raw.topic}",
                headers.get("traceparent"),
                SpanKind.CONSUMER,
                **messaging_attributes(raw.topic, headers),
            ),
        ):
            outcome = await self._handle(event, raw, headers, origin)
        metrics.EVENTS_HANDLED.labels(event.__name__, outcome).inc()
        try:
            await message.ack()
        except KafkaError as error:
            # The group rebalanced or the broker is away: the message comes again, and the inbox knows it.
            log.warning("offset %d of %s is not committed: %s", raw.offset, raw.topic, error)

    async def _handle(self, event: type[Event], raw: Any, headers: dict[str, str], origin: Origin) -> str:
        attempt, failures, first_failed = 0, 0, None
        while True:
            attempt += 1
            try:
                envelope = cloudevents.read(event, headers, raw.value)
                async with self.begin(envelope) as work:
                    await self.routes.handlers[event](envelope, work)
            except AlreadyHandledError:
                return "duplicate"
            except UnavailableError as error:
                log.warning(
                    "%s waits: %s", event.__name__, error, extra={"attempt": attempt, "event_id": headers.get("ce_id")}
                )
                await asyncio.sleep(self.backoff.delay(attempt))
            except Exception as error:  # the boundary: whatever it is, it is counted, retried, dead-lettered
                failures += 1
                first_failed = first_failed or datetime.now(UTC)
                permanent = isinstance(error, MalformedEventError | PermanentError)
                if permanent or failures >= self.backoff.attempts:
                    await self._bury(raw, origin, error, failures, first_failed)
                    return "dead_letter"
                log.warning(
                    "%s failed, attempt %d",
                    event.__name__,
                    failures,
                    exc_info=error,
                    extra={"event_id": headers.get("ce_id")},
                )
                await asyncio.sleep(self.backoff.delay(failures))
            else:
                return "handled"

    async def _bury(
        self, raw: Any, origin: Origin, error: BaseException, attempts: int, first_failed: datetime
    ) -> None:
        """Publish the dead letter; this returns only when Kafka has it, so that no commit can come before."""
        topic = dead_letters(self.settings.service)
        original = {key: value.decode(errors="replace") for key, value in raw.headers}
        headers = original | dead_letter_headers(origin, error, attempts, first_failed)
        log.error("%s of %s goes to %s: %s", origin.offset, origin.topic, topic, error, exc_info=error)
        attempt = 0
        while True:
            try:
                await self.broker.publish(raw.value or b"", topic, key=raw.key, headers=headers)
            except (KafkaError, OSError) as failure:
                attempt += 1
                log.warning("the dead letter waits for Kafka: %s", failure, extra={"attempt": attempt})
                await asyncio.sleep(self.backoff.delay(attempt))
            else:
                break
        metrics.DEAD_LETTERS.labels(origin.topic, type(error).__name__).inc()


async def _parse(message: Any, original: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """Make headers that are no UTF-8 readable first: FastStream's own parser fails there, and skips the message."""
    headers = tuple((key, value.decode(errors="replace").encode()) for key, value in message.headers)
    return await original(replace(message, headers=headers))


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    """Hand over the message as it is: a value that is no JSON is ours to dead-letter, not FastStream's to log."""
    return message

"""Consumes control-plane events, each in a unit of work, with the delivery policy of all services."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from opentelemetry.trace import SpanKind

from rondo.chassis import metrics
from rondo.chassis.errors import AlreadyHandledError, Backoff, PermanentError
from rondo.chassis.events.delivery import SUBSCRIPTION, DeliveryPolicy
from rondo.chassis.telemetry import messaging_attributes, span
from rondo.contracts.events import cloudevents
from rondo.contracts.events.cloudevents import Envelope, MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from faststream.kafka import KafkaBroker
    from faststream.kafka.message import KafkaMessage

    from rondo.chassis.settings import ServiceSettings
    from rondo.contracts.events.base import Event

W = TypeVar("W")
Handler: TypeAlias = "Callable[[Envelope[Any], W], Awaitable[None]]"
# A handler receives the envelope and its unit of work.
Handlers: TypeAlias = "Mapping[type[Event], Handler[W]]"
Begin: TypeAlias = "Callable[[Envelope[Any]], AbstractAsyncContextManager[W]]"


@dataclass(frozen=True)
class Consumer(Generic[W]):
    """Consumes the events of `handlers` for one service, each inside `begin(envelope)`.

    `begin` opens the unit of work. It commits if the handler returns, rolls back if it raises, and raises
    AlreadyHandledError for an event that is in the inbox.
    """

    settings: ServiceSettings
    broker: KafkaBroker
    handlers: Handlers[W]
    begin: Begin[W]
    backoff: Backoff = field(default_factory=Backoff)

    def subscribe(self) -> None:
        """Subscribe to all topics as one member of one group. This takes effect when the broker starts."""
        subscriber = self.broker.subscriber(
            *(event.topic for event in self.handlers),
            group_id=self.settings.service,
            group_instance_id=self.settings.instance,
            **SUBSCRIPTION,
        )
        subscriber(self.receive)

    async def receive(self, message: KafkaMessage) -> None:
        """Handle one message until it is handled or a dead letter, and commit its offset."""
        raw: Any = message.raw_message
        event = next(event for event in self.handlers if event.topic == raw.topic)
        headers: dict[str, str] = message.headers
        delivery = self._delivery()
        with (
            metrics.EVENT_SECONDS.labels(event.__name__).time(),
            span(
                f"process {raw.topic}",
                headers.get("traceparent"),
                SpanKind.CONSUMER,
                **messaging_attributes(raw.topic, headers),
            ),
        ):
            outcome = await delivery.settle(raw, event.__name__, lambda: self._handle(event, raw, headers))
        metrics.EVENTS_HANDLED.labels(event.__name__, outcome).inc()
        await delivery.commit(message)

    def _delivery(self) -> DeliveryPolicy:
        service = self.settings.service
        return DeliveryPolicy(self.broker, service, service, (MalformedEventError, PermanentError), self.backoff)

    async def _handle(self, event: type[Event], raw: Any, headers: dict[str, str]) -> str:
        try:
            envelope = cloudevents.read(event, headers, raw.value)
            async with self.begin(envelope) as work:
                await self.handlers[event](envelope, work)
        except AlreadyHandledError:
            return "duplicate"
        return "handled"

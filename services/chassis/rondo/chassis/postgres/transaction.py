"""An open unit of work: the SQL of a service's adapters, and the events that commit with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rondo.chassis.errors import PermanentError
from rondo.chassis.telemetry import current_traceparent
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.topics import BY_NAME, HEADER_ROOM

if TYPE_CHECKING:
    import asyncpg

    from rondo.contracts.events.base import Event

NOTIFY_CHANNEL = "outbox"


class EventTooLargeError(PermanentError):
    """An event is larger than its topic accepts. It would block all later events of the outbox."""

    code = "event_too_large"

    def __init__(self, event: Event, size: int, limit: int) -> None:
        self.topic, self.size, self.limit = event.topic, size, limit
        super().__init__(
            f"{type(event).__name__} of {event.key} has {size:,} bytes, more than the {limit:,} that {event.topic}"
            " takes: its subject has too many columns, or texts that are too long; nothing was changed"
        )


@dataclass(frozen=True)
class Transaction:
    """An open transaction. Adapters use `connection`. Events are published after the commit."""

    connection: asyncpg.pool.PoolConnectionProxy[Any]
    service: str
    cause: Envelope[Any] | None = None

    @property
    def traceparent(self) -> str | None:
        """The `traceparent` of the current span, or else that of the event that caused this transaction."""
        return current_traceparent() or (self.cause.traceparent if self.cause else None)

    async def publish(self, event: Event, event_id: str | None = None) -> str:
        """Write an event to the outbox. It is published once the transaction has committed. Returns its id.

        Raises:
            EventTooLargeError: its topic does not accept it.

        """
        envelope = Envelope(
            id=event_id or str(uuid4()),
            source=f"rondo/{self.service}",
            time=datetime.now(UTC),
            data=event,
            traceparent=self.traceparent,
        )
        value, limit = envelope.value(), BY_NAME[event.topic].max_message_bytes - HEADER_ROOM
        if len(value) > limit:
            raise EventTooLargeError(event, len(value), limit)
        await self.connection.execute(
            "insert into outbox (event_id, topic, key, value, headers) values ($1, $2, $3, $4, $5)",
            envelope.id, event.topic, event.key, value, envelope.headers(),
        )  # fmt: skip
        await self.connection.execute(f"notify {NOTIFY_CHANNEL}_{self.service}")
        return envelope.id

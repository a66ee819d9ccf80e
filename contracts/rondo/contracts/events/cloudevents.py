"""CloudEvents 1.0, Kafka protocol binding, binary mode: attributes as `ce_` headers, the event as JSON value.

See sections 3.1 and 3.2 of the Kafka protocol binding for CloudEvents 1.0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from rondo.contracts.events.base import Event
from rondo.contracts.text import unstorable
from rondo.contracts.times import to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

E = TypeVar("E", bound=Event)
CONTENT_TYPE = "application/json"
_REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_time")
_SHOWN = 5  # errors of one value in a message, because more would not fit a dead letter's header


class MalformedEventError(ValueError):
    """A message is not an event of the expected type. The text says what is wrong and what is expected.

    `code` is `missing_headers`, `unstorable_header`, `wrong_type`, `no_value`, `invalid_value` or `invalid_time`.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Envelope(Generic[E]):
    """An event with its CloudEvents attributes: id, source, time, and the trace that it belongs to."""

    id: str
    source: str
    time: datetime
    data: E
    traceparent: str | None = None

    def __post_init__(self) -> None:
        """Raise an error for a time without an offset, which is ambiguous."""
        if self.time.tzinfo is None:
            raise ValueError(f"the time {self.time.isoformat()} has no offset: use datetime.now(UTC)")

    def headers(self) -> dict[str, str]:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.data.event_type(),
            "ce_subject": self.data.key,
            "ce_time": self.time.astimezone(UTC).isoformat(),
            "content-type": CONTENT_TYPE,
        }
        return headers | ({"traceparent": self.traceparent} if self.traceparent else {})

    def value(self) -> bytes:
        return self.data.model_dump_json(by_alias=True).encode()


def read(event: type[E], headers: Mapping[str, str], value: bytes | None) -> Envelope[E]:
    """Read one message of a control-plane topic.

    Raises:
        MalformedEventError: a header is missing, the type differs from the expected one, or the value does not fit the
            class.

    """
    _check_headers(event, headers)
    if not value:
        raise MalformedEventError("no_value", f"the message has no value: a {event.__name__} is a JSON object")
    try:
        data = event.model_validate_json(value)
    except ValidationError as error:
        errors = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in error.errors()[:_SHOWN])
        raise MalformedEventError("invalid_value", f"the value is no {event.__name__}: {errors}") from None
    return Envelope(headers["ce_id"], headers["ce_source"], _time(headers), data, headers.get("traceparent"))


def _check_headers(event: type[Event], headers: Mapping[str, str]) -> None:
    if missing := [name for name in _REQUIRED if not headers.get(name)]:
        raise MalformedEventError(
            "missing_headers",
            f"the headers {', '.join(missing)} are missing: this is not a CloudEvent in binary mode; "
            "see docs/events/topics.md for the headers of every event",
        )
    for name in _REQUIRED:
        if character := unstorable(headers[name]):
            message = f"the header {name} holds {character}, which can't be stored: remove it"
            raise MalformedEventError("unstorable_header", message)
    if headers["ce_type"] != event.event_type():
        message = f"the type is {headers['ce_type']}, and this topic carries {event.event_type()}"
        raise MalformedEventError("wrong_type", message)


def _time(headers: Mapping[str, str]) -> datetime:
    try:
        return to_utc(datetime.fromisoformat(headers["ce_time"]))
    except ValueError:
        raise MalformedEventError(
            "invalid_time",
            f"ce_time is {headers['ce_time']!r}, not an RFC 3339 time with an offset, such as 2013-03-01T05:15:00Z",
        ) from None

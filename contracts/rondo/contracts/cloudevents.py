"""CloudEvents 1.0, Kafka protocol binding, binary mode: attributes as `ce_` headers, the event as JSON value.

See sections 3.1 and 3.2 of the Kafka protocol binding for CloudEvents 1.0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from rondo.contracts.event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

E = TypeVar("E", bound=Event)
CONTENT_TYPE = "application/json"


class MalformedEventError(ValueError):
    """A message is no event of the expected type; the text says what is wrong with it."""


@dataclass(frozen=True)
class Envelope(Generic[E]):
    """An event and what is said about it: its id, who wrote it and when, and the trace it belongs to."""

    id: str
    source: str
    time: datetime
    data: E
    traceparent: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the Kafka headers."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.data.event_type(),
            "ce_subject": self.data.key,
            "ce_time": self.time.isoformat(),
            "content-type": CONTENT_TYPE,
        }
        return headers | ({"traceparent": self.traceparent} if self.traceparent else {})

    def value(self) -> bytes:
        """Return the Kafka value."""
        return self.data.model_dump_json(by_alias=True).encode()


def read(event: type[E], headers: Mapping[str, str], value: bytes | None) -> Envelope[E]:
    """Read one message of a control-plane topic.

    Raises:
        MalformedEventError: a header is missing, the type is another one, or the value does not fit the class.

    """
    missing = [name for name in ("ce_id", "ce_source", "ce_type", "ce_time") if not headers.get(name)]
    if missing:
        message = f"the headers {', '.join(missing)} are missing: this is no CloudEvent in binary mode"
        raise MalformedEventError(message)
    if headers["ce_type"] != event.event_type():
        message = f"the type is {headers['ce_type']}, and this topic carries {event.event_type()}"
        raise MalformedEventError(message)
    try:
        data = event.model_validate_json(value or b"")
        time = datetime.fromisoformat(headers["ce_time"])
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in error.errors()[:5])
        message = f"the value is no {event.__name__}: {faults}"
        raise MalformedEventError(message) from None
    except ValueError:
        message = f"ce_time is {headers['ce_time']!r}, not an RFC 3339 time"
        raise MalformedEventError(message) from None
    return Envelope(headers["ce_id"], headers["ce_source"], time, data, headers.get("traceparent"))

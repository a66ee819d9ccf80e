"""Messages of confluent-kafka with unreadable keys, values or headers."""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import Message
from rondo.chassis.kafka_records import headers_of


class Unreadable:
    """A message of confluent-kafka with a header whose name is no UTF-8. It raises once, then returns bad memory."""

    def __init__(self) -> None:
        self._asked, self._headers = 0, None

    def headers(self) -> Any:
        if self._headers is not None:
            return self._headers
        self._asked += 1
        assert self._asked == 1, "what a second call returns is broken memory"
        raise SystemError

    def set_headers(self, headers: Any) -> None:
        self._headers = headers


def test_unreadable_headers_are_empty_at_every_read() -> None:
    message = cast("Message", Unreadable())
    assert headers_of(message) == headers_of(message) == []


def test_a_message_without_headers_has_none() -> None:
    assert headers_of(Message("topic", value=b"v")) == []

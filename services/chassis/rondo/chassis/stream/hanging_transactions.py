"""Detects a hanging transaction that prevents a stream from reading. Without this check the stream would look idle.

A broker of Kafka 4.3.0 to 4.4.0 that restarts after a crash can report a transaction as complete without having written
its markers (KAFKA-20734). Its offsets stay pending, and librdkafka requests them repeatedly without an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from confluent_kafka import Consumer

_ANSWER_SECONDS = 5


class HangingTransactionCheck:
    """Requests the committed offsets every `seconds`, which must exceed the transaction timeout."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked = time.monotonic()
        self._said: str | None = None

    def trouble(self, consumer: Consumer) -> str | None:
        """Return why Kafka does not return the committed offsets, and what to do. None if it returns them."""
        now = time.monotonic()
        if now - self._asked >= self._seconds:
            self._asked, self._said = now, _ask(consumer)
        return self._said


def _ask(consumer: Consumer) -> str | None:
    try:
        consumer.committed(consumer.assignment(), timeout=_ANSWER_SECONDS)
    except KafkaException as error:
        return (
            f"Kafka does not return the committed offsets ({error.args[0].str()}): if Kafka is up, a transaction "
            "of an earlier crash never got its markers; see docs/runbooks/hanging-transaction.md"
        )
    return None

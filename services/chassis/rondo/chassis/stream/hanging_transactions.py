"""Finds out what keeps a stream that has read nothing yet from reading: else it would look idle.

A broker of Kafka 4.3.0 to 4.4.0 that starts anew after a crash can call a transaction complete whose markers it has not
written (KAFKA-20734). The offsets in it are then never told, and librdkafka asks for them for ever without a word.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from confluent_kafka import Consumer


class HangingTransactionCheck:
    """Asks for the committed offsets now and then: every `seconds`, longer than any transaction may last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked = time.monotonic()
        self._said: str | None = None

    def trouble(self, consumer: Consumer) -> str | None:
        """Return what Kafka answered last when it did not tell them, as a sentence with what to do."""
        now = time.monotonic()
        if now - self._asked >= self._seconds:
            self._asked, self._said = now, _ask(consumer)
        return self._said


def _ask(consumer: Consumer) -> str | None:
    try:
        consumer.committed(consumer.assignment(), timeout=5)
    except KafkaException as error:
        return (
            f"Kafka does not tell how far it has read ({error.args[0].str()}): if Kafka is up, a transaction "
            "of an earlier crash never got its markers; docs/runbooks/hanging-transaction.md says what to do"
        )
    return None

"""Transactions of a stream's producer. A shutdown waits some seconds for a call that is in progress."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, Producer

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from confluent_kafka import TopicPartition

    from rondo.chassis.stream.config import StreamSettings

log = logging.getLogger(__name__)
_ANSWER_SECONDS = 30.0
_ABORT_SECONDS = 10.0
# A call of librdkafka can't be cancelled, so `stop` is checked in this interval.
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.05
_QUICK, _LEAST_SHARE = 0.25, 1 / 4096


def next_share(share: float, used: float, *, committed: bool) -> float:
    """Return the share of the largest micro-batch that the next one may have.

    `used` is the time of the last transaction as a share of its timeout. A transaction that exceeds its timeout would
    exceed it again if as much were read again, so its share is halved. It is doubled after a commit that took at most
    a quarter of the time, so that the next one takes about half.
    """
    if committed:
        return min(2 * share, 1.0) if used <= _QUICK else share
    return max(share / 2, _LEAST_SHARE) if used >= 1 else share


class Transactions:
    """One transaction at a time. Each method raises KafkaException if Kafka refuses or does not answer in time."""

    def __init__(self, settings: StreamSettings, stop: threading.Event, logger: logging.Logger) -> None:
        """Initialize the transactions, which fences an earlier process of the same name."""
        self.producer = Producer(settings.producer_config(), logger=logger)
        self._timeout = settings.transaction_timeout
        self._stop = stop
        self._hung_after = settings.hung_after
        self._called: float | None = None
        self._resume_until_done(self.producer.init_transactions)

    def begin(self) -> None:
        self.producer.begin_transaction()

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """Commit the written records and these offsets.

        Raises:
            UnavailableError: Kafka did not accept the records.

        """
        # The commit waits for the same acknowledgements. Waiting here gives Kafka time to complete the previous
        # transaction. Offsets that are sent before its end are refused, and retried after a delay.
        self._deliver()
        self._resume_until_done(lambda seconds: self.producer.send_offsets_to_transaction(offsets, group, seconds))
        self._resume_until_done(self.producer.commit_transaction)

    @property
    def hung(self) -> bool:
        """True if a call exceeds all its timeouts. Only the end of the process ends such a call."""
        called = self._called
        return called is not None and time.monotonic() - called > self._hung_after

    def abort(self) -> bool:
        """Abort the transaction. Return False if Kafka does not answer. Then its timeout aborts it."""
        try:
            self.producer.abort_transaction(_LOOK_SECONDS if self._stop.is_set() else _ABORT_SECONDS)
        except KafkaException as error:
            log.warning("the transaction could not be aborted, so the broker aborts it at its timeout: %s", error)
            return False
        return True

    def pause(self, seconds: float) -> None:
        """Wait before the next transaction, unless the stream stops."""
        self._stop.wait(seconds)

    def _deliver(self) -> None:
        until = time.monotonic() + self._timeout
        while left := self.producer.flush(_LOOK_SECONDS):
            if self._stop.is_set() or time.monotonic() >= until:
                raise UnavailableError("Kafka", f"it did not take {left} records of a transaction in time")

    def _resume_until_done(self, call: Callable[[float], None]) -> None:
        """Wait for a call that resumes when it is called again (librdkafka's "retry call to resume")."""
        until = time.monotonic() + _ANSWER_SECONDS
        while True:
            self._called = time.monotonic()
            try:
                call(_LOOK_SECONDS)
            except KafkaException as error:
                self._called = None
                if self._stop.wait(_PAUSE_SECONDS) or time.monotonic() >= until or not error.args[0].retriable():
                    raise
            else:
                self._called = None
                return

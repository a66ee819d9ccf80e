"""The transactions of a stream's producer: its calls wait for Kafka, and a stop waits a few seconds for one of them."""

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
# A call of librdkafka can't be called off: this often it is looked whether `stop` is set.
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.05


class Transactions:
    """One at a time, of one producer. All of it raises KafkaException when Kafka refuses or takes too long."""

    def __init__(self, settings: StreamSettings, stop: threading.Event, logger: logging.Logger) -> None:
        """Fence whoever had this producer's name before."""
        self.producer = Producer(settings.producer_config(), logger=logger)
        self._timeout = settings.transaction_timeout
        self._stop = stop
        self._hung_after = settings.hung_after
        self._called: float | None = None
        self._patiently(self.producer.init_transactions)

    def begin(self) -> None:
        """Begin a transaction."""
        self.producer.begin_transaction()

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """Commit what was written, and these offsets with it.

        Raises:
            UnavailableError: Kafka did not take what was written.

        """
        # The commit waits for the same acknowledgements. Waited for here, the end of the last transaction is written
        # by the time that the offsets are sent: sent too early, they are turned away and come again with a delay.
        self._deliver()
        self._patiently(lambda seconds: self.producer.send_offsets_to_transaction(offsets, group, seconds))
        self._patiently(self.producer.commit_transaction)

    @property
    def hung(self) -> bool:
        """Whether a call does not come back, whatever its timeout; nothing but the end of the process ends it."""
        called = self._called
        return called is not None and time.monotonic() - called > self._hung_after

    def abort(self) -> None:
        """Abort the transaction, if Kafka answers; else its timeout does."""
        try:
            self.producer.abort_transaction(_LOOK_SECONDS if self._stop.is_set() else _ABORT_SECONDS)
        except KafkaException as error:
            log.warning("the transaction could not be aborted, its timeout will: %s", error)

    def _deliver(self) -> None:
        until = time.monotonic() + self._timeout
        while left := self.producer.flush(_LOOK_SECONDS):
            if self._stop.is_set() or time.monotonic() >= until:
                raise UnavailableError("Kafka", f"it did not take {left} records of a transaction in time")

    def _patiently(self, call: Callable[[float], None]) -> None:
        """Wait for a call that goes on where it was when it is called again (librdkafka's "retry call to resume")."""
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

"""Makes the cache of classes with which the brokers of the tests start in half the processor time."""

from __future__ import annotations

import fcntl
from pathlib import Path
from tempfile import TemporaryDirectory

from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka import class_cache
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.kafka.java import find_java


def make() -> None:
    """Make the cache if it does not exist. One process does this, and the others wait for it."""
    cache = class_cache.place(find_java())
    if cache is None or cache.exists():
        return
    from rondo.chassis.events.broker import create_topics  # noqa: PLC0415 - 0.2 s, and most make none

    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.exists():
            return
        with TemporaryDirectory() as folder, Kafka(Path(folder), brief=True) as broker:
            # Classes for these operations are also in the cache.
            create_topics(KafkaConnection(broker.bootstrap))

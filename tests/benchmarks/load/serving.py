"""The real serving service in a separate process, as `make bench ONLY=stream` measures it, and its outside view."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from rondo.contracts.kafka_connection import KafkaConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP = "serving"
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Setting:
    """The environment of a run. `traces` is the address of the spans' receiver."""

    bootstrap: str
    folder: Path
    traces: str


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def serving(
    setting: Setting, port: int | None = None, grpc_port: int | None = None, replica: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service with all features, and gRPC if it has a port. Yield when it is ready."""
    port = free_port() if port is None else port
    environment = os.environ | {
        "RONDO_KAFKA": setting.bootstrap, "RONDO_HTTP_PORT": str(port), "RONDO_REPLICA": str(replica),
        "RONDO_ARTIFACTS": str(setting.folder / "artifacts"), "RONDO_OTLP_ENDPOINT": setting.traces,
    }  # fmt: skip
    if grpc_port is not None:
        environment["RONDO_GRPC_PORT"] = str(grpc_port)
    with (setting.folder / "serving.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "rondo.serving"], env=environment, stderr=log)
        try:
            while not ready(port):
                alive(process, setting)
                time.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)  # a stopped process does not receive SIGTERM
            process.terminate()
            process.wait(20)


def wait_until_shared(setting: Setting, replicas: int, seconds: float = 60) -> None:
    """Wait until this many replicas have partitions of the requests, or exit."""
    admin, until = AdminClient(KafkaConnection(setting.bootstrap).confluent()), time.monotonic() + seconds
    while time.monotonic() < until:
        group = admin.describe_consumer_groups([_GROUP])[_GROUP].result(10)
        shares = [len(member.assignment.topic_partitions) for member in group.members]
        if len(shares) == replicas and all(shares) and max(shares) - min(shares) <= 1:
            return
        time.sleep(_LOOK_SECONDS)
    sys.exit(f"the partitions are not shared by {replicas} replicas after {seconds:g} s")


def alive(process: subprocess.Popen[bytes], setting: Setting) -> None:
    """End the benchmark with the service's log if the service has ended."""
    if process.poll() is not None:
        sys.exit((setting.folder / "serving.log").read_text())


def ready(port: int, path: str = "/readyz") -> bool:
    """Return whether a service on loopback answers 200 at a path."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def ends(setting: Setting, topic: str) -> list[TopicPartition]:
    consumer = Consumer({**KafkaConnection(setting.bootstrap).confluent(), "group.id": "unused"})
    partitions = [TopicPartition(topic, p) for p in consumer.list_topics(topic).topics[topic].partitions]
    found = [TopicPartition(topic, p.partition, _end(consumer, p)) for p in partitions]
    consumer.close()
    return found


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """Return the end offset of a partition, once it has a leader. A new partition has none at first."""
    while True:
        try:
            end: int = consumer.get_watermark_offsets(partition)[1]
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return end


def wait_until_answered(setting: Setting, process: subprocess.Popen[bytes], topic: str, group: str = _GROUP) -> None:
    """Wait until a group of the service has committed all of `topic`: answers and offsets are one transaction."""
    wanted = ends(setting, topic)
    # The consumer reads committed offsets of the group and never joins it. Offsets of an open transaction do not count.
    looker = Consumer(
        {**KafkaConnection(setting.bootstrap).confluent(), "group.id": group, "isolation.level": "read_committed"}
    )
    while any(
        max(got.offset, 0) < want.offset for got, want in zip(looker.committed(wanted, timeout=10), wanted, strict=True)
    ):
        alive(process, setting)
        time.sleep(_LOOK_SECONDS)
    looker.close()


def committed(
    setting: Setting, start: list[TopicPartition], wanted: int, limit: float
) -> Iterator[tuple[bytes, float]]:
    """Yield the messages that a read_committed reader sees from `start` on, and their times.

    The reader ends a second after `wanted` messages.
    """
    consumer = Consumer(
        {**KafkaConnection(setting.bootstrap).confluent(), "group.id": "unused", "isolation.level": "read_committed",
         "fetch.wait.max.ms": 5}
    )  # fmt: skip
    consumer.assign(start)
    deadline, seen = time.monotonic() + limit, 0
    while time.monotonic() < deadline:
        messages = consumer.consume(10_000, 0.005)
        now = time.time()
        if seen < wanted <= seen + len(messages):
            deadline = time.monotonic() + 1  # one more second, for answers that should not exist
        seen += len(messages)
        yield from ((message.value() or b"", now) for message in messages)
    consumer.close()

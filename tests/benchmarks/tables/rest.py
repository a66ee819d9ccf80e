"""`make bench ONLY=rest`: inference over HTTP as served, beside the same handler bare on granian.

Ours is `python -m rondo.serving` with everything on: token, checks of every value, the answer's row in the inference
log before the answer, metrics, traces. The peer is `peers/rest_granian.py`: the same request, graph and answer, and
nothing else, in an environment of its own. Both answer one row of 20 features to the same closed loop
(`load/http_load.py`) over 1 and 16 connections that stay open, in turns; a figure is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from rondo.chassis.events import broker as kafka
from rondo.contracts.access_tokens import Role, TokenSeed, secret_digest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka

from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.load.traces import Traces
from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.stream import deploy

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CONNECTIONS = (1, 16)
PATH = "/v2/models/bench/infer"
Figures = tuple[float, float, float]


def publish_token(setting: Setting) -> str:
    """Publish a token with the role predictor, as the registry does, and return it."""
    token_id, secret = "0123456789ab", "the-secret-of-the-benchmarks-" + "x" * 16
    event = TokenSeed(token_id, "benchmark", (Role.PREDICTOR,), secret_digest(secret)).created(datetime.now(UTC))
    envelope = Envelope("token", "rondo/bench", event.created_at, event)
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()
    return f"rondo_{token_id}_{secret}"


def load(port: int, token: str, connections: int) -> Figures:
    """Return requests a second, and the median and 99th percentile of an answer's time in ms."""
    command = [
        sys.executable,
        str(FOLDER / "load/http_load.py"),
        str(port),
        PATH,
        token,
        str(connections),
        str(SECONDS),
    ]
    rate, median, tail = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return float(rate), float(median), float(tail)


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def peer(python: Path, setting: Setting) -> Iterator[int]:
    """Run the bare server; yield its port once it answers."""
    port = free_port()
    command = [str(python), str(FOLDER / "peers/rest_granian.py"), str(setting.folder / "served.onnx"), str(port)]
    process = subprocess.Popen(command, cwd=FOLDER / "peers")  # noqa: S603
    try:
        while not listening(port):
            if process.poll() is not None:
                sys.exit("the bare server has ended")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def rounds(setting: Setting, token: str) -> dict[tuple[str, int], list[Figures]]:
    """Measure ours and the peer in turns; return the figures by name and number of connections."""
    figures: dict[tuple[str, int], list[Figures]] = {}
    python = environment.python()
    for number in range(ROUNDS):
        port = free_port()
        with serving(setting, port):
            for connections in CONNECTIONS:
                figures.setdefault(("rondo", connections), []).append(load(port, token, connections))
        if python:
            with peer(python, setting) as bare:
                for connections in CONNECTIONS:
                    figures.setdefault(("granian", connections), []).append(load(bare, "none", connections))
        shown = (
            f"{name} at {n}: {each[-1][0]:,.0f}/s, p99 {each[-1][2]:.1f} ms" for (name, n), each in figures.items()
        )
        sys.stdout.write(f"round {number + 1}: {'; '.join(shown)}\n")
        sys.stdout.flush()
    return figures


def table(figures: dict[tuple[str, int], list[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds, rates beside the peer's."""
    used = versions("onnxruntime", "lightgbm", "uvicorn", "starlette", "msgspec") | environment.pins()
    rows = []
    for connections in CONNECTIONS:
        rate, median, tail = (statistics.median(column) for column in zip(*figures["rondo", connections], strict=True))
        bare = figures.get(("granian", connections))
        other = statistics.median(each[0] for each in bare) if bare else None
        where = f"over {connections} connection{'s' * (connections > 1)}"
        rows.append(Row("rest", f"HTTP inferences {where}, logged, against granian bare", rate, other, "/s", "shown",
                        met=True, versions=used, ratio=rate / other if other else None))  # fmt: skip
        for name, value in (("median", median), ("99th percentile", tail)):
            row = f"time of an HTTP inference {where}, {name}"
            rows.append(Row("rest", row, value, None, "ms", "shown", met=True, versions=used))
    return rows


def main() -> int:
    """Run all rounds and print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="rondo-bench-") as folder,
        Kafka(Path(folder) / "kafka") as broker,
        Traces() as traces,
    ):
        setting = Setting(broker.bootstrap, Path(folder), traces.endpoint)
        kafka.create_topics(KafkaConnection(setting.bootstrap))
        token = publish_token(setting)
        asyncio.run(deploy(setting))
        return record(table(rounds(setting, token)))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=rest`: inference over HTTP as served, beside the same handler bare on granian, and beside a Bento.

Ours is `python -m rondo.serving` with everything on: token, checks of every value, the answer's row in the inference
log before the answer, metrics, traces. One peer is `peers/rest_granian.py`: the same request, graph and answer, and
nothing else, in an environment of its own. The other is the same version exported as a Bento, as `bentoml serve` runs
it: with the checks of the values, and without token and log. All answer one row of 20 features to the same closed loop
(`load/http_load.py`) over 1 and 16 connections that stay open, in turns; a figure is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer
from rondo.chassis.events import broker as kafka
from rondo.contracts.access_tokens import Role, TokenSeed, secret_digest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded.kafka.broker import Kafka

from tests.benchmarks.load.http_load import BENTO_PATH
from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.load.traces import Traces
from tests.benchmarks.peers import environment, http_servers
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.stream import deploy

LOAD = Path(__file__).resolve().parents[1] / "load/http_load.py"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CONNECTIONS = (1, 16)
PATH = "/v2/models/bench/infer"
PEERS = {"granian": "granian bare", "bentoml": "an exported Bento"}
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


def load(port: int, path: str, token: str, connections: int) -> Figures:
    """Return requests a second, and the median and 99th percentile of an answer's time in ms."""
    command = [sys.executable, str(LOAD), str(port), path, token, str(connections), str(SECONDS)]
    rate, median, tail = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return float(rate), float(median), float(tail)


def rounds(setting: Setting, token: str) -> dict[tuple[str, int], list[Figures]]:
    """Measure ours and the peers in turns; return the figures by name and number of connections."""
    figures: dict[tuple[str, int], list[Figures]] = {}

    def measure(name: str, port: int, path: str, token: str) -> None:
        for connections in CONNECTIONS:
            figures.setdefault((name, connections), []).append(load(port, path, token, connections))

    python, model = environment.python(), setting.folder / "served.onnx"
    for number in range(ROUNDS):
        port = free_port()
        with serving(setting, port):
            measure("rondo", port, PATH, token)
        if python:
            with http_servers.granian(python, model) as port:
                measure("granian", port, PATH, "none")
        with http_servers.bentoml(model, setting.folder / "bento") as port:
            measure("bentoml", port, BENTO_PATH, "none")
        shown = (
            f"{name} at {n}: {each[-1][0]:,.0f}/s, p50 {each[-1][1]:.1f} ms, p99 {each[-1][2]:.1f} ms"
            for (name, n), each in figures.items()
        )
        sys.stdout.write(f"round {number + 1}: {'; '.join(shown)}\n")
        sys.stdout.flush()
    return figures


def table(figures: dict[tuple[str, int], list[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds, rates beside the peers'."""
    used = versions("onnxruntime", "lightgbm", "uvicorn", "starlette", "msgspec", "bentoml") | environment.pins()
    rows = []
    for connections in CONNECTIONS:
        rate, median, tail = (statistics.median(column) for column in zip(*figures["rondo", connections], strict=True))
        where = f"over {connections} connection{'s' * (connections > 1)}"
        for peer, called in PEERS.items():
            measured = figures.get((peer, connections))
            other = statistics.median(each[0] for each in measured) if measured else None
            rows.append(Row("rest", f"HTTP inferences {where}, logged, against {called}", rate, other, "/s", "shown",
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

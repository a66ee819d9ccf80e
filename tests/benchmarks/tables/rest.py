"""`make bench ONLY=rest`: inference over HTTP as served, beside the same handler bare on granian, and beside a Bento.

Ours is `python -m rondo.serving` with everything on: token, checks of every value, the answer's row in the inference
log before the answer, metrics, traces. One peer is `peers/rest_granian.py`: the same request, graph and answer, and
nothing else, in an environment of its own. The other is the same version exported as a Bento, as `bentoml serve` runs
it: with the checks of the values, and without token and log. All answer one row of 20 features to the same closed loop
(`load/http_load.py`) over 1, 16 and 64 connections that stay open, in turns; a figure is the median of the rounds. The
CPU time of an answer holds where other work keeps the machine busy, and a rate does not. A second model with
`serving.log: buffered` answers before its row is logged.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from confluent_kafka import Producer
from rondo.contracts.access_tokens import Role, TokenSeed, secret_digest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection

from tests.benchmarks.load import closed_loop
from tests.benchmarks.load.closed_loop import Figures, medians
from tests.benchmarks.load.http_load import BENTO_PATH
from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.peers import environment, inference_servers
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.stream import deploy, platform

CONNECTIONS = (1, 16, 64)
# Of the rate of granian, at least; and of its 99th percentile over 16 connections, at most.
GOALS = {1: 0.5, 16: 1.0, 64: 1.3}
BUFFERED_GOALS = {1: 0.9, 16: 1.5}
TAIL_GOAL, TAIL_CONNECTIONS = 1.5, 16
PATH, BUFFERED_PATH = "/v2/models/bench/infer", "/v2/models/buffered/infer"
PEERS = {"granian": "granian bare", "bentoml": "an exported Bento"}


def publish_token(setting: Setting) -> str:
    """Publish a token with the role predictor, as the registry does, and return it."""
    token_id, secret = "0123456789ab", "the-secret-of-the-benchmarks-" + "x" * 16
    event = TokenSeed(token_id, "benchmark", (Role.PREDICTOR,), secret_digest(secret)).created(datetime.now(UTC))
    envelope = Envelope("token", "rondo/bench", event.created_at, event)
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()
    return f"rondo_{token_id}_{secret}"


def rounds(setting: Setting, token: str) -> dict[tuple[str, int], list[Figures]]:
    """Measure ours and the peers in turns; return the figures by name and number of connections."""
    figures: dict[tuple[str, int], list[Figures]] = {}

    def measure(name: str, port: int, pid: int, path: str, token: str) -> None:
        for connections in CONNECTIONS:
            figures.setdefault((name, connections), []).append(
                closed_loop.run("http_load.py", pid, port, path, token, connections)
            )

    python, model = environment.LOOPS.python(), setting.folder / "served.onnx"
    for number in range(closed_loop.ROUNDS):
        port = free_port()
        with serving(setting, port) as process:
            measure("rondo", port, process.pid, PATH, token)
            measure("buffered", port, process.pid, BUFFERED_PATH, token)
        if python:
            with inference_servers.granian(python, model) as (port, pid):
                measure("granian", port, pid, PATH, "none")
        with inference_servers.bentoml(model, setting.folder / "bento") as (port, pid):
            measure("bentoml", port, pid, BENTO_PATH, "none")
        shown = (
            f"{name} at {n}: {rate:,.0f}/s, p50 {median:.1f} ms, p99 {tail:.1f} ms, CPU {cpu:.2f} ms"
            for (name, n), each in figures.items()
            for rate, median, tail, cpu in each[-1:]
        )
        sys.stdout.write(f"round {number + 1}: {'; '.join(shown)}\n")
        sys.stdout.flush()
    return figures


def table(figures: dict[tuple[str, int], list[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds, rates and CPU times beside the peers'."""
    used = versions("onnxruntime", "lightgbm", "uvicorn", "starlette", "msgspec", "bentoml")
    used |= environment.LOOPS.versions
    rows = []

    def row(name: str, ours: float, unit: str, peer: float | None, goal: str = "shown", *, met: bool = True) -> None:
        ratio = ours / peer if peer else None
        rows.append(Row("rest", name, ours, peer, unit, goal, met=met, versions=used, ratio=ratio))

    for connections in CONNECTIONS:
        rate, median, tail, cpu = medians(figures["rondo", connections])
        where = f"over {connections} connection{'s' * (connections > 1)}"
        for peer, called in PEERS.items():
            measured = figures.get((peer, connections))
            other = medians(measured) if measured else None
            goal = GOALS[connections] if peer == "granian" else None
            row(
                f"HTTP inferences {where}, logged, against {called}", rate, "/s", other and other[0],
                f"at least {goal:g} of it" if goal else "shown",
                met=goal is None or (other is not None and rate >= goal * other[0]),
            )  # fmt: skip
            row(f"CPU time of an HTTP inference {where}, logged, against {called}", cpu, "ms", other and other[3])
        bare = figures.get(("granian", connections))
        buffered, _, _, buffered_cpu = medians(figures["buffered", connections])
        other, goal = medians(bare) if bare else None, BUFFERED_GOALS.get(connections)
        row(
            f"HTTP inferences {where}, log buffered, against {PEERS['granian']}", buffered, "/s", other and other[0],
            f"at least {goal:g} of it" if goal else "shown",
            met=goal is None or (other is not None and buffered >= goal * other[0]),
        )  # fmt: skip
        row(
            f"CPU time of an HTTP inference {where}, log buffered, against {PEERS['granian']}", buffered_cpu, "ms",
            other and other[3],
        )  # fmt: skip
        peer_tail = medians(bare)[2] if bare else None
        row(f"time of an HTTP inference {where}, median", median, "ms", medians(bare)[1] if bare else None)
        bounded = connections == TAIL_CONNECTIONS
        row(
            f"time of an HTTP inference {where}, 99th percentile", tail, "ms", peer_tail,
            f"at most {TAIL_GOAL:g} of granian's" if bounded else "shown",
            met=not bounded or (peer_tail is not None and tail <= TAIL_GOAL * peer_tail),
        )  # fmt: skip
    return rows


def main() -> int:
    """Run all rounds and print the figures."""
    with platform() as (setting, _):
        token = publish_token(setting)
        asyncio.run(deploy(setting))
        return record(table(rounds(setting, token)))


if __name__ == "__main__":
    sys.exit(main())

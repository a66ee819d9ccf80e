"""`make bench ONLY=rest`: inference over HTTP as served, beside the same handler bare on granian, and beside peers.

Ours is `python -m rondo.serving` with everything on: token, checks of every value, the answer's row in the inference
log before the answer, metrics, traces. A second model with `serving.log: buffered` answers before its row is logged.
The peers answer the same row by the same trees in one process, without token and log, each as its documentation shows:

- `peers/serving/rest_granian.py`: the same request, graph and answer, and nothing else, on granian.
- `peers/serving/inference_mlserver.py`: a custom runtime in MLServer, the same request.
- `peers/serving/inference_kserve.py`: a custom model in KServe's own server, the same request.
- `peers/serving/inference_bentoml.py`: an `@bentoml.api`, with the row as one array.
- the same version exported as a Bento, as `bentoml serve` runs it, with the checks of the values.

All get the same closed loop (`load/http_load.py`) over 1, 16 and 64 connections that stay open, in turns. A figure is
the median of the rounds. The CPU time of an answer holds where other work keeps the machine busy, and a rate does not.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from rondo.contracts.access_tokens import Role, TokenSeed, secret_digest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.kafka_connection import KafkaConnection

from tests.benchmarks.load import closed_loop
from tests.benchmarks.load.closed_loop import Figures, medians
from tests.benchmarks.load.http_load import BENTO_PATH, SCORE_PATH
from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.peers import environment
from tests.benchmarks.peers.serving import inference_servers
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.stream import deploy, platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CONNECTIONS = (1, 16, 64)
PATH, BUFFERED_PATH = "/v2/models/bench/infer", "/v2/models/buffered/infer"
# The goals of the buffered log: the lowest shares of granian's rate.
BUFFERED_GOALS = {1: 0.9, 16: 1.5}
TAIL_CONNECTIONS = 16
Measured = dict[tuple[str, int], list[Figures]]


@dataclass(frozen=True)
class Peer:
    """A peer, its name in a row, and the goals as shares of its figures.

    They are by number of connections: the least share of its rate, and the largest share of its 99th percentile.
    `start` yields the port and the process id, or None if the peer has no environment.
    """

    called: str
    start: Callable[[Setting], AbstractContextManager[tuple[int, int] | None]]
    path: str = PATH
    rates: Mapping[int, float] = field(default_factory=dict)
    tail: float | None = None


@contextmanager
def granian(setting: Setting) -> Iterator[tuple[int, int] | None]:
    if (python := environment.LOOPS.python()) is None:
        yield None
        return
    with inference_servers.granian(python, setting.folder / "served.onnx") as running:
        yield running


@contextmanager
def mlserver(setting: Setting) -> Iterator[tuple[int, int] | None]:
    if (python := environment.MLSERVER.python()) is None:
        yield None
        return
    with inference_servers.mlserver(python, setting.folder / "served.onnx") as (port, _, pid):
        yield port, pid


@contextmanager
def kserve(setting: Setting) -> Iterator[tuple[int, int] | None]:
    if (python := environment.KSERVE.python()) is None:
        yield None
        return
    with inference_servers.kserve(python, setting.folder / "served.onnx") as running:
        yield running


def bentoml(setting: Setting) -> AbstractContextManager[tuple[int, int]]:
    return inference_servers.bentoml(setting.folder / "plain.onnx", setting.folder / "bentoml")


def exported(setting: Setting) -> AbstractContextManager[tuple[int, int]]:
    return inference_servers.exported_bento(setting.folder / "served.onnx", setting.folder / "bento")


PEERS = {
    "granian": Peer("granian bare", granian, rates={1: 0.5, 16: 1.0, 64: 1.3}, tail=1.5),
    "mlserver": Peer("MLServer", mlserver, rates={16: 4, 64: 4}, tail=0.2),
    "kserve": Peer("KServe's server", kserve, rates={16: 2, 64: 2}, tail=0.2),
    "bentoml": Peer("an API of BentoML", bentoml, SCORE_PATH, {16: 8, 64: 8}, 0.2),
    "exported": Peer("an exported Bento", exported, BENTO_PATH),
}


def publish_token(setting: Setting) -> str:
    """Publish a token with the role predictor, as the registry does, and return it."""
    token_id, secret = "0123456789ab", "the-secret-of-the-benchmarks-" + "x" * 16
    event = TokenSeed(token_id, "benchmark", (Role.PREDICTOR,), secret_digest(secret)).created(datetime.now(UTC))
    envelope = Envelope("token", "rondo/bench", event.created_at, event)
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()
    return f"rondo_{token_id}_{secret}"


def rounds(setting: Setting, token: str) -> Measured:
    """Measure ours and the peers in turns. Return the figures by name and number of connections."""
    figures: Measured = {}

    def measure(name: str, port: int, pid: int, path: str, token: str) -> None:
        for connections in CONNECTIONS:
            taken = closed_loop.run("http_load", pid, port, path, token, connections)
            figures.setdefault((name, connections), []).append(taken)
            sys.stdout.write(closed_loop.shown(f"{name} at {connections}", taken) + "\n")
            sys.stdout.flush()

    for _ in range(closed_loop.ROUNDS):
        port = free_port()
        with serving(setting, port) as process:
            measure("rondo", port, process.pid, PATH, token)
            measure("buffered", port, process.pid, BUFFERED_PATH, token)
        for name, peer in PEERS.items():
            with peer.start(setting) as running:
                if running:
                    measure(name, *running, peer.path, "none")
    return figures


def table(figures: Mapping[tuple[str, int], Sequence[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds beside each peer's."""
    used = versions("onnxruntime", "lightgbm", "uvicorn", "starlette", "msgspec", "bentoml")
    for each in (environment.LOOPS, environment.MLSERVER, environment.KSERVE):
        used |= each.versions
    taken = {key: medians(each) for key, each in figures.items()}
    rows = []
    for n in CONNECTIONS:
        where = f"over {n} connection{'s' * (n > 1)}"
        for name, peer in PEERS.items():
            rows += _beside(peer, f"{where}, logged", n, taken["rondo", n], taken.get((name, n)), used)
        granian = PEERS["granian"]
        buffered = Peer(granian.called, granian.start, rates=BUFFERED_GOALS)
        rows += _beside(buffered, f"{where}, log buffered", n, taken["buffered", n], taken.get(("granian", n)), used)
    return rows


def _beside(
    peer: Peer, where: str, connections: int, ours: Figures, other: Figures | None, used: dict[str, str]
) -> Iterator[Row]:
    """Yield the four figures with those of the peer. A peer that could not run meets no goal."""
    least, most = peer.rates.get(connections), peer.tail if connections == TAIL_CONNECTIONS else None
    fast = least is None or (other is not None and ours.rate >= least * other.rate)
    steady = most is None or (other is not None and ours.tail <= most * other.tail)
    goals = (
        (f"at least {least:g} of it" if least else "shown", fast),
        ("shown", True),
        (f"at most {most:g} of it" if most else "shown", steady),
        ("shown", True),
    )
    names = (
        (f"HTTP inferences {where}, against {peer.called}", "/s"),
        (f"time of an HTTP inference {where}, median, against {peer.called}", "ms"),
        (f"time of an HTTP inference {where}, 99th percentile, against {peer.called}", "ms"),
        (f"CPU time of an HTTP inference {where}, against {peer.called}", "ms"),
    )
    for place, ((name, unit), (goal, met)) in enumerate(zip(names, goals, strict=True)):
        theirs = other[place] if other else None
        ratio = ours[place] / theirs if theirs else None
        yield Row("rest", name, ours[place], theirs, unit, goal, met=met, versions=used, ratio=ratio)


def main() -> int:
    """Run all rounds and record the figures."""
    with platform() as (setting, _):
        token = publish_token(setting)
        deploy(setting)
        return record(table(rounds(setting, token)))


if __name__ == "__main__":
    sys.exit(main())

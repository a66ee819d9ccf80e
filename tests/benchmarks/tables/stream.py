"""`make bench ONLY=stream`: the prediction stream as served, beside the same stream by hand and in frameworks.

Ours is `python -m rondo.serving` with everything on: checks of every field, inference log, metrics, traces (spans go
to a collector on loopback, and are counted), answers with model, version, digest and time, and exactly-once verified
afterwards by a reader of its own. The peers of `peers/serving/` score the same values by the same trees on the same
broker, each in an environment of its own, and write an id and a score: the loops of `stream_loops.py`, FastStream
(`stream_faststream.py`), Quix Streams (`stream_quix.py`) and MLServer (`inference_mlserver.py`). A row says what a
crash does to answers. All run in turns. The figure is the median of the rounds. A slow peer reads fewer messages.

Our clock runs from the moment at which the service is woken, all requests being there, to the one at which Kafka has
the last answer committed, seen from outside, and so does MLServer's. Another peer's runs from the first message in its
hands to its last commit.

The time of an answer is taken by an open loop, at 1,000 requests a second and at half of the rate of this run, beside
an echo: a loop that commits each request as its answer, in transactions, as soon as it has one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from confluent_kafka import Producer
from rondo.chassis.artifacts import Artifacts
from rondo.chassis.events import broker as kafka
from rondo.contracts.events import logs
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged, Route
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.spec.model import Feature
from rondo.contracts.topics import PREDICTIONS_FAILED
from rondo.contracts.vocabularies import LogDelivery
from rondo.embedded.kafka.broker import Kafka

from tests.benchmarks.load import open_loop
from tests.benchmarks.load.serving import (
    Setting,
    committed,
    cpu_seconds,
    ends,
    serving,
    wait_until_answered,
    wait_until_shared,
)
from tests.benchmarks.load.traces import Traces
from tests.benchmarks.peers import environment
from tests.benchmarks.peers.serving import streams
from tests.benchmarks.peers.serving.stream_loops import FEATURES, REQUESTS
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COUNT = int(os.environ.get("BENCH_COUNT", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE, SATURATED, SECONDS = 1_000, "half of saturation", 10
# The largest shares of the echo's median and 99th percentile.
ECHO_GOALS = (1.5, 2.0)
MADE = PredictionMade.topic
Figures = tuple[float, float]
# The rate, and the times of ours and of the echo.
Latency = tuple[float, Figures, Figures | None]


@dataclass(frozen=True)
class Workload:
    """A number of requests to a model with these features."""

    model: str
    features: Sequence[str]
    count: int

    @property
    def large(self) -> bool:
        """True if requests are so large that not all of them fit into the queue of a producer."""
        return len(self.features) > 100


TREES = Workload("bench", FEATURES, COUNT)


@dataclass(frozen=True)
class Peer:
    """A peer, and its name in a row. `goal` is the lowest share of its rate. It reads one of `fewer` messages."""

    called: str
    environment: environment.Environment
    run: Callable[[Setting, Path, int], Figures]
    goal: float
    fewer: int = 1


def _by(command: str) -> Callable[[Setting, Path, int], Figures]:
    return lambda setting, python, count: streams.run(setting, python, command, count)


PEERS = {
    "aiokafka": Peer("predictions, exactly once, against aiokafka by hand", environment.LOOPS,
                     _by("stream_loops.py aiokafka"), 0.9),
    "confluent": Peer("predictions, exactly once, against confluent by hand", environment.LOOPS,
                      _by("stream_loops.py confluent"), 0.9),
    "faststream": Peer("predictions, exactly once, against FastStream in batches, at least once",
                       environment.FASTSTREAM, _by("stream_faststream.py"), 2),
    "quix": Peer("predictions, exactly once, against Quix Streams, exactly once", environment.QUIX,
                 _by("stream_quix.py"), 7, 4),
    "mlserver": Peer("predictions, exactly once, against MLServer's Kafka, at most once", environment.MLSERVER,
                     streams.mlserver, 50, 40),
}  # fmt: skip


def fill(setting: Setting, run: str, workload: Workload) -> None:
    """Write requests with unique ids."""
    rng, features = np.random.default_rng(1), workload.features
    pool = [
        orjson.dumps(dict(zip(features, row, strict=True)))
        for row in rng.normal(size=(100_000 // len(features), len(features))).round(4).tolist()
    ]
    producer = Producer({**KafkaConnection(setting.bootstrap).confluent(), "linger.ms": 20})
    head = b'","model":"%b","features":' % workload.model.encode()
    for number in range(workload.count):
        name = f"{run}-{number}".encode()
        producer.produce(REQUESTS, b'{"id":"%b%b%b}' % (name, head, pool[number % len(pool)]), key=b"%d" % number)
        if number % 1000 == 0:
            producer.poll(0)
            if workload.large:
                producer.flush()
    producer.flush()


def deploy(setting: Setting) -> None:
    """Store the model in both forms, and deploy it, under another name with a buffered log, too."""
    from tests.benchmarks.load import model  # noqa: PLC0415 - its converter takes seconds to import

    content = model.plain()
    (setting.folder / "plain.onnx").write_bytes(content)
    served = model.per_feature(content)
    (setting.folder / "served.onnx").write_bytes(served)
    publish(setting, "bench", served, FEATURES)
    publish(setting, "buffered", served, FEATURES, LogDelivery.BUFFERED)


def publish(
    setting: Setting, model: str, content: bytes, names: Sequence[str], log: LogDelivery = LogDelivery.ACKNOWLEDGED
) -> None:
    """Store a model with features of type float, and publish its deployment, as the registry does."""
    digest = asyncio.run(Artifacts(str(setting.folder / "artifacts")).put(content))
    features = {name: Feature(type="float") for name in names}
    route = Route(model_version=1, digest=digest, share=1, role="primary", features=features, log=log)
    event = DeploymentChanged(model=model, revision=1, routes=(route,))
    envelope = Envelope(f"{model}-1", "rondo/bench", datetime.now(UTC), event)
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()


def stream_once(setting: Setting, traces: Traces, run: str, workload: Workload, replicas: int = 1) -> Figures:
    """Serve every request. Return messages per second, and CPU microseconds per message.

    Exit if a request is not answered exactly once.
    """
    count = workload.count
    starts = {topic: ends(setting, topic) for topic in (MADE, logs.PREDICTIONS_LOG, PREDICTIONS_FAILED)}
    with ExitStack() as stack:
        processes = [stack.enter_context(serving(setting, replica=replica)) for replica in range(replicas)]
        wait_until_shared(setting, replicas)
        # The service is stopped while the requests are written, so that all of them wait for it, as for the peers,
        # after its warm-up.
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        fill(setting, run, workload)
        cpu, woken = -sum(map(cpu_seconds, processes)), time.perf_counter()
        for process in processes:
            process.send_signal(signal.SIGCONT)
        wait_until_answered(setting, processes[0], REQUESTS)
        took, cpu = time.perf_counter() - woken, cpu + sum(map(cpu_seconds, processes))
    answers = [orjson.loads(value)["id"] for value, _ in committed(setting, starts[MADE], count, 60)]
    logged = [decoded for value, _ in committed(setting, starts[logs.PREDICTIONS_LOG], 0, 2) for decoded in
              logs.decode(value).column("id").to_pylist()]  # fmt: skip
    failed = sum(1 for _ in committed(setting, starts[PREDICTIONS_FAILED], 0, 0.5))
    asked = sorted(f"{run}-{number}" for number in range(count))
    if sorted(answers) != asked or sorted(logged) != asked or failed:
        sys.exit(f"not exactly once: {len(answers)} answers, {len(logged)} logged, {failed} failed of {count}")
    if (traced := traces.messages()) < count:
        sys.exit(f"tracing was not on: its spans cover {traced} of {count} messages")
    return count / took, cpu / count * 1e6


def answer_times(setting: Setting, rate: float, count: int) -> list[float]:
    """Return the seconds of each answer, in the order of the requests."""
    with serving(setting) as process:
        # The requests of a peer, which this service has not answered yet.
        wait_until_answered(setting, process, REQUESTS)
        return open_loop.answer_times(setting, MADE, rate, count)


def latencies(setting: Setting, saturated: float) -> dict[str, Latency]:
    """Return the times of answers at each rate, ours and the echo's."""
    python, found = environment.LOOPS.python(), {}
    for name, rate in ((f"{RATE:,} requests/s", RATE), (SATURATED, round(saturated / 2))):
        count = int(rate * SECONDS)
        ours, other = of_times(answer_times(setting, rate, count)), None
        if python:
            with streams.echo(setting, python):
                other = of_times(open_loop.answer_times(setting, streams.ANSWERS.name, rate, count))
        found[name] = (rate, ours, other)
        sys.stdout.write(f"{name}, {rate:,}/s: p50 and p99 in ms: ours {ours}, an echo {other}\n")
        sys.stdout.flush()
    return found


def of_times(seconds: list[float]) -> Figures:
    """Return the median and the 99th percentile in ms."""
    return float(np.percentile(seconds, 50) * 1e3), float(np.percentile(seconds, 99) * 1e3)


def rounds(setting: Setting, traces: Traces) -> dict[str, list[Figures]]:
    """Run ours and the peers in turns. Return the figures of each."""
    figures: dict[str, list[Figures]] = {}

    def took(name: str, each: Figures) -> None:
        figures.setdefault(name, []).append(each)
        sys.stdout.write(f"{name} {each[0]:,.0f} msg/s, {each[1]:.1f} us CPU\n")
        sys.stdout.flush()

    for number in range(ROUNDS):
        took("rondo", stream_once(setting, traces, f"round-{number}", TREES))
        for name, peer in PEERS.items():
            if python := peer.environment.python():
                took(name, peer.run(setting, python, COUNT // peer.fewer))
    return figures


def table(figures: dict[str, list[Figures]], times: dict[str, Latency]) -> list[Row]:
    """Return the rows: the median of the rounds beside each peer's, where there is one, and the times of answers."""
    taken = {name: tuple(map(statistics.median, zip(*each, strict=True))) for name, each in figures.items()}
    (rate, cpu), rows = taken["rondo"], []
    for name, peer in PEERS.items():
        their_rate, their_cpu = taken.get(name, (None, None))
        used = peer.environment
        rows.append(_row(peer.called, rate, their_rate, "msg/s", used, least=peer.goal))
        rows.append(_row(f"CPU time of {peer.called}", cpu, their_cpu, "us", used))
    for name, (_, ours, echo) in times.items():
        for which, mine, theirs, goal in zip(
            ("median", "99th percentile"), ours, echo or (None, None), ECHO_GOALS, strict=True
        ):
            most = goal if name == SATURATED else None
            rows.append(_row(f"latency at {name}, {which}", mine, theirs, "ms", environment.LOOPS, most=most))
    return rows


def _row(
    name: str, ours: float, peer: float | None, unit: str, used: environment.Environment, *,
    least: float | None = None, most: float | None = None,
) -> Row:  # fmt: skip
    """Return a row. A peer that could not run meets no goal."""
    ratio = ours / peer if peer else None
    goal = f"at least {least:g}" if least else f"at most {most:g} of an echo's" if most else "shown"
    met = (ratio is not None and (least or 0) <= ratio <= (most or ratio)) or goal == "shown"
    found = versions("confluent-kafka", "aiokafka", "onnxruntime", "lightgbm", "msgspec") | used.versions
    return Row("stream", name, ours, peer, unit, goal, met=met, versions=found, ratio=ratio)


@contextmanager
def platform() -> Iterator[tuple[Setting, Traces]]:
    """Run a broker with all topics, and a collector of traces."""
    with (
        tempfile.TemporaryDirectory(prefix="rondo-bench-") as folder,
        Kafka(Path(folder) / "kafka") as broker,
        Traces() as traces,
    ):
        kafka.create_topics(KafkaConnection(broker.bootstrap))
        yield Setting(broker.bootstrap, Path(folder), traces.endpoint), traces


def main() -> int:
    """Run all rounds and record the figures."""
    with platform() as (setting, traces):
        kafka.create_topics(KafkaConnection(setting.bootstrap), [streams.ANSWERS, streams.INFERENCES])
        deploy(setting)
        figures = rounds(setting, traces)
        saturated = statistics.median(rate for rate, _ in figures["rondo"])
        return record(table(figures, latencies(setting, saturated)))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=stream`: the prediction stream as served, beside the same stream written by hand.

Ours is `python -m rondo.serving` with everything on: checks of every field, inference log, metrics, traces (spans go
to a collector on loopback, and are counted), answers with model, version, digest and time, and exactly-once verified
afterwards by a reader of its own. The peers are the loops of `peers/stream_loops.py`, in an environment of their own.
All read the same topic on the same broker, in turns; the figure is the median of the rounds.

Our clock runs from the moment at which the service is woken, all requests being there, to the one at which Kafka has
the last answer committed, seen from outside. A peer's runs from the first message in its hands to its last commit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from rondo.contracts.topics import PREDICTIONS_FAILED, Topic
from rondo.contracts.vocabularies import LogDelivery
from rondo.embedded.kafka.broker import Kafka

from tests.benchmarks.load.serving import Setting, committed, cpu_seconds, ends, serving, wait_until_answered
from tests.benchmarks.load.traces import Traces
from tests.benchmarks.peers import environment
from tests.benchmarks.peers.stream_loops import FEATURES, REQUESTS
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = Path(__file__).resolve().parents[1] / "peers"
COUNT = int(os.environ.get("BENCH_COUNT", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE, SECONDS = 1_000, 10
GOAL = 0.9
LOOPS = ("aiokafka", "confluent")
# As large as the batches that a peer may make: the default would refuse them.
PEER_ANSWERS = Topic("peer.answers", "peer", (), "", partitions=6, max_message_bytes=8 << 20)
MADE = PredictionMade.topic
Figures = tuple[float, float]


def fill(setting: Setting, count: int, run: str) -> None:
    """Write requests with ids of their own."""
    rng = np.random.default_rng(1)
    pool = [
        orjson.dumps(dict(zip(FEATURES, row, strict=True))) for row in rng.normal(size=(5_000, 20)).round(4).tolist()
    ]
    producer = Producer({**KafkaConnection(setting.bootstrap).confluent(), "linger.ms": 20})
    for number in range(count):
        value = b'{"id":"%b-%d","model":"bench","features":%b}' % (run.encode(), number, pool[number % len(pool)])
        producer.produce(REQUESTS, value, key=b"%d" % number)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()


async def deploy(setting: Setting) -> None:
    """Store the model in both forms, and deploy it, under another name with a buffered log, too."""
    from tests.benchmarks.load import model  # noqa: PLC0415 - its converter takes seconds to import

    content = model.plain()
    (setting.folder / "plain.onnx").write_bytes(content)
    served = model.per_feature(content)
    (setting.folder / "served.onnx").write_bytes(served)
    digest = await Artifacts(str(setting.folder / "artifacts")).put(served)
    features = {name: Feature(type="float") for name in FEATURES}
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    for name, log in (("bench", LogDelivery.ACKNOWLEDGED), ("buffered", LogDelivery.BUFFERED)):
        route = Route(model_version=1, digest=digest, share=1, role="primary", features=features, log=log)
        event = DeploymentChanged(model=name, revision=1, routes=(route,))
        envelope = Envelope(f"{name}-1", "rondo/bench", datetime.now(UTC), event)
        producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()


def stream_once(setting: Setting, traces: Traces, run: str) -> Figures:
    """Serve every request; return messages a second, and CPU microseconds a message. Exits when any is not once."""
    starts = {topic: ends(setting, topic) for topic in (MADE, logs.PREDICTIONS_LOG, PREDICTIONS_FAILED)}
    with serving(setting) as process:
        # Stopped while the requests are written, so that it meets all of them at once, as the peers do, and warm.
        process.send_signal(signal.SIGSTOP)
        fill(setting, COUNT, run)
        cpu, woken = -cpu_seconds(process), time.perf_counter()
        process.send_signal(signal.SIGCONT)
        wait_until_answered(setting, process, REQUESTS)
        took, cpu = time.perf_counter() - woken, cpu + cpu_seconds(process)
    answers = [orjson.loads(value)["id"] for value, _ in committed(setting, starts[MADE], COUNT, 60)]
    logged = [decoded for value, _ in committed(setting, starts[logs.PREDICTIONS_LOG], 0, 2) for decoded in
              logs.decode(value).column("id").to_pylist()]  # fmt: skip
    failed = sum(1 for _ in committed(setting, starts[PREDICTIONS_FAILED], 0, 0.5))
    asked = sorted(f"{run}-{number}" for number in range(COUNT))
    if sorted(answers) != asked or sorted(logged) != asked or failed:
        sys.exit(f"not exactly once: {len(answers)} answers, {len(logged)} logged, {failed} failed of {COUNT}")
    if (traced := traces.messages()) < COUNT:
        sys.exit(f"tracing was not on: its spans cover {traced} of {COUNT} messages")
    return COUNT / took, cpu / COUNT * 1e6


def peer_once(setting: Setting, python: Path, loop: str) -> Figures:
    """Run a loop written by hand; return its figures as above."""
    command = [str(python), str(PEERS / "stream_loops.py"), loop, setting.bootstrap,
               str(setting.folder / "plain.onnx"), PEER_ANSWERS.name, str(COUNT)]  # fmt: skip
    rate, cpu = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return float(rate), float(cpu)


def send_evenly(setting: Setting, rate: float, count: int) -> dict[str, float]:
    """Send so many requests a second, whatever the answers (open loop); return when each was due, by id."""
    template = orjson.dumps(dict.fromkeys(FEATURES, 0.5))
    producer = Producer({**KafkaConnection(setting.bootstrap).confluent(), "linger.ms": 0})
    began, sent = time.time(), {}
    for number in range(count):
        due = began + number / rate
        if (wait := due - time.time()) > 0:
            time.sleep(wait)
        producer.produce(REQUESTS, b'{"id":"l%d","model":"bench","features":%b}' % (number, template))
        producer.poll(0)
        sent[f"l{number}"] = due
    producer.flush()
    return sent


def answer_times(setting: Setting, rate: float, count: int) -> list[float]:
    """Return the seconds from when each request was due to when its answer is visible, in the order of the requests."""
    limit = count / rate + 10
    with serving(setting), ThreadPoolExecutor(1) as thread:
        start = ends(setting, MADE)
        reading = thread.submit(lambda: list(committed(setting, start, count, limit)))
        sent = send_evenly(setting, rate, count)
        seen = {orjson.loads(value)["id"]: at for value, at in reading.result()}
    if seen.keys() != sent.keys():
        sys.exit(f"{len(sent.keys() - seen.keys())} of {count} requests had no answer within {limit:.0f} s")
    return [seen[each] - sent[each] for each in sent]


def latency(setting: Setting) -> Figures:
    """Return the median and the 99th percentile of an answer's time in ms."""
    took = answer_times(setting, RATE, RATE * SECONDS)
    return float(np.percentile(took, 50) * 1e3), float(np.percentile(took, 99) * 1e3)


def rounds(setting: Setting, traces: Traces) -> dict[str, list[Figures]]:
    """Run ours and the peers in turns; return the figures of each."""
    figures: dict[str, list[Figures]] = {"rondo": []}
    python = environment.LOOPS.python()
    for number in range(ROUNDS):
        figures["rondo"].append(stream_once(setting, traces, f"round-{number}"))
        for loop in LOOPS if python else ():
            figures.setdefault(loop, []).append(peer_once(setting, python, loop))
        figures_of = (f"{name} {each[-1][0]:,.0f} msg/s, {each[-1][1]:.1f} us CPU" for name, each in figures.items())
        sys.stdout.write(f"round {number + 1}: {', '.join(figures_of)}\n")
        sys.stdout.flush()
    return figures


def table(figures: dict[str, list[Figures]], median: float, tail: float) -> list[Row]:
    """Return the rows: the median of the rounds beside each peer's, where there is one."""
    used = versions("confluent-kafka", "aiokafka", "onnxruntime", "lightgbm", "msgspec") | environment.LOOPS.versions
    rate = {name: statistics.median(rate for rate, _ in each) for name, each in figures.items()}
    ours, rows = rate["rondo"], []
    for loop in LOOPS:
        peer = rate.get(loop)
        ratio = ours / peer if peer else None
        met = ratio is not None and ratio >= GOAL
        rows.append(Row("stream", f"predictions, exactly once, against {loop} by hand", ours, peer, "msg/s",
                        "at least 0.9", met=met, versions=used, ratio=ratio))  # fmt: skip
    for name, value in (("median", median), ("99th percentile", tail)):
        row = f"latency at {RATE:,} requests/s, {name}"
        rows.append(Row("stream", row, value, None, "ms", "shown", met=True, versions=used))
    return rows


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
        kafka.create_topics(KafkaConnection(setting.bootstrap), [PEER_ANSWERS])
        asyncio.run(deploy(setting))
        figures = rounds(setting, traces)
        return record(table(figures, *latency(setting)))


if __name__ == "__main__":
    sys.exit(main())

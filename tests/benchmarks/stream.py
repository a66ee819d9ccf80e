"""`make bench ONLY=stream`: the prediction stream as served, beside the same stream written by hand.

Ours is `python -m rondo.serving` with everything on: checks of every field, inference log, metrics, traces (a span
per micro-batch, recorded by a provider without an exporter), answers with model, version, digest and time, and
exactly-once verified afterwards by a reader of its own. The peers are the loops of `_stream_peers.py`. All read the
same topic on the same broker, in turns; the figure is the median of the rounds. Ours is a running service, stopped
while the requests are written. Our clock runs from the first
micro-batch's answers to the last one's, and does not count the first; the peers' from their first message.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import _stream_model
import numpy as np
import orjson
from _stream_peers import FEATURES, REQUESTS
from confluent_kafka import Consumer, Producer, TopicPartition
from results import Row, record, versions
from rondo.chassis import kafka
from rondo.chassis.artifacts import Artifacts
from rondo.contracts import logs
from rondo.contracts.cloudevents import Envelope
from rondo.contracts.deployment import DeploymentChanged, Route
from rondo.contracts.predictions import PredictionMade
from rondo.contracts.spec import Feature
from rondo.contracts.topics import PREDICTIONS_FAILED, Topic
from rondo.embedded.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
COUNT = int(os.environ.get("BENCH_COUNT", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE, SECONDS = 1_000, 10
PEER_ANSWERS = "peer.answers"
MADE = PredictionMade.topic


@dataclass(frozen=True)
class Setting:
    """What a run needs."""

    bootstrap: str
    folder: Path


def fill(setting: Setting, count: int, run: str) -> None:
    """Write requests with ids of their own."""
    rng = np.random.default_rng(1)
    pool = [
        orjson.dumps(dict(zip(FEATURES, row, strict=True))) for row in rng.normal(size=(5_000, 20)).round(4).tolist()
    ]
    producer = Producer({"bootstrap.servers": setting.bootstrap, "linger.ms": 20})
    for number in range(count):
        value = b'{"id":"%b-%d","model":"bench","features":%b}' % (run.encode(), number, pool[number % len(pool)])
        producer.produce(REQUESTS, value, key=b"%d" % number)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()


async def deploy(setting: Setting) -> None:
    """Store the model both ways, and say that it should serve."""
    content = _stream_model.plain()
    (setting.folder / "plain.onnx").write_bytes(content)
    digest = await Artifacts(str(setting.folder / "artifacts")).put(_stream_model.per_feature(content))
    features = {name: Feature(type="float") for name in FEATURES}
    route = Route(model_version=1, digest=digest, share=1, role="champion", features=features)
    event = DeploymentChanged(model="bench", revision=1, routes=(route,))
    envelope = Envelope("bench-1", "rondo/bench", datetime.now(UTC), event)
    producer = Producer({"bootstrap.servers": setting.bootstrap})
    producer.produce(event.topic, envelope.value(), event.key, headers=list(envelope.headers().items()))
    producer.flush()


@contextmanager
def serving(setting: Setting) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real service, and yield once it is ready."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {
        "RONDO_KAFKA": setting.bootstrap, "RONDO_HTTP_PORT": str(port), "RONDO_API_TOKEN": "benchmark-benchmark",
        "RONDO_ARTIFACTS": str(setting.folder / "artifacts"),
    }  # fmt: skip
    with (setting.folder / "serving.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "rondo.serving"], env=environment, stderr=log)
        try:
            while not _ready(port):
                if process.poll() is not None:
                    sys.exit((setting.folder / "serving.log").read_text())
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait(20)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return what a process used so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def ends(setting: Setting, topic: str) -> list[TopicPartition]:
    """Return the end of each partition."""
    consumer = Consumer({"bootstrap.servers": setting.bootstrap, "group.id": "unused"})
    partitions = [TopicPartition(topic, p) for p in consumer.list_topics(topic).topics[topic].partitions]
    found = [TopicPartition(topic, p.partition, consumer.get_watermark_offsets(p)[1]) for p in partitions]
    consumer.close()
    return found


def committed(
    setting: Setting, start: list[TopicPartition], wanted: int, limit: float
) -> Iterator[tuple[bytes, float]]:
    """Yield what a read_committed reader of its own sees from `start` on, and when; ends a second after `wanted`."""
    consumer = Consumer(
        {"bootstrap.servers": setting.bootstrap, "group.id": "unused", "isolation.level": "read_committed",
         "fetch.wait.max.ms": 5}
    )  # fmt: skip
    consumer.assign(start)
    deadline, seen = time.monotonic() + limit, 0
    while time.monotonic() < deadline:
        messages = consumer.consume(10_000, 0.005)
        now = time.time()
        if seen < wanted <= seen + len(messages):
            deadline = time.monotonic() + 1  # one more second, for answers that should not be
        seen += len(messages)
        yield from ((message.value() or b"", now) for message in messages)
    consumer.close()


def stream_once(setting: Setting, run: str) -> tuple[float, float]:
    """Serve every request; return messages and CPU microseconds per second and message. Exits when any is not once."""
    starts = {topic: ends(setting, topic) for topic in (MADE, logs.PREDICTIONS_LOG, PREDICTIONS_FAILED)}
    with serving(setting) as process:
        # Stopped while the requests are written, so that it meets all of them at once, as the peers do, and warm.
        process.send_signal(signal.SIGSTOP)
        fill(setting, COUNT, run)
        cpu = -cpu_seconds(process)
        process.send_signal(signal.SIGCONT)
        wanted = sum(p.offset for p in starts[MADE]) + COUNT
        while sum(p.offset for p in ends(setting, MADE)) < wanted:
            if process.poll() is not None:
                sys.exit((setting.folder / "serving.log").read_text())
            time.sleep(0.1)
        cpu += cpu_seconds(process)
        answers = [orjson.loads(value) for value, _ in committed(setting, starts[MADE], COUNT, 60)]
    ids = [answer["id"] for answer in answers]
    logged = [decoded for value, _ in committed(setting, starts[logs.PREDICTIONS_LOG], 0, 2) for decoded in
              logs.decode(value).column("id").to_pylist()]  # fmt: skip
    failed = sum(1 for _ in committed(setting, starts[PREDICTIONS_FAILED], 0, 0.5))
    asked = {f"{run}-{number}" for number in range(COUNT)}
    if set(ids) != asked or len(ids) != COUNT or set(logged) != asked or len(logged) != COUNT or failed:
        sys.exit(f"not exactly once: {len(ids)} answers, {len(set(ids))} ids, {len(logged)} logged, {failed} failed")
    times = np.array([answer["made_at"].rstrip("Z") for answer in answers], dtype="M8[us]").astype(np.int64) / 1e6
    rest = int((times > times.min()).sum())
    return float(rest / (times.max() - times.min())), cpu / COUNT * 1e6


def peer_once(setting: Setting, loop: str) -> tuple[float, float]:
    """Run a loop written by hand; return its figures as above."""
    command = [sys.executable, str(HERE / "_stream_peers.py"), loop, setting.bootstrap,
               str(setting.folder / "plain.onnx"), PEER_ANSWERS, str(COUNT)]  # fmt: skip
    rate, cpu = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return float(rate), float(cpu)


def latency(setting: Setting) -> tuple[float, float]:
    """Send at a fixed rate, whatever comes back (open loop); return the median and the 99th percentile, in ms."""
    template = orjson.dumps(dict.fromkeys(FEATURES, 0.5))
    with serving(setting):
        producer = Producer({"bootstrap.servers": setting.bootstrap, "linger.ms": 0})
        start, sent = ends(setting, MADE), {}
        reader = asyncio.new_event_loop().run_in_executor(
            None, lambda: list(committed(setting, start, RATE * SECONDS, SECONDS + 10))
        )
        began = time.time()
        for number in range(RATE * SECONDS):
            due = began + number / RATE
            if (wait := due - time.time()) > 0:
                time.sleep(wait)
            producer.produce(REQUESTS, b'{"id":"l%d","model":"bench","features":%b}' % (number, template))
            producer.poll(0)
            sent[f"l{number}"] = due
        producer.flush()
        while not reader.done():
            time.sleep(0.1)
            reader.get_loop().run_until_complete(asyncio.sleep(0))
    took = [
        seen - sent[answer_id] for value, seen in reader.result() if (answer_id := orjson.loads(value)["id"]) in sent
    ]
    return float(np.percentile(took, 50) * 1e3), float(np.percentile(took, 99) * 1e3)


def main() -> None:
    """Run all rounds and record the figures."""
    with tempfile.TemporaryDirectory(prefix="rondo-bench-") as folder, Kafka(Path(folder) / "kafka") as broker:
        setting = Setting(broker.bootstrap, Path(folder))
        kafka.create_topics(setting.bootstrap)
        kafka.create_topics(setting.bootstrap, [Topic(PEER_ANSWERS, "peer", (), "", partitions=6)])
        asyncio.run(deploy(setting))
        figures: dict[str, list[tuple[float, float]]] = {"rondo": [], "aiokafka": [], "confluent": []}
        for number in range(ROUNDS):
            figures["rondo"].append(stream_once(setting, f"round-{number}"))
            for loop in ("aiokafka", "confluent"):
                figures[loop].append(peer_once(setting, loop))
            sys.stdout.write(
                f"round {number + 1}: "
                + ", ".join(f"{k} {v[-1][0]:,.0f} msg/s, {v[-1][1]:.1f} us CPU" for k, v in figures.items())
                + "\n"
            )
            sys.stdout.flush()
        median, tail = latency(setting)
    used = versions("confluent-kafka", "aiokafka", "onnxruntime", "lightgbm", "msgspec")
    ours = statistics.median(rate for rate, _ in figures["rondo"])
    rows = []
    for loop in ("aiokafka", "confluent"):
        peer = statistics.median(rate for rate, _ in figures[loop])
        rows.append(Row("stream", f"predictions, exactly once, against {loop} by hand", ours, peer, "msg/s",
                        "at least a quarter", ours / peer >= 0.25, used, ours / peer))  # fmt: skip
    for name, value in (("median", median), ("99th percentile", tail)):
        rows.append(Row("stream", f"latency at {RATE:,} requests/s, {name}", value, None, "ms", "shown", True, used))  # noqa: FBT003
    record(rows)
    sys.exit(0 if all(row.met for row in rows) else 1)


if __name__ == "__main__":
    main()

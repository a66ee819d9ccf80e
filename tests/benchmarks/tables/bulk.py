"""`make bench ONLY=bulk`: record batches that serving scores, beside onnxruntime alone on the same matrix.

Ours is `python -m rondo.serving` with everything on: messages of 65,536 rows with 20 features, validation of every
value, and answers exactly once, which are counted afterwards. The peer is `InferenceSession.run` on the whole matrix of
a message, which is in memory, with the trees as one graph with one input, and one thread of the priority that ours has:
no reading, no validation, no writing. Both work in turns, a tenth of the rows each time, in one process each. The
figure is the median of the rounds. While the peer works, and while messages are written, ours is stopped. Its clock
runs from the moment at which it is woken to its last commit, seen from outside.

The memory is the most that our process had resident, once a tenth of the rows was scored and at the end.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pyarrow as pa
from confluent_kafka import Producer
from rondo.chassis.artifacts import digest_of
from rondo.contracts.events import scores
from rondo.contracts.events.scores import SCORES_MADE, SCORES_REQUESTED, ScoreRequest
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.spec.model import Feature
from rondo.serving.bulk.priority import lower_priority

from tests.benchmarks.load.serving import Setting, committed, cpu_seconds, ends, serving, wait_until_answered
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from subprocess import Popen

    from confluent_kafka import TopicPartition
    from numpy.typing import NDArray

COUNT = int(os.environ.get("BENCH_COUNT", "10000000"))
ROUNDS = 10
SIZE = min(scores.MAX_ROWS, COUNT // ROUNDS)
MATRICES = 4  # different ones. They are repeated
GOAL, FLAT = 0.7, 1.1
GROUP = "serving-bulk"
# Seconds and CPU seconds.
Figures = tuple[float, float]


def matrices() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=(SIZE, len(stream.FEATURES))).astype(np.float32) for _ in range(MATRICES)]


def equally_slow(work: Callable[[], Figures]) -> Figures:
    """Run a function with serving's priority for bulk requests, so that other processes slow both equally."""
    with ThreadPoolExecutor(1, initializer=lower_priority) as thread:
        return thread.submit(work).result()


def alone(session: onnxruntime.InferenceSession, found: Sequence[NDArray[np.float32]], messages: int) -> Figures:
    """Score this many matrices with onnxruntime alone."""
    name, began, cpu = session.get_inputs()[0].name, time.perf_counter(), time.process_time()
    for number in range(messages):
        session.run(None, {name: found[number % MATRICES]})
    return time.perf_counter() - began, time.process_time() - cpu


def send(setting: Setting, digest: str, found: Sequence[NDArray[np.float32]], first: int, messages: int) -> None:
    """Write so many messages, numbered from `first` on, to all partitions in turn."""
    features = {name: Feature(type="float") for name in stream.FEATURES}
    producer = Producer(
        {**KafkaConnection(setting.bootstrap).confluent(), "message.max.bytes": scores.MAX_MESSAGE_BYTES}
    )
    for number in range(first, first + messages):
        request = ScoreRequest("bench", number, "bench", 1, digest, features, number * SIZE)
        columns = {
            scores.column_of(name): column for name, column in zip(features, found[number % MATRICES].T, strict=True)
        }
        batch = pa.RecordBatch.from_pydict(columns).replace_schema_metadata(request.metadata())
        producer.produce(SCORES_REQUESTED, scores.encode(batch), request.key, partition=number % 6)
        producer.flush()


def ours(setting: Setting, process: Popen[bytes]) -> Figures:
    """Resume the service, and return when it has answered all messages."""
    cpu, woken = -cpu_seconds(process), time.perf_counter()
    process.send_signal(signal.SIGCONT)
    wait_until_answered(setting, process, SCORES_REQUESTED, GROUP)
    return time.perf_counter() - woken, cpu + cpu_seconds(process)


def most_resident(process: Popen[bytes]) -> float:
    """Return the peak memory of a process in MiB (Linux)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def check(setting: Setting, start: list[TopicPartition], messages: int) -> None:
    """Exit unless each message has one answer with all of its rows."""
    answers = [scores.decode(value) for value, _ in committed(setting, start, messages, 120)]
    parts = sorted(int((each.schema.metadata or {})[b"part"]) for each in answers)
    rows = sum(each.column(scores.ERROR).null_count for each in answers)
    if parts != list(range(messages)) or rows != messages * SIZE:
        sys.exit(f"not exactly once: {len(parts)} answers with {rows:,} rows of {messages} messages")


def table(mine: Sequence[Figures], peer: Sequence[Figures], rows: int, memory: Sequence[float]) -> list[Row]:
    """Return the rows: the median of the rounds of `rows` rows, and the most memory after each round."""
    used = versions("onnxruntime", "pyarrow", "confluent-kafka", "lightgbm")
    (took, cpu), (their, their_cpu) = (tuple(map(statistics.median, zip(*each, strict=True))) for each in (mine, peer))
    ratio, grown = their / took, memory[-1] / memory[0]
    name = "bulk rows, exactly once, against onnxruntime alone on the same matrix"
    millions = rows * len(memory) / 1e6
    return [
        Row("bulk", name, rows / took, rows / their, "rows/s", f"at least {GOAL:g}", met=ratio >= GOAL,
            versions=used, ratio=ratio),
        Row("bulk", f"CPU time of {name}", cpu / rows * 1e6, their_cpu / rows * 1e6, "us", "shown", met=True,
            versions=used, ratio=cpu / their_cpu),
        Row("bulk", f"peak memory after {millions:g} M rows, against {rows / 1e6:g} M", memory[-1], memory[0], "MiB",
            f"at most {FLAT:g}", met=grown <= FLAT, versions=used, ratio=grown),
    ]  # fmt: skip


def main() -> int:
    """Run all rounds and record the figures."""
    from tests.benchmarks.load import model  # noqa: PLC0415 - its converter takes seconds to import

    content, found = model.plain(), matrices()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(content, options)
    messages = COUNT // ROUNDS // SIZE
    mine, peer, memory = list[Figures](), list[Figures](), list[float]()
    with stream.platform() as (setting, _):
        served = model.per_feature(content)
        stream.publish(setting, "bench", served, stream.FEATURES)
        start = ends(setting, SCORES_MADE)
        with serving(setting) as process:
            for number in range(ROUNDS):
                process.send_signal(signal.SIGSTOP)
                send(setting, digest_of(served), found, number * messages, messages)
                peer.append(equally_slow(partial(alone, session, found, messages)))
                mine.append(ours(setting, process))
                memory.append(most_resident(process))
                took = f"ours {mine[-1][0]:.2f} s, alone {peer[-1][0]:.2f} s"
                sys.stdout.write(f"round {number + 1}: {messages * SIZE:,} rows: {took}, {memory[-1]:.0f} MiB\n")
                sys.stdout.flush()
        check(setting, start, messages * ROUNDS)
    return record(table(mine, peer, messages * SIZE, memory))


if __name__ == "__main__":
    sys.exit(main())

"""Runs the peers of `tables/stream.py`, each in a separate process."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Producer
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import Topic

from tests.benchmarks.load.closed_loop import cpu_seconds_of_tree
from tests.benchmarks.load.serving import ends
from tests.benchmarks.peers.serving import inference_servers
from tests.benchmarks.peers.serving.stream_loops import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.load.serving import Setting

HERE = Path(__file__).resolve().parent
# The largest batch of a peer. The default would refuse such batches.
ANSWERS = Topic("peer.answers", "peer", (), "", partitions=6, max_message_bytes=8 << 20)
# MLServer takes requests of the Open Inference Protocol, in messages that name the model in a header.
INFERENCES = Topic("peer.inferences", "peer", (), "", partitions=6)
_LOOK_SECONDS, _ASSIGNED_SECONDS, _STOP_SECONDS = 0.02, 60, 30


def run(setting: Setting, python: Path, command: str, count: int) -> tuple[float, float]:
    """Run a program of this folder. Return the messages a second and the CPU time of one in us that it prints.

    Exit if it has written fewer answers.
    """
    program, *loop = command.split()
    first = _written(setting)
    arguments = [*loop, setting.bootstrap, str(setting.folder / "plain.onnx"), ANSWERS.name, str(count)]
    printed = subprocess.run(  # noqa: S603
        [str(python), str(HERE / program), *arguments], check=True, capture_output=True, text=True
    ).stdout.split()
    # Each transaction also has a marker, which has its own offset.
    if (written := _written(setting) - first) < count:
        sys.exit(f"{command} has written {written} answers to {count} requests")
    rate, cpu = map(float, printed)
    return rate, cpu


def mlserver(setting: Setting, python: Path, count: int) -> tuple[float, float]:
    """Run MLServer. Return its figures.

    It has no consumer group and reads from the end of the topic. Requests are therefore written while it is stopped, so
    that all of them wait for it, as for the others. Start and end are measured from outside.
    """
    topics = (setting.bootstrap, INFERENCES.name, ANSWERS.name)
    with inference_servers.mlserver(python, setting.folder / "served.onnx", *topics) as (_, _, pid):
        deadline, first = time.monotonic() + _ASSIGNED_SECONDS, _written(setting)
        while _written(setting) == first:
            if time.monotonic() > deadline:
                raise TimeoutError
            _write_inferences(setting, 1)
            time.sleep(1)
        with inference_servers.stopped(pid):
            _write_inferences(setting, count)
            wanted, cpu = _written(setting) + count, -cpu_seconds_of_tree(pid)
        woken = time.perf_counter()
        while _written(setting) < wanted:
            time.sleep(_LOOK_SECONDS)
        took = time.perf_counter() - woken
        return count / took, (cpu + cpu_seconds_of_tree(pid)) / count * 1e6


def _written(setting: Setting) -> int:
    return sum(each.offset for each in ends(setting, ANSWERS.name))


def _write_inferences(setting: Setting, count: int) -> None:
    tensor = {"shape": [1, 1], "datatype": "FP32", "data": [0.5]}
    value = orjson.dumps({"inputs": [{"name": name, **tensor} for name in FEATURES]})
    producer = Producer(KafkaConnection(setting.bootstrap).confluent())
    for number in range(count):
        producer.produce(INFERENCES.name, value, key=b"%d" % number, headers={"mlserver-model": "bench"})
    producer.flush()


@contextmanager
def echo(setting: Setting, python: Path) -> Iterator[None]:
    """Run the echo of `stream_loops.py` until the body ends."""
    command = [str(python), str(HERE / "stream_loops.py"), "echo", setting.bootstrap, "none", ANSWERS.name, "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603
    try:
        # Printed when the loop has its partitions.
        if process.stdout is None or not process.stdout.readline():
            raise subprocess.CalledProcessError(process.wait(_STOP_SECONDS), command)
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)

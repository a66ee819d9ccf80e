"""`make bench ONLY=slow`: the time of an answer where a request comes every four seconds, beside fast traffic.

Slow traffic shows what fast traffic hides: a poll that sleeps, an acknowledgement that is delayed, a batch that waits
to be full. Over HTTP one connection stays open. Over Kafka a message goes to `predictions.requested`, and the time ends
when a read_committed reader has the answer. Fast traffic is the same client without the pauses (HTTP), and 1,000
messages a second (Kafka). The first request of each is not counted: its client connects.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse

from tests.benchmarks.load import http_load
from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables import stream
from tests.benchmarks.tables.rest import PATH, publish_token
from tests.benchmarks.tables.stream import deploy, platform

EVERY = 4.0
COUNT = int(os.environ.get("BENCH_COUNT", "12"))
FAST_COUNT = 1_000


@dataclass(frozen=True)
class Times:
    """Milliseconds of each answer, in the order of the requests."""

    slow: list[float]
    fast: list[float]


def over_http(port: int, token: str, every: float, count: int) -> list[float]:
    """Send requests over one connection, one every `every` seconds. Return the milliseconds of each answer."""
    content, took = http_load.request(PATH, token), []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(1 + count):
            began = time.perf_counter()
            connection.sendall(content)
            answer = HTTPResponse(connection, method="POST")
            answer.begin()
            answer.read()
            took.append((time.perf_counter() - began) * 1e3)
            if answer.status != HTTPStatus.OK:
                sys.exit(f"the answer has the status {answer.status}")
            time.sleep(every)
    return took[1:]


def over_kafka(setting: Setting, rate: float, count: int) -> list[float]:
    """Send messages at a rate. Return the milliseconds of each answer."""
    took = stream.answer_times(setting, rate, 1 + count)
    return [seconds * 1e3 for seconds in took[1:]]


def table(times: dict[str, Times]) -> list[Row]:
    """Return the rows: the median and the longest time of an answer to slow traffic, beside fast traffic's."""
    used = versions("confluent-kafka", "aiokafka", "onnxruntime", "uvicorn", "msgspec")
    return [
        Row("slow", f"{over}, a request every {EVERY:.0f} s, {which}", of(each.slow), of(each.fast), "ms", "shown",
            met=True, versions=used, ratio=of(each.slow) / of(each.fast))
        for over, each in times.items()
        for which, of in (("median", statistics.median), ("longest", max))
    ]  # fmt: skip


def main() -> int:
    """Measure both protocols and print the figures."""
    with platform() as (setting, _):
        token = publish_token(setting)
        deploy(setting)
        port = free_port()
        with serving(setting, port):
            http = Times(over_http(port, token, EVERY, COUNT), over_http(port, token, 0.0, FAST_COUNT))
        kafka = Times(over_kafka(setting, 1 / EVERY, COUNT), over_kafka(setting, stream.RATE, 10 * stream.RATE))
    for name, each in (("HTTP", http), ("Kafka", kafka)):
        sys.stdout.write(f"{name}, each answer in ms: {', '.join(f'{took:.1f}' for took in each.slow)}\n")
    return record(table({"HTTP": http, "Kafka": kafka}))


if __name__ == "__main__":
    sys.exit(main())

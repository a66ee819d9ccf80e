"""An open loop of requests over Kafka: the rate does not depend on the answers, so stalls show in their times."""

from __future__ import annotations

import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Producer
from rondo.contracts.kafka_connection import KafkaConnection

from tests.benchmarks.load.serving import committed, ends
from tests.benchmarks.peers.serving.stream_loops import FEATURES, REQUESTS

if TYPE_CHECKING:
    from tests.benchmarks.load.serving import Setting

# At high rates requests are sent together at this interval, because a sender that sleeps before each takes a core.
_TICK = 0.002
_LATE_SECONDS = 60


def due(number: int, rate: float) -> float:
    """Return the seconds from the first request to one, by its number."""
    alone = number / rate
    return alone if rate * _TICK < 2.5 else math.ceil(alone / _TICK) * _TICK


def send_evenly(setting: Setting, rate: float, count: int) -> dict[str, float]:
    """Send requests at this rate, with unique ids. Return the due time of each by id."""
    template = orjson.dumps(dict.fromkeys(FEATURES, 0.5))
    producer = Producer(
        {**KafkaConnection(setting.bootstrap).confluent(), "linger.ms": 0, "queue.buffering.max.messages": 1_000_000}
    )
    began, sent = time.time(), {}
    run = f"at-{began}"
    for number in range(count):
        at = began + due(number, rate)
        if (wait := at - time.time()) > 0:
            producer.poll(0)
            time.sleep(wait)
        name = f"{run}-{number}"
        producer.produce(REQUESTS, b'{"id":"%b","model":"bench","features":%b}' % (name.encode(), template))
        sent[name] = at
    producer.flush()
    return sent


def answer_times(setting: Setting, answers: str, rate: float, count: int) -> list[float]:
    """Send requests, and return the seconds from the due time of each to its visible answer, in their order.

    Exit if a request has no answer on the topic `answers`.
    """
    limit = count / rate + _LATE_SECONDS
    with ThreadPoolExecutor(1) as thread:
        start = ends(setting, answers)
        reading = thread.submit(lambda: list(committed(setting, start, count, limit)))
        sent = send_evenly(setting, rate, count)
        seen = {orjson.loads(value)["id"]: at for value, at in reading.result()}
    if seen.keys() != sent.keys():
        sys.exit(f"{len(sent.keys() - seen.keys())} of {count} requests had no answer within {limit:.0f} s")
    return [seen[each] - sent[each] for each in sent]

"""`make bench ONLY=replicas`: the prediction stream shared by two replicas, beside one.

As `make bench ONLY=stream`: every request is there before the replicas are woken, and a reader of its own counts that
each was answered once. The broker is on the same machine, so on two cores two replicas have less than a core each.
"""

from __future__ import annotations

import statistics
import sys

from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables import stream
from tests.benchmarks.tables.stream import Figures, deploy, platform, stream_once

REPLICAS = (1, 2)


def table(figures: dict[int, list[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds of two replicas beside that of one."""
    (rate, cpu), (two_rate, two_cpu) = (
        tuple(map(statistics.median, zip(*figures[replicas], strict=True))) for replicas in REPLICAS
    )
    used = versions("confluent-kafka", "onnxruntime", "lightgbm", "msgspec")
    called = "predictions, exactly once, by two replicas, against one"
    return [
        Row("replicas", called, two_rate, rate, "msg/s", "shown", met=True, versions=used, ratio=two_rate / rate),
        Row("replicas", f"CPU time of {called}", two_cpu, cpu, "us", "shown", met=True, versions=used,
            ratio=two_cpu / cpu),
    ]  # fmt: skip


def main() -> int:
    """Run all rounds and record the figures."""
    figures: dict[int, list[Figures]] = {}
    with platform() as (setting, traces):
        deploy(setting)
        for number in range(stream.ROUNDS):
            for replicas in REPLICAS:
                rate, cpu = stream_once(setting, traces, f"round-{number}-{replicas}", stream.TREES, replicas)
                figures.setdefault(replicas, []).append((rate, cpu))
                sys.stdout.write(f"{replicas} replicas: {rate:,.0f} msg/s, {cpu:.1f} us CPU\n")
                sys.stdout.flush()
    return record(table(figures))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=crayfish`: the feed-forward workload of Crayfish (Horchidan and others, EDBT 2024) as a stream.

Ours is `python -m rondo.serving` with everything on, as in `make bench ONLY=stream`: exactly once, with its inference
log. A request has 784 features and an answer a label, its probability and those of 10 classes. The peer is Crayfish's
fastest design, a model embedded in the stream processor, by hand (`peers/serving/stream_crayfish.py`): at least once,
without a log. Both read the same messages from the same broker, in turns. The figure is the median of the rounds.
"""

from __future__ import annotations

import os
import statistics
import sys

from rondo.chassis.events import broker as kafka
from rondo.contracts.kafka_connection import KafkaConnection

from tests.benchmarks.load import network
from tests.benchmarks.peers import environment
from tests.benchmarks.peers.serving import streams
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables import stream

COUNT = int(os.environ.get("BENCH_COUNT", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
GOAL = 1.0
WORKLOAD = stream.Workload("crayfish", tuple(network.FEATURES), COUNT)


def table(ours: list[stream.Figures], peer: list[stream.Figures]) -> list[Row]:
    """Return the rows: the median of the rounds beside the peer's, if it ran."""
    used = versions("confluent-kafka", "onnxruntime", "msgspec") | environment.LOOPS.versions
    called, rows = "predictions of 784 features, exactly once, against Crayfish's design, at least once", []
    for place, (name, unit) in enumerate(((called, "msg/s"), (f"CPU time of {called}", "us"))):
        mine = statistics.median(each[place] for each in ours)
        theirs = statistics.median(each[place] for each in peer) if peer else None
        ratio = mine / theirs if theirs else None
        met = bool(place) or (ratio is not None and ratio >= GOAL)
        goal = "shown" if place else f"at least {GOAL:g}"
        rows.append(Row("crayfish", name, mine, theirs, unit, goal, met=met, versions=used, ratio=ratio))
    return rows


def main() -> int:
    """Run all rounds and record the figures."""
    ours, peer, python = list[stream.Figures](), list[stream.Figures](), environment.LOOPS.python()
    with stream.platform() as (setting, traces):
        kafka.create_topics(KafkaConnection(setting.bootstrap), [streams.ANSWERS])
        (setting.folder / "plain.onnx").write_bytes(network.plain())
        stream.publish(setting, WORKLOAD.model, network.per_feature(), WORKLOAD.features)
        for number in range(ROUNDS):
            ours.append(stream.stream_once(setting, traces, f"round-{number}", WORKLOAD))
            if python:
                peer.append(streams.run(setting, python, "stream_crayfish.py", COUNT))
            sys.stdout.write(f"round {number + 1}: msg/s and us of CPU: ours {ours[-1]}, Crayfish {peer[-1:]}\n")
            sys.stdout.flush()
    return record(table(ours, peer))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=grpc`: inference over gRPC as served, beside MLServer.

Ours is `python -m rondo.serving` with everything on: token, checks of every value, the answer's row in the inference
log before the answer, metrics, traces. The peer is MLServer with the same graph in a custom runtime
(`peers/serving/inference_mlserver.py`), in one process, without token and log, in an environment of its own. Both
answer one row of 20 features as a `ModelInfer` of the Open Inference Protocol with raw contents, to the same closed
loop (`load/grpc_load.py`), in turns: one stream, 16 streams on one connection, and 16 connections. A figure is the
median of the rounds. The load generator, the broker and the servers share the machine, so where other work keeps it
busy, the CPU time of an answer holds and a rate does not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import grpc
import numpy as np
import onnxruntime
from rondo.serving.grpc.messages import message_class

from tests.benchmarks.load import closed_loop, grpc_load
from tests.benchmarks.load.closed_loop import Figures, medians
from tests.benchmarks.load.serving import Setting, free_port, serving
from tests.benchmarks.peers import environment
from tests.benchmarks.peers.serving import inference_servers
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.tables.rest import publish_token
from tests.benchmarks.tables.stream import deploy, platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Connections, streams on each, and their name in a row.
LOADS = {(1, 1): "1 stream", (1, 16): "16 streams on 1 connection", (16, 1): "16 connections"}
# The lowest share of the peer's rate.
GOAL, GOAL_LOAD = 2.0, (1, 16)
Measured = dict[tuple[str, tuple[int, int]], list[Figures]]


def check(port: int, token: str, expected: float) -> None:
    """Send the request of the load generator once. Exit if the answer is not the score."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(grpc_load.METHOD)
        content = call(grpc_load.message(), metadata=[("authorization", f"Bearer {token}")], timeout=30)
    answer = message_class("inference.ModelInferResponse").FromString(content)
    found = {each.name: raw for each, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)}
    if not np.isclose(np.frombuffer(found["score"], np.float32)[0], expected):
        sys.exit(f"the score is {expected}, and an answer has {answer}")


def expected_score(setting: Setting) -> float:
    """Return the score of the row that is sent."""
    session = onnxruntime.InferenceSession(setting.folder / "served.onnx")
    score, _ = session.run(None, {f"f{n}": value.reshape(1, 1) for n, value in enumerate(grpc_load.row())})
    return float(score[0, 0])


def rounds(setting: Setting, token: str) -> Measured:
    """Measure ours and the peer in turns."""
    figures: Measured = {}
    expected, python = expected_score(setting), environment.MLSERVER.python()

    def measure(name: str, port: int, pid: int, token: str) -> None:
        check(port, token, expected)
        for each, called in LOADS.items():
            taken = closed_loop.run("grpc_load", pid, port, token, *each)
            figures.setdefault((name, each), []).append(taken)
            sys.stdout.write(closed_loop.shown(f"{name}, {called}", taken) + "\n")
            sys.stdout.flush()

    for _ in range(closed_loop.ROUNDS):
        port = free_port()
        with serving(setting, grpc_port=port) as process:
            measure("rondo", port, process.pid, token)
        if python:
            with inference_servers.mlserver(python, setting.folder / "served.onnx") as (_, port, pid):
                measure("mlserver", port, pid, "none")
    return figures


def table(figures: Mapping[tuple[str, tuple[int, int]], Sequence[Figures]]) -> list[Row]:
    """Return the rows: the median of the rounds beside the peer's."""
    used = versions("grpcio", "protobuf", "onnxruntime", "lightgbm") | environment.MLSERVER.versions
    rows = []
    for each, called in LOADS.items():
        ours, measured = medians(figures["rondo", each]), figures.get(("mlserver", each))
        peer = medians(measured) if measured else None
        ratios = [mine / other for mine, other in zip(ours, peer, strict=True)] if peer else [None] * 4
        goal = f"at least {GOAL:g} of it" if each == GOAL_LOAD else "shown"
        met = each != GOAL_LOAD or (peer is not None and ours.rate >= GOAL * peer.rate)
        names = {
            f"gRPC inferences, {called}, logged, against MLServer": "/s",
            f"time of a gRPC inference, {called}, logged, median, against MLServer": "ms",
            f"time of a gRPC inference, {called}, logged, 99th percentile, against MLServer": "ms",
            f"CPU time of a gRPC inference, {called}, logged, against MLServer": "ms",
        }
        rows += [
            Row("grpc", name, mine, peer[place] if peer else None, unit, goal if unit == "/s" else "shown",
                met=met or unit != "/s", versions=used, ratio=ratios[place])
            for place, ((name, unit), mine) in enumerate(zip(names.items(), ours, strict=True))
        ]  # fmt: skip
    return rows


def main() -> int:
    """Run all rounds and record the figures."""
    with platform() as (setting, _):
        token = publish_token(setting)
        deploy(setting)
        return record(table(rounds(setting, token)))


if __name__ == "__main__":
    sys.exit(main())

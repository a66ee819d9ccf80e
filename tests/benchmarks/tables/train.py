"""`make bench ONLY=train`: a training beside the library's own fit to the same matrix.

There are 300,000 rows of 16 features, 6 of them categories with 3 to 10,000 levels. Ours is `Pipeline.fit` and
`Pipeline.evaluate` on rows in memory, beside a champion of the same size. That is: the split by time, the checks for
leaks and the notes, the preparation, the fit, the predictions of the holdout, the ONNX graph, its parity with the
model, the reference profile, all metrics of both models with those of one slice, and the bootstrap of one gate. The
spec has `trainer.refit: false`: a refit, which is the default, takes the time of another fit, and the strategies of
`policy: auto` that of more. One row shows LightGBM with both, and has no goal. Not in it are Delta tables, the digest
of the rows, artifact store, database and imports.
The peer is the library alone, with the same parameters and threads, on the matrix that those rows are prepared to,
without the holdout.

Each measurement is a process of its own, and ours and the peer's take turns. A figure is the median of the ratios of
the rounds. No seconds are recorded, for they depend on what else the machine does. Peak memory is that of the whole
process, with its libraries and its rows or matrix, and both are recorded in MiB: they depend on nothing else.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.load.training import DEFAULT, THREADS, TRAINERS
from tests.benchmarks.results import Row, record, versions

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
AT_MOST = 1.3
# The settings of the worker, see `rondo.trainer.worker.__main__`.
ENVIRONMENT = {"OMP_NUM_THREADS": str(THREADS), "POLARS_MAX_THREADS": str(THREADS), "OMP_WAIT_POLICY": "passive"}
Measured = dict[str, float]


def measure(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.load.training", *arguments]
    done = subprocess.run(  # noqa: S603 - our own command
        command, check=True, capture_output=True, text=True, env=os.environ | ENVIRONMENT
    )
    return done.stdout


def of_rounds(folder: Path, trainer: str) -> list[tuple[Measured, Measured]]:
    """Return ours and the peer's of each round."""
    ours_and_peers = (
        tuple(json.loads(measure(what, str(folder), trainer)) for what in ("pipeline", "library"))
        for _ in range(ROUNDS)
    )
    return [(ours, peer) for ours, peer in ours_and_peers]


def table(figures: dict[str, list[tuple[Measured, Measured]]], machine: str) -> list[Row]:
    """Return the rows. A ratio is ours to the peer's."""
    used = versions("lightgbm", "xgboost-cpu", "scikit-learn", "onnxruntime", "numpy", "polars")
    rows = []
    for trainer, rounds in figures.items():
        for name, key in (("time", "seconds"), ("CPU time", "cpu"), ("peak memory", "memory")):
            ratio = statistics.median(ours[key] / peer[key] for ours, peer in rounds)
            # A default training fits several models, so it has no comparison with one fit.
            has_goal = key == "seconds" and trainer != DEFAULT
            goal, met = (f"{AT_MOST} at most", ratio <= AT_MOST) if has_goal else ("shown", True)
            row = f"{name} of a training with {trainer}, as a share of the fit alone"
            mine, theirs, unit = round(ratio, 3), None, ""
            if key == "memory":
                mine, theirs = (
                    round(statistics.median(part[key] for part in parts)) for parts in zip(*rounds, strict=True)
                )
                unit = "MiB"
            rows.append(Row("train", row, mine, theirs, unit, goal, met, used, ratio=round(ratio, 3), machine=machine))
    return rows


def main() -> int:
    """Measure and record."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        measure("rows", str(folder))
        figures = {trainer: of_rounds(folder, trainer) for trainer in TRAINERS}
    load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    return record(table(figures, f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, {load}"))


if __name__ == "__main__":
    sys.exit(main())

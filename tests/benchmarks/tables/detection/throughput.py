"""`make bench ONLY=throughput`: rows a second that one process monitors, from the log to a finding.

The rows have 20 numeric features and a score. Rondo's pipeline takes them as messages of predictions.log, without Kafka
and PostgreSQL, and its inputs and scores are watched, looked at and described by windows. *By hand* is a loop that
decodes the same messages and counts each feature into the bins of the same reference (`searchsorted`, `bincount`), and
decides nothing. NannyML and Evidently compare the same rows, which are in their memory already, with the same
reference, in chunks of 10,000 rows. A step of the pipeline takes one message, or several, as many of a backlog arrive
at once. All figures are seconds of CPU time on one thread, so that a busy machine does not decide. Peers that are much
slower get fewer rows. Memory is that of a process that takes 10 million rows. BENCH_ROWS is the number of rows, FULL=1
has a million.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from rondo.contracts.events.logs import FEATURE

from tests.benchmarks.load.prediction_messages import FEATURES, REFERENCE, Monitor, cut, profile, rows
from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.training_evidence import ReferenceProfile

ROWS = 1_000_000 if os.environ.get("FULL") else int(os.environ.get("BENCH_ROWS", "500000"))
# Rows in a message, and messages in a step.
SIZES, ROUNDS = ((10_000, 1), (2_000, 50), (2_000, 1)), 2
SHIFT, SHIFTED = 0.5, 20_000
CHUNK, ROWS_OF_PEERS = 10_000, {"nannyml": 200_000, "nannyml-ks": 100_000, "evidently": 20_000}
GOALS = {"nannyml": 10.0, "nannyml-ks": 10.0, "evidently": 50.0}
SHOWN = {"nannyml": "NannyML", "nannyml-ks": "NannyML with Kolmogorov-Smirnov", "evidently": "Evidently"}
BY_HAND, SAME_MEMORY = 0.5, 1.1
LOOKS = (100_000, 1_000_000, 10_000_000)


def by_hand(values: Sequence[bytes], reference: ReferenceProfile) -> float:
    """Return the seconds for decoding the messages and counting their features by bin."""
    edges = [np.asarray(reference.features[name].model_dump()["edges"], np.float32) for name in FEATURES]
    counts = [np.zeros(len(each) + 1, np.int64) for each in edges]
    began = time.process_time()
    for value in values:
        batch = pa.ipc.open_stream(value).read_next_batch()
        for at, name in enumerate(FEATURES):
            places = np.searchsorted(edges[at], batch.column(f"{FEATURE}{name}").to_numpy(), side="right")
            counts[at] += np.bincount(places, minlength=len(counts[at]))
    return time.process_time() - began


async def by_rondo(values: Sequence[bytes], together: int, reference: ReferenceProfile) -> tuple[float, Monitor]:
    """Return the pipeline, and its seconds for the messages with `together` of them in a step."""
    monitor = await Monitor.of(reference)
    began = time.process_time()
    for first in range(0, len(values), together):
        await monitor.take(*values[first : first + together])
    return time.process_time() - began, monitor


def of_size(size: int, together: int, reference: ReferenceProfile) -> tuple[list[Row], float]:
    """Return the rows for messages of this size, with `together` of them in a step, and the rows per second."""
    values = list(cut(rows(ROWS, 1), size))
    runs = [(by_hand(values, reference), asyncio.run(by_rondo(values, together, reference))) for _ in range(ROUNDS)]
    name = f"messages of {size:,} rows" + (f", {together} in a step" if together > 1 else "")
    hand, ours = ROWS / min(each for each, _ in runs), ROWS / min(each for _, (each, _) in runs)
    monitor = runs[-1][1][1]
    quiet = not monitor.findings & {"DriftDetected"}

    async def shifted() -> None:
        for value in cut(rows(SHIFTED, 2, SHIFT), size, ROWS):
            await monitor.take(value)

    asyncio.run(shifted())
    found = quiet and "DriftDetected" in monitor.findings
    return [
        _row(f"{name}, beside binning by hand", ours, hand, BY_HAND),
        Row("throughput", f"{name}: a shift is found, and nothing before it", float(found), None, "",
            "1", found, _versions()),
    ], ours  # fmt: skip


def of_peers(ours: float) -> list[Row]:
    """Return our rows a second beside those of NannyML and Evidently."""
    python = environment.DRIFT.python()
    if python is None:
        return []
    found = []
    with tempfile.TemporaryDirectory() as folder:
        reference, live = Path(folder) / "reference.parquet", Path(folder) / "rows.parquet"
        pl.DataFrame(rows(REFERENCE, 0)).write_parquet(reference)
        for library, count in ROWS_OF_PEERS.items():
            pl.DataFrame(rows(count, 1)).write_parquet(live)
            script = environment.HERE / "drift_reports.py"
            command = [python, script, library, reference, live, str(CHUNK)]
            alone = environment.QUIET | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            ran = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)  # noqa: S603
            peer = count / float(ran.stdout.split()[-1])
            found.append(_row(f"messages of {SIZES[0][0]:,} rows, beside {SHOWN[library]}", ours, peer, GOALS[library]))
    return found


def of_memory() -> list[Row]:
    """Return the memory after few and after many rows, in megabytes."""
    module = "tests.benchmarks.load.resident_memory"
    command = [sys.executable, "-m", module, *map(str, LOOKS)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=environment.ROOT)  # noqa: S603
    looks = [line.split() for line in ran.stdout.splitlines()]
    by_rows = {int(count): int(size) / 1e6 for count, size, _ in looks}
    took = {int(count): float(seconds) for count, _, seconds in looks}
    least, *between, most = LOOKS
    used = _versions()
    return [
        Row("throughput", f"memory after {most:,} rows, beside {least:,}", by_rows[most], by_rows[least], "MB",
            f"at most {SAME_MEMORY}", by_rows[most] <= SAME_MEMORY * by_rows[least], used,
            by_rows[most] / by_rows[least]),
        *(Row("throughput", f"memory after {each:,} rows", by_rows[each], None, "MB", "shown", met=True, versions=used)
          for each in between),
        Row("throughput", f"rows after the first {between[0]:,}",
            (most - between[0]) / (took[most] - took[between[0]]), None, "/s", "shown", met=True, versions=used),
    ]  # fmt: skip


def _row(name: str, ours: float, peer: float, goal: float) -> Row:
    return Row("throughput", name, ours, peer, "/s", f"at least {goal:g} times", ours >= goal * peer, _versions(),
               ours / peer)  # fmt: skip


def _versions() -> dict[str, str]:
    return versions("numpy", "pyarrow", "scipy") | environment.DRIFT.versions


def main() -> int:
    """Measure and record."""
    reference = profile(rows(REFERENCE, 0))
    found = [of_size(size, together, reference) for size, together in SIZES]
    ours = found[0][1]
    return record([*(row for each, _ in found for row in each), *of_peers(ours), *of_memory()])


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=delays`: rows from a shift to the alarm, beside the false alarms before it, for each detector.

One column, whose level shifts after 20,000 live rows. A detector knows 10,000 rows before those. Each has several
parameters, from quick to quiet. Rondo's alarm stands, so there is one at most. An alarm every so many rows is the
dummy. KSWIN takes too long for whole streams: it has 6,000 rows of two.
BENCH_STREAMS is the number of streams of each kind. `python -m tests.benchmarks.pictures` draws the recorded rows.
"""

from __future__ import annotations

import os
import sys
import zlib
from statistics import median

import numpy as np

from tests.benchmarks.peers import environment
from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.delays import SHIFTS, Found, detect, streams

STREAMS = int(os.environ.get("BENCH_STREAMS", "8"))
FALSE, DELAY = "false alarms per 1,000 rows", "rows to the alarm"
RATE = 0.01


def of_kind(kind: str) -> list[Row]:
    """Return the figures of each detector and parameter."""
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    return table(kind, detect(streams(kind, STREAMS, rng)))


def table(kind: str, found: Found) -> list[Row]:
    rows = []
    for (detector, parameter), alarms in found.items():
        false = 1_000 * sum(each.false for each in alarms) / sum(each.before for each in alarms)
        met = false < 1 if (detector, parameter) == ("Rondo", RATE) else True
        goal = "less than 1" if (detector, parameter) == ("Rondo", RATE) else "shown"
        name = f"{kind}: {detector}, {parameter:g}"
        rows.append(_row(f"{name}: {FALSE}", false, goal, met=met))
        rows.append(_row(f"{name}: {DELAY}", median(each.delay for each in alarms), "shown", met=True))
    return rows


def _row(name: str, ours: float, goal: str, *, met: bool) -> Row:
    return Row(
        "delays", name, float(ours), None, "", goal, met, versions("numpy", "scipy") | environment.DRIFT.versions
    )


def main() -> int:
    """Detect and record."""
    return record([row for kind in SHIFTS for row in of_kind(kind)])


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=evidence`: how often the monitor's evidence alarms without a change, and how soon after one.

Simulated, by the monitor's own code: 5,000 rows of reference, then 52,000 rows with ten features (20 components). The
stated rate is that of any alarm in the whole life of a version. BENCH_STREAMS is the number of streams of each kind.
"""

from __future__ import annotations

import os
import sys
import zlib
from statistics import median

import numpy as np

from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.streams import KINDS, LIVE, Feature, watch

STREAMS = int(os.environ.get("BENCH_STREAMS", "20"))
RATE, CHANGE = 0.01, 20_000
# A shift in standard deviations, and the rows until half of the streams have an alarm, in the prototype of the design.
SHIFTS = {
    "independent": (0.5, 300),
    "keep .9 of the row before": (1.0, 1_500),
    "daily and weekly cycle": (1.0, 3_200),
    "keep .99": (2.0, 13_100),
}


def of_kind(name: str, feature: Feature) -> list[Row]:
    """Return the share of the streams of a kind that alarm without a change."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    watched = [watch(feature, rng, RATE) for _ in range(STREAMS)]
    alarms = sum(each.alarm is not None for each in watched)
    block = median(each.block for each in watched)
    return [
        _row(f"{name}: streams of {STREAMS} with a false alarm", alarms, "", "0 or 1", met=alarms <= 1),
        _row(f"{name}: rows of a block", block, "", "shown"),
    ]


def of_shift(name: str, shift: float, goal: int) -> Row:
    """Return the rows from a change to the alarm, where an alarm before it counts as none."""
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    alarms = [watch(KINDS[name], rng, RATE, (CHANGE, shift)).alarm for _ in range(STREAMS)]
    delay = median(each - CHANGE if each is not None and each >= CHANGE else LIVE for each in alarms)
    return _row(f"{name}: rows from a shift by {shift:g} sd to the alarm", delay, "", f"{goal:,}", met=delay <= goal)


def main() -> int:
    """Simulate and record."""
    rows = [row for name, feature in KINDS.items() for row in of_kind(name, feature)]
    return record(rows + [of_shift(name, shift, goal) for name, (shift, goal) in SHIFTS.items()])


def _row(name: str, ours: float, unit: str, goal: str, *, met: bool = True) -> Row:
    return Row("evidence", name, ours, None, unit, goal, met=met, versions=versions("numpy", "scipy"))


if __name__ == "__main__":
    sys.exit(main())

"""`make bench ONLY=evidence`: how often the monitor's evidence alarms without a change, and how soon after one.

Simulated, by the trainer's and the monitor's own code: 5,000 rows of reference, then 52,000 rows with ten features and
their projections. The stated rate is that of any alarm in the whole life of a version. BENCH_STREAMS is the number of
streams of each kind.
"""

from __future__ import annotations

import os
import sys
import zlib
from statistics import median

import numpy as np

from tests.benchmarks.results import Row, record, versions
from tests.benchmarks.simulation.streams import KINDS, LIVE, Change, Feature, related, shifted, watch

STREAMS = int(os.environ.get("BENCH_STREAMS", "20"))
RATE, CHANGE = 0.01, 20_000
# A shift in standard deviations, and the goal of rows until half of the streams have an alarm. It is a fifth more than
# in the prototype of the design, which used the whole rate for level and spread of ten features.
SHIFTS = {
    "independent": (0.5, 360),
    "keep .9 of the row before": (1.0, 1_800),
    "daily and weekly cycle": (1.0, 3_840),
    "keep .99": (2.0, 15_720),
}
# Correlations of two features, which no single feature shows.
RELATIONS = (0.5, 0.9)


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
    """Return the rows from a shift to the alarm."""
    delay = _delay(name, shifted(shift), zlib.crc32(name.encode()) + 1)
    return _row(f"{name}: rows from a shift by {shift:g} sd to the alarm", delay, "", f"{goal:,}", met=delay <= goal)


def of_relation(correlation: float) -> Row:
    """Return the rows from the start of a correlation to the alarm."""
    delay = _delay("independent", related(correlation), 2)
    name = f"independent: rows from a correlation of {correlation:g} between two features to the alarm"
    return _row(name, delay, "", f"{LIVE - CHANGE:,}", met=delay < LIVE - CHANGE)


def _delay(name: str, change: Change, seed: int) -> float:
    """Return the median over the streams. An alarm before the change counts as none."""
    rng = np.random.default_rng(seed)
    alarms = [watch(KINDS[name], rng, RATE, (CHANGE, change)).alarm for _ in range(STREAMS)]
    return median(each - CHANGE if each is not None and each >= CHANGE else LIVE for each in alarms)


def main() -> int:
    """Simulate and record."""
    rows = [row for name, feature in KINDS.items() for row in of_kind(name, feature)]
    rows += [of_shift(name, shift, goal) for name, (shift, goal) in SHIFTS.items()]
    return record([*rows, *(of_relation(correlation) for correlation in RELATIONS)])


def _row(name: str, ours: float, unit: str, goal: str, *, met: bool = True) -> Row:
    return Row("evidence", name, ours, None, unit, goal, met=met, versions=versions("numpy", "scipy"))


if __name__ == "__main__":
    sys.exit(main())

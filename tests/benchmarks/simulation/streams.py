"""Streams without and with a change, and how long the monitor's evidence takes to raise an alarm on them.

A stream has features of rows that are independent, or that remember; the first rows are the reference. Nothing but the
rows is known to what watches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rondo.chassis.profiles.components import components
from rondo.monitor.evidence.reference import Begun, begin
from rondo.trainer.evaluation.reference_profile import numeric
from scipy.signal import lfilter

Rows = NDArray[np.float64]
# Rows of one feature of a stream: of this many, by this generator.
Feature = Callable[[int, np.random.Generator], Rows]
REFERENCE, LIVE, FEATURES = 5_000, 52_000, 10
_WARM_UP = 5_000
_DAY = 144


def independent(rows: int, rng: np.random.Generator) -> Rows:
    return rng.standard_normal(rows)


def heavy_tailed(rows: int, rng: np.random.Generator) -> Rows:
    return rng.standard_t(2, rows)


def remembering(kept: float) -> Feature:
    """Return rows that keep a share of the row before, with variance 1."""

    def feature(rows: int, rng: np.random.Generator) -> Rows:
        noise = rng.standard_normal(rows + _WARM_UP) * np.sqrt(1 - kept**2)
        return np.asarray(lfilter([1], [1, -kept], noise)[_WARM_UP:])

    return feature


def slow_under_noise(rows: int, rng: np.random.Generator) -> Rows:
    return np.asarray(0.5 * remembering(0.99)(rows, rng) + rng.standard_normal(rows))


def daily(rows: int, rng: np.random.Generator) -> Rows:
    phase = 2 * np.pi * (np.arange(rows) / _DAY + rng.random())
    return np.asarray(np.sin(phase) + 0.5 * np.sin(phase / 7) + remembering(0.9)(rows, rng))


def rare_and_clustered(rows: int, rng: np.random.Generator) -> Rows:
    """Return a flag that is set in 7% of the rows, in runs."""
    return np.asarray((remembering(0.95)(rows, rng) > 1.48).astype(np.float64))


KINDS: dict[str, Feature] = {
    "independent": independent,
    "heavy-tailed": heavy_tailed,
    "keep .9 of the row before": remembering(0.9),
    "keep .99": remembering(0.99),
    "slow component under noise": slow_under_noise,
    "daily and weekly cycle": daily,
    "rare and clustered flag": rare_and_clustered,
}


@dataclass(frozen=True)
class Watched:
    """What came of a stream: the live row of the first alarm, None without one, and the length of the blocks."""

    alarm: int | None
    block: float


def watch(feature: Feature, rng: np.random.Generator, rate: float, change: tuple[int, float] | None = None) -> Watched:
    """Watch a stream of ten features until its end. A `change` adds a shift to the first from a live row on."""
    alarms, blocks = [], []
    for number in range(FEATURES):
        rows = feature(REFERENCE + LIVE, rng)
        if change and number == 0:
            rows[REFERENCE + change[0] :] += change[1]
        alarm, block = _first_alarm(str(number), _components(rows), np.log(2 * FEATURES / rate))
        alarms.append(alarm)
        blocks.append(block)
    return Watched(min((each for each in alarms if each is not None), default=None), float(np.median(blocks)))


def _components(rows: Rows) -> Rows:
    """Return level and spread of each row, shape `[2, rows]`, by the profile of the reference."""
    values = rows.astype(np.float32)
    profile = numeric(values[:REFERENCE])
    codes = np.searchsorted(np.asarray(profile.edges, np.float32), values, side="right")
    return np.asarray(components(profile).values[codes, :2].T)


def _first_alarm(seed: str, means: Rows, bound: float) -> tuple[int | None, int]:
    """Return the live row of the first alarm of a feature, and its block. A short reference grows by quarters."""
    known, total = REFERENCE, means.shape[1]
    while not isinstance(begun := begin(seed, means[:, :known], 1), Begun):
        known = int(known * 1.25)
        if known >= total:
            return None, begun.block
    test, block = begun.test, begun.block
    count = (total - known) // block
    live = means[:, known : known + count * block].reshape(2, count, block).mean(axis=2)
    for at in range(count):
        test = test.with_blocks(live[:, at : at + 1])
        if test.is_look and test.evidence().max() >= bound:
            return known - REFERENCE + (at + 1) * block, block
    return None, block

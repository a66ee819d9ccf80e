"""Streams without and with a change, and the time until the monitor's evidence raises an alarm on them.

A stream has features of rows that are independent, or correlated. The first rows are the reference. The detector only
knows the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from rondo.contracts.events.logs import FEATURE
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation.reference_blocks import of_features
from rondo.trainer.evaluation.reference_profile import numeric
from scipy.signal import lfilter

Rows = NDArray[np.float64]
# Generates this many rows of one feature of a stream.
Feature = Callable[[int, np.random.Generator], Rows]
# Changes rows, given by feature.
Change = Callable[[dict[str, Rows]], None]
REFERENCE, LIVE, FEATURES = 5_000, 52_000, 10
# Rows, as in the monitor's window lengths for such a reference.
BUCKET, STEP = 8, 64
_WARM_UP = 5_000
_DAY = 144


def independent(rows: int, rng: np.random.Generator) -> Rows:
    return rng.standard_normal(rows)


def heavy_tailed(rows: int, rng: np.random.Generator) -> Rows:
    return rng.standard_t(2, rows)


def autoregressive(kept: float) -> Feature:
    """Return rows that keep a share of the row before, with variance 1."""

    def feature(rows: int, rng: np.random.Generator) -> Rows:
        noise = rng.standard_normal(rows + _WARM_UP) * np.sqrt(1 - kept**2)
        return np.asarray(lfilter([1], [1, -kept], noise)[_WARM_UP:])

    return feature


def slow_under_noise(rows: int, rng: np.random.Generator) -> Rows:
    return np.asarray(0.5 * autoregressive(0.99)(rows, rng) + rng.standard_normal(rows))


def daily(rows: int, rng: np.random.Generator) -> Rows:
    phase = 2 * np.pi * (np.arange(rows) / _DAY + rng.random())
    return np.asarray(np.sin(phase) + 0.5 * np.sin(phase / 7) + autoregressive(0.9)(rows, rng))


def rare_and_clustered(rows: int, rng: np.random.Generator) -> Rows:
    """Return a flag that is set in 7% of the rows, in runs."""
    return np.asarray((autoregressive(0.95)(rows, rng) > 1.48).astype(np.float64))


KINDS: dict[str, Feature] = {
    "independent": independent,
    "heavy-tailed": heavy_tailed,
    "keep .9 of the row before": autoregressive(0.9),
    "keep .99": autoregressive(0.99),
    "slow component under noise": slow_under_noise,
    "daily and weekly cycle": daily,
    "rare and clustered flag": rare_and_clustered,
}


@dataclass(frozen=True)
class Watched:
    """The results of a stream: the live row of the first alarm, None without one, and the length of the blocks."""

    alarm: int | None
    block: float


def shifted(by: float) -> Change:
    """Return the change that adds a shift to the first feature."""

    def change(columns: dict[str, Rows]) -> None:
        columns["x0"] += np.float32(by)

    return change


def related(correlation: float) -> Change:
    """Return the change that correlates the first two features.

    The distribution of each stays the same if it is normal.
    """

    def change(columns: dict[str, Rows]) -> None:
        own = np.float32(np.sqrt(1 - correlation**2))
        columns["x1"][:] = np.float32(correlation) * columns["x0"] + own * columns["x1"]

    return change


def watch(feature: Feature, rng: np.random.Generator, rate: float, change: tuple[int, Change] | None = None) -> Watched:
    """Watch a stream of ten features until its end. A `change` is made from a live row on."""
    columns = {f"x{number}": feature(REFERENCE + LIVE, rng).astype(np.float32) for number in range(FEATURES)}
    if change:
        change[1]({name: rows[REFERENCE + change[0] :] for name, rows in columns.items()})
    profile = _profile({name: rows[:REFERENCE] for name, rows in columns.items()})
    reference = Reference.of(profile, str(rng.integers(2**32)))
    evidence = VersionEvidence.of(reference.digest, profile)
    live = pa.table({f"{FEATURE}{name}": rows[REFERENCE:] for name, rows in columns.items()})
    for start in range(0, LIVE, STEP):
        rows = live.slice(start, STEP)
        groups = np.arange(rows.num_rows) // BUCKET
        counts = reference.binning.count_groups(rows, groups, int(groups[-1]) + 1)
        sums = reference.components.sums("inputs", counts)
        starts = start + BUCKET * np.arange(len(counts), dtype=np.int64)
        evidence.take("inputs", Buckets(starts, np.bincount(groups), sums, BUCKET))
        if next(evidence.alarms(rate), None):
            return Watched(start + rows.num_rows, _block(evidence))
    return Watched(None, _block(evidence))


def _profile(columns: dict[str, Rows]) -> ReferenceProfile:
    features = {name: numeric(rows) for name, rows in columns.items()}
    blocks, projections = of_features(features, pl.DataFrame(columns))
    return ReferenceProfile(
        rows=REFERENCE,
        features=features,
        outputs={},
        task=FittedTask(task="binary"),
        performance={},
        feature_blocks=blocks,
        projections=projections,
    )


def _block(evidence: VersionEvidence) -> float:
    return float(np.median([each.state.block for each in evidence.watched for _ in each.components]))

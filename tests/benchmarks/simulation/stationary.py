"""Streams without drift by kind, with the largest evidence on each and the number of PSI's alarms.

Each stream has a reference and then live rows of the same process. All its rows are given to the evidence at once. The
result is the same as for rows that arrive bucket by bucket, because evaluations depend on the blocks alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from rondo.contracts.events.logs import FEATURE
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import NumericProfile, ReferenceProfile
from rondo.monitor.evidence.component_sums import GROUPS
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation.reference_blocks import of_features
from rondo.trainer.evaluation.reference_profile import categorical, numeric
from scipy.stats import chi2

from tests.benchmarks.simulation.streams import BUCKET, autoregressive, daily, heavy_tailed, independent

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

REFERENCE, LIVE, FEATURES = 5_000, 100_000, 1
WINDOW = 1_000
"""Rows of a window of PSI."""
_CATEGORIES, _USERS, _SESSION = 200, 300, 20
_LETTERS = np.array([f"c{number:03}" for number in range(_CATEGORIES)])
Columns = dict[str, "NDArray[np.float32] | NDArray[np.str_]"]


def users(rows: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return rows of sessions of users who have levels of their own, in a daily and weekly cycle."""
    begins = rng.random(rows) < 1 / _SESSION
    sessions = rng.integers(_USERS, size=int(begins.sum()) + 1)[np.cumsum(begins)]
    return np.asarray(rng.standard_normal(_USERS)[sessions] + daily(rows, rng))


def rare_categories(rows: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """Return categories of which the 100th occurs in one of 600 rows, and most are rarer."""
    shares = 1 / np.arange(1, _CATEGORIES + 1)
    return np.asarray(_LETTERS[rng.choice(_CATEGORIES, rows, p=shares / shares.sum())])


KINDS: dict[str, tuple[Callable[..., NDArray[np.float64] | NDArray[np.str_]], bool]] = {
    "independent": (independent, True),
    "independent, heavy tails": (heavy_tailed, True),
    "independent, rare categories": (rare_categories, True),
    "keep .9 of the row before": (autoregressive(0.9), False),
    "keep .99 of the row before": (autoregressive(0.99), False),
    "daily and weekly cycle, users": (users, False),
}
"""The generator of a column by name, and true if its rows are independent."""


@dataclass(frozen=True)
class Watched:
    """The results of a stream.

    `needed` is the false-alarm rate of a version at which its inputs would just alarm: above 1 they never do. `judged`
    is the share of the components that have been compared with the reference. `psi` is the number of windows of
    `WINDOW` rows in which a column's PSI is above its bound by the chi-square distribution, at a rate of .01 for all
    windows and columns. `values` are the live rows of the first column, if it is numeric.
    """

    needed: float
    judged: float
    psi: int
    values: NDArray[np.float32] | None


def watch(kind: str, rng: np.random.Generator) -> Watched:
    """Make a stream and watch it until its end."""
    column, _ = KINDS[kind]
    rows = {f"x{number}": _stored(column(REFERENCE + LIVE, rng)) for number in range(FEATURES)}
    profile = profile_of({name: values[:REFERENCE] for name, values in rows.items()})
    reference = Reference.of(profile, str(rng.integers(2**32)))
    evidence = VersionEvidence.of(reference.digest, profile)
    live = {name: values[REFERENCE:] for name, values in rows.items()}
    groups = np.arange(LIVE) // BUCKET
    buckets = int(groups[-1]) + 1
    table = pa.table({f"{FEATURE}{name}": values for name, values in live.items()})
    counts = reference.binning.count_groups(table, groups, buckets)
    sums = reference.components.sums("inputs", counts)
    evidence.take("inputs", Buckets(BUCKET * np.arange(buckets, dtype=np.int64), np.bincount(groups), sums, BUCKET))
    largest = max(float(each.state.evidence.max()) for each in evidence.watched)
    judged = [bool(each.state.end) for each in evidence.watched for _ in each.components]
    first = live["x0"]
    return Watched(
        evidence.count("inputs") * len(GROUPS) / float(np.exp(largest)),
        float(np.mean(judged)),
        _psi_alarms(reference, counts),
        None if first.dtype.kind == "U" else first.astype(np.float32),
    )


def profile_of(columns: Columns) -> ReferenceProfile:
    """Return the profile that the trainer would write of these rows."""
    features = {
        name: categorical(pl.Series(values)) if values.dtype.kind == "U" else numeric(values.astype(np.float32))
        for name, values in columns.items()
    }
    blocks, projections = of_features(features, pl.DataFrame(columns))
    rows = len(next(iter(columns.values())))
    return ReferenceProfile(rows=rows, features=features, outputs={}, task=FittedTask(task="binary"), performance={},
                            feature_blocks=blocks, projections=projections)  # fmt: skip


def _stored(values: NDArray[np.float64] | NDArray[np.str_]) -> NDArray[np.float32] | NDArray[np.str_]:
    return values if values.dtype.kind == "U" else values.astype(np.float32)


def _psi_alarms(reference: Reference, counts: NDArray[np.int64], rate: float = 0.01) -> int:
    """Count the windows of columns whose PSI is above its bound, which is that of independent rows."""
    windows = counts.reshape(-1, WINDOW // BUCKET, counts.shape[1]).sum(axis=1)
    columns = reference.binning.columns
    found = 0
    for column in columns:
        expected, seen = column.of(reference.counts), windows[:, column.offset : column.offset + column.size]
        part = reference.profile.features[column.name]
        # Bins with few expected rows do not follow the distribution. Numeric ones have about as many rows each.
        kept = expected >= (1 if isinstance(part, NumericProfile) else 50)
        before, now = expected[kept] / expected.sum(), np.maximum(seen[:, kept], 0.5) / WINDOW
        psi = ((now - before) * np.log(now / before)).sum(axis=1)
        bound = chi2.ppf(1 - rate / (len(windows) * len(columns)), max(1, int(kept.sum()) - 1))
        found += int((psi > bound * (1 / WINDOW + 1 / expected.sum())).sum())
    return found

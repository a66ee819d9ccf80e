"""Watches a version as the monitor does: its inputs, scores and losses against the reference that the trainer wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from rondo.contracts.events.logs import FEATURE, OUTPUT
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.component_sums import GROUPS
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.stretches import Stretches, staged
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_blocks import of_features, of_losses, of_outputs
from rondo.trainer.evaluation.reference_profile import counted_rows, numeric

from tests.benchmarks.simulation.prequential import losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rondo.monitor.evidence.component_sums import Group

BUCKET, STEP = 8, 64
"""Rows, as in the monitor's window lengths for a reference of some thousand rows."""
TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
Alarms = list[int | None]
"""The number of live rows until the alarm, for each rate."""


@dataclass(frozen=True, eq=False)
class Version:
    """The rows of the training, and the scores and outcomes of its holdout, in order of time.

    Without scores the inputs alone are watched.
    """

    x: NDArray[np.float32]
    scores: NDArray[np.float64] | None = None
    outcomes: NDArray[np.int8] | None = None

    def profile(self) -> ReferenceProfile:
        columns = _named(self.x)
        features = {name: numeric(values) for name, values in columns.items()}
        blocks, projections = of_features(features, pl.DataFrame(columns))
        if self.scores is None or self.outcomes is None:
            return ReferenceProfile(rows=len(self.x), features=features, outputs={}, task=TASK, performance={},
                                    feature_blocks=blocks, projections=projections)  # fmt: skip
        scored = Scored(TASK, self.outcomes.astype(np.float32), {"score": self.scores.astype(np.float32)})
        outputs = {"score": numeric(scored.outputs["score"])}
        return ReferenceProfile(
            rows=len(self.x), features=features, outputs=outputs, task=TASK, performance={}, feature_blocks=blocks,
            projections=projections, output_blocks=of_outputs(outputs, scored),
            loss=of_losses(TASK, counted_rows(scored)),
        )  # fmt: skip


def watch(
    version: Version,
    x: NDArray[np.float32],
    scores: NDArray[np.float64] | None,
    outcomes: NDArray[np.int8] | None,
    rates: Sequence[float],
) -> dict[Group, Alarms]:
    """Return the alarms of each group at each rate of false alarms, where live rows have outcomes at once.

    Live outcomes have scores beside them.
    """
    profile = version.profile()
    reference = Reference.of(profile, "watched")
    evidence = VersionEvidence.of(reference.digest, profile)
    columns = {f"{FEATURE}{name}": values for name, values in _named(x).items()}
    if scores is not None:
        columns[f"{OUTPUT}score"] = scores.astype(np.float32)
    lost = None if scores is None or outcomes is None else _loss_figures(scores, outcomes)
    live, found = pa.table(columns), {group: dict[float, int]() for group in GROUPS}
    for start in range(0, len(x), STEP):
        rows = live.slice(start, STEP)
        groups = np.arange(rows.num_rows) // BUCKET
        starts, sizes = start + BUCKET * np.arange(int(groups[-1]) + 1, dtype=np.int64), np.bincount(groups)
        counts = reference.binning.count_groups(rows, groups, len(sizes))
        evidence.take("inputs", Buckets(starts, sizes, reference.components.sums("inputs", counts), BUCKET))
        if scores is not None:
            evidence.take("outputs", Buckets(starts, sizes, reference.components.sums("outputs", counts), BUCKET))
        if lost is not None:
            evidence.take("loss", buckets(start, lost[start : start + STEP]))
        for group, rate in ((group, rate) for group in GROUPS for rate in rates if rate not in found[group]):
            if next(evidence.alarms(rate, [group]), None):
                found[group][rate] = start + rows.num_rows
    return {group: [each.get(rate) for rate in rates] for group, each in found.items()}


def watch_values(
    reference: NDArray[np.float64], live: NDArray[np.float64], rates: Sequence[float], *, one_sided: bool = False
) -> Alarms:
    """Return the alarms of a single bounded figure of each row, as if it were a separate group."""
    rows = -(-len(reference) // 512)
    means = reference[len(reference) % rows :].reshape(1, -1, rows).mean(axis=2)
    stretches = Stretches(rows, 1.0, means)
    test, found = staged("values", [stretches], stretches.block(), one_sided=one_sided), dict[float, int]()
    for start in range(0, len(live), STEP):
        test.take(buckets(start, live[start : start + STEP]))
        for rate in rates:
            if rate not in found and test.evidence[0] >= np.log(len(GROUPS) / rate):
                found[rate] = min(start + STEP, len(live))
    return [found.get(rate) for rate in rates]


def _loss_figures(scores: NDArray[np.float64], outcomes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the loss of each row, and the amounts by which its score is too low and too high, shape `[rows, 3]`."""
    bias = outcomes - scores
    return np.column_stack((losses(scores, outcomes), bias, -bias))


def buckets(first: int, values: NDArray[np.float64]) -> Buckets:
    """Return figures of consecutive rows, shape `[rows]` or `[rows, figures]`, as buckets.

    A row counts as a microsecond.
    """
    starts = np.arange(0, len(values), BUCKET)
    rows = np.minimum(BUCKET, len(values) - starts)
    return Buckets(first + starts, rows, np.add.reduceat(values, starts).reshape(len(starts), -1), BUCKET)


def earliest(*groups: Alarms) -> Alarms:
    """Return the first of several alarms at each rate."""
    return [min((each for each in rates if each is not None), default=None) for rates in zip(*groups, strict=True)]


def _named(x: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return {f"x{number}": np.ascontiguousarray(values) for number, values in enumerate(x.T)}

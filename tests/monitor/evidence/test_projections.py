"""Projections of the features in the evidence: features that become correlated are a change of the inputs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation import reference_blocks, reference_profile

from tests.monitor.evidence.buckets import MINUTE

NAMES, ROWS, LIVE, RATE = ("a", "b", "c"), 4_000, 20_000, 0.01


def rows_of(count: int, seed: int, *, together: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    data = {name: rng.normal(size=count).astype(np.float32) for name in NAMES}
    if together:
        data["b"] = np.float32(0.9) * data["a"] + np.float32(np.sqrt(1 - 0.81)) * data["b"]
    return data


def reference() -> Reference:
    rows = pl.DataFrame(rows_of(ROWS, 1))
    features = reference_profile.of_features({name: Feature(type="float") for name in NAMES}, rows)
    blocks, projections = reference_blocks.of_features(features, rows)
    profile = ReferenceProfile(
        rows=ROWS,
        seconds=86_400,
        features=features,
        outputs={},
        task=FittedTask(task="binary"),
        performance={},
        feature_blocks=blocks,
        projections=projections,
    )
    return Reference.of(profile, "digest")


def alarmed(data: dict[str, np.ndarray]) -> set[str | None]:
    """Return the columns that alarm on these live rows."""
    mine = reference()
    evidence = VersionEvidence.of(mine.digest, mine.profile)
    groups, count = np.arange(LIVE) // 20, LIVE // 20
    bins = mine.binning.count_groups(pa.table({f"feature.{name}": each for name, each in data.items()}), groups, count)
    starts = MINUTE * np.arange(count, dtype=np.int64)
    sums = mine.components.sums("inputs", bins)
    evidence.take("inputs", Buckets(starts, np.full(count, 20), sums, MINUTE))
    return {alarm.component.column for alarm in evidence.alarms(RATE)}


@pytest.mark.medium
def test_features_that_begin_to_go_together_alarm_in_projections_alone() -> None:
    found = alarmed(rows_of(LIVE, 2, together=True))
    assert found
    assert found <= {f"projection {number}" for number in range(1, 9)}


@pytest.mark.medium
def test_rows_like_those_of_the_reference_alarm_nowhere() -> None:
    assert alarmed(rows_of(LIVE, 2)) == set()

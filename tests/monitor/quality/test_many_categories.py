"""Evidence of unseen categories in a column with many of them: rare without a change, and strong after one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.profiles.components import UNSEEN
from rondo.contracts.spec.model import Feature
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation.reference_blocks import of_features
from rondo.trainer.evaluation.reference_profile import of_features as profiles_of

from tests.monitor.builders import PROFILE
from tests.monitor.evidence.buckets import MINUTE

PER_BUCKET, ROWS = 8, 2_000


def drawn(rng: np.random.Generator, rows: int, size: int) -> list[str]:
    """Return customers or dates: some come often, and many once."""
    return [f"c{value}" for value in rng.integers(0, size, rows) * rng.integers(0, 2, rows)]


def reference(seed: int, size: int) -> Reference:
    frame = pl.DataFrame({"x": drawn(np.random.default_rng(seed), ROWS, size)})
    profiles = profiles_of({"x": Feature(type="category")}, frame)
    blocks, _ = of_features(profiles, frame)
    profile = ReferenceProfile(
        rows=ROWS, features=profiles, outputs={}, task=PROFILE.task, performance={}, feature_blocks=blocks
    )
    return Reference.of(profile, f"{seed}")


def evidence_of(found: Reference, values: list[str]) -> dict[str, float]:
    table, count = pa.table({"feature.x": values}), len(values) // PER_BUCKET
    counts = found.binning.count_groups(table, np.arange(len(values)) // PER_BUCKET, count)
    starts, full = MINUTE * np.arange(count), np.full(count, PER_BUCKET)
    evidence = VersionEvidence.of(found.digest, found.profile)
    evidence.take("inputs", Buckets(starts, full, found.components.sums("inputs", counts), MINUTE))
    return {
        component.name: float(value)
        for each in evidence.watched
        for component, value in zip(each.components, each.state.evidence, strict=True)
    }


@pytest.mark.medium
@pytest.mark.parametrize("size", [400, 4_000])
def test_without_a_change_evidence_is_as_rare_as_promised(size: int) -> None:
    largest = []
    for seed in range(30):
        live = drawn(np.random.default_rng(10_000 + seed), 2 * ROWS, size)
        largest.append(evidence_of(reference(seed, size), live)[UNSEEN])
    for level in (0.3, 0.1):
        # Three standard errors above the level.
        assert np.mean(np.array(largest) >= -np.log(level)) <= level + 3 * np.sqrt(level * (1 - level) / len(largest))


def test_more_unseen_categories_are_found() -> None:
    found, rng = reference(1, 400), np.random.default_rng(2)
    live = [f"new {value}" if rng.random() < 0.2 else value for value in drawn(rng, ROWS, 400)]
    assert evidence_of(found, live)[UNSEEN] > 10

"""Evidence of numbers beyond those of the training: rare ones are found, and without a change alarms are rare."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.profiles.components import OUT_OF_RANGE
from rondo.contracts.spec.model import Feature
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.alerts.finding_kinds import by_kind
from rondo.monitor.evidence.component_sums import places_of
from rondo.monitor.evidence.open_buckets import BucketedRows
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation.reference_blocks import of_features
from rondo.trainer.evaluation.reference_profile import of_features as profiles_of

from tests.monitor.builders import PROFILE
from tests.monitor.evidence.buckets import MINUTE

RATE, PER_BUCKET = 0.01, 8


def reference(seed: int, rows: int = 2_000, columns: tuple[str, ...] = ("x",)) -> Reference:
    return reference_of(np.random.default_rng(seed).normal(size=rows).astype(np.float32), f"{seed}", columns)


def reference_of(x: np.ndarray, digest: str, columns: tuple[str, ...] = ("x",)) -> Reference:
    frame = pl.DataFrame({"x": x, "y": x[::-1].copy()}).select(columns)
    profiles = profiles_of({name: Feature(type="float") for name in columns}, frame)
    blocks, _ = of_features(profiles, frame)
    profile = ReferenceProfile(
        rows=len(x), features=profiles, outputs={}, task=PROFILE.task, performance={}, feature_blocks=blocks
    )
    return Reference.of(profile, digest)


def table_of(values: np.ndarray) -> pa.Table:
    """Return rows whose second column is the first one in reverse order."""
    return pa.table({"feature.x": values.astype(np.float32), "feature.y": values[::-1].astype(np.float32)})


def buckets_of(found: Reference, values: np.ndarray) -> Buckets:
    table = table_of(values)
    count = len(values) // PER_BUCKET
    counts = found.binning.count_groups(table, np.arange(len(values)) // PER_BUCKET, count)
    starts, full = MINUTE * np.arange(count), np.full(count, PER_BUCKET)
    return Buckets(starts, full, found.components.sums("inputs", counts), MINUTE)


def evidence_of(found: Reference, values: np.ndarray) -> VersionEvidence:
    evidence = VersionEvidence.of(found.digest, found.profile)
    evidence.take("inputs", buckets_of(found, values))
    return evidence


def evidence_by_name(evidence: VersionEvidence) -> dict[str, float]:
    return {
        component.name: float(value)
        for each in evidence.watched
        for component, value in zip(each.components, each.state.evidence, strict=True)
    }


def without_range(profile: ReferenceProfile) -> ReferenceProfile:
    """Return the profile as an earlier trainer has written it."""
    assert profile.feature_blocks
    columns = {
        name: each.model_copy(update={"means": {part: m for part, m in each.means.items() if part != OUT_OF_RANGE}})
        for name, each in profile.feature_blocks.columns.items()
    }
    return profile.model_copy(update={"feature_blocks": profile.feature_blocks.model_copy(update={"columns": columns})})


def without_leaving_out(found: Reference) -> Reference:
    """Return the reference with the range of all rows, which no row of the training is beyond."""
    blocks = found.profile.feature_blocks
    assert blocks
    columns = {
        name: each.model_copy(update={"means": each.means | {OUT_OF_RANGE: (0.0,) * len(each.means[OUT_OF_RANGE])}})
        for name, each in blocks.columns.items()
    }
    changed = blocks.model_copy(update={"columns": columns})
    return Reference.of(found.profile.model_copy(update={"feature_blocks": changed}), found.digest)


def test_a_sensor_that_fails_for_one_row_of_fifty_is_found_by_its_range_alone() -> None:
    found, rng = reference(1), np.random.default_rng(2)
    values = np.where(rng.random(1_600) < 0.02, 9_999.0, rng.normal(size=1_600))
    evidence = evidence_of(found, values)
    kinds = by_kind(list(evidence.alarms(RATE)))
    assert [[each.component.name for each in alarms] for alarms in kinds.values() if alarms] == [[OUT_OF_RANGE]]
    (alarm,) = kinds["quality"]
    assert (alarm.change.before < 0.002, alarm.change.after > 0.01) == (True, True)
    earlier = Reference.of(without_range(found.profile), found.digest)
    assert not list(evidence_of(earlier, values).alarms(RATE)), "an earlier trainer has written no reference of it"


def test_a_shift_of_ordinary_values_is_drift_although_some_are_out_of_range() -> None:
    found = reference(1)
    evidence = evidence_of(found, np.random.default_rng(2).normal(2.0, size=1_600))
    kinds = by_kind(list(evidence.alarms(RATE)))
    assert {"level", OUT_OF_RANGE} <= {each.component.name for each in kinds["drift"]}
    assert not kinds["quality"]


def test_a_version_of_an_earlier_trainer_is_watched_as_before() -> None:
    found = reference(1)
    earlier = Reference.of(without_range(found.profile), found.digest)
    names, before = (
        [
            component.name
            for each in VersionEvidence.of(each.digest, each.profile).watched
            for component in each.components
        ]
        for each in (found, earlier)
    )
    assert (names, before) == (["level", "spread", "missing", OUT_OF_RANGE], ["level", "spread", "missing"])
    values = np.random.default_rng(2).normal(size=800)
    assert (buckets_of(earlier, values).sums == buckets_of(found, values).sums[:, :3]).all()


def test_the_components_of_an_earlier_checkpoint_keep_their_places() -> None:
    known = ["level", "spread", "missing"]
    names = [[*known, OUT_OF_RANGE], ["share of a", "unseen", "missing"], [*known, OUT_OF_RANGE]]
    places = places_of(names)
    earlier = places_of([known, names[1], known])
    assert [each[:3] for each in places] == earlier == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [each[3:] for each in places] == [[9], [], [10]]


def test_rows_and_counts_of_rows_have_the_same_sums() -> None:
    found, rng = reference(1, columns=("x", "y")), np.random.default_rng(3)
    values = np.where(rng.random(160) < 0.2, np.where(rng.random(160) < 0.5, -50.0, 50.0), rng.normal(size=160))
    values[::7] = np.nan
    starts = np.repeat(MINUTE * np.arange(20), PER_BUCKET)
    rows = BucketedRows.of(starts, found.binning.bins(table_of(values)), found.binning)
    sums = buckets_of(found, values).sums
    assert (found.components.of_part("inputs", rows).counts == sums).all()
    beyond = (np.abs(values) == 50).reshape(-1, PER_BUCKET).sum(axis=1)
    assert sums[:, -2:].tolist() == np.column_stack([beyond, beyond[::-1]]).tolist()


@pytest.mark.parametrize("marker", [3.4028235e38, -3.4028235e38, np.inf, -np.inf])
def test_a_marker_of_missing_data_at_the_end_of_float32_is_no_change(marker: float) -> None:
    """There is no edge above the greatest float32, so the last bin has ordinary numbers, too."""
    rng = np.random.default_rng(4)
    training, live = (np.where(rng.random(rows) < 0.03, marker, rng.normal(size=rows)) for rows in (2_000, 4_000))
    found = reference_of(training.astype(np.float32), "marked")
    evidence = evidence_of(found, live)
    assert [each.component.name for each in evidence.alarms(RATE)] == []
    assert (OUT_OF_RANGE in evidence_by_name(evidence)) == (marker == -3.4028235e38), "a marker that has an edge"


@pytest.mark.medium
def test_without_a_change_evidence_is_as_rare_as_promised() -> None:
    """The range is that of the same rows as the blocks that live rows are compared with."""
    largest, in_sample = [], []
    for seed in range(40):
        found = reference(seed)
        live = np.random.default_rng(10_000 + seed).normal(size=4 * 2_000)
        largest.append(evidence_by_name(evidence_of(found, live))[OUT_OF_RANGE])
        in_sample.append(evidence_by_name(evidence_of(without_leaving_out(found), live))[OUT_OF_RANGE])
    assert np.mean(in_sample) > np.mean(largest), "the range without its own rows is the reason"
    for level in (0.3, 0.1):
        # Three standard errors above the level.
        assert np.mean(np.array(largest) >= -np.log(level)) <= level + 3 * np.sqrt(level * (1 - level) / len(largest))

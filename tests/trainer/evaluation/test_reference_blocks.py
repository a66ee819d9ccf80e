"""Blocks of the reference: the stretches add up to the profile, and hold what the monitor computes of the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.profiles.autocorrelation import autocorrelation_time
from rondo.chassis.profiles.binning import Binning
from rondo.chassis.profiles.components import OUT_OF_RANGE, UNSEEN, components
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask, Interval
from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.evidence.stretches import Learning
from rondo.monitor.evidence.version_evidence import VersionEvidence
from rondo.trainer.evaluation import reference_blocks
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_blocks import of_features, of_losses, of_outputs
from rondo.trainer.evaluation.reference_profile import counted_rows
from rondo.trainer.evaluation.reference_profile import of_features as profiles_of
from rondo.trainer.evaluation.reference_profile import of_outputs as profiles_of_outputs

from tests.chassis.profiles.counts import row_counts

BINARY = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
FEATURES = {
    name: Feature(type="category" if name in {"city", "rare"} else "float", optional=True)
    for name in ("x", "constant", "empty", "few", "city", "rare")
}


def rows_of(count: int, seed: int) -> pl.DataFrame:
    """Return rows with missing values, a constant, a column without values, ties, and rare categories."""
    rng = np.random.default_rng(seed)
    x = [None if gap else value for gap, value in zip(rng.random(count) < 0.1, rng.normal(size=count), strict=True)]
    city = rng.choice(np.array(["oslo", "rome", "", None], object), count, p=[0.5, 0.3, 0.1, 0.1])
    return pl.DataFrame(
        {
            "x": pl.Series(x, dtype=pl.Float32),
            "constant": pl.Series([3.0] * count, dtype=pl.Float32),
            "empty": pl.Series([None] * count, dtype=pl.Float32),
            "few": pl.Series(rng.integers(3, size=count), dtype=pl.Float32),
            "city": pl.Series(city.tolist(), dtype=pl.String),
            "rare": pl.Series([f"c{n}" for n in rng.integers(600, size=count)], dtype=pl.String),
        }
    )


def as_logged(rows: pl.DataFrame) -> pa.Table:
    """Return rows as the monitor reads them from the inference log."""
    types = {pl.Float32: pa.float32(), pl.String: pa.string()}
    return pa.table(
        {f"feature.{name}": pa.array(rows[name].to_list(), types[type(rows[name].dtype)]) for name in rows.columns}
    )


def reference(rows: pl.DataFrame) -> ReferenceProfile:
    profiles = profiles_of(FEATURES, rows)
    blocks, projections = of_features(profiles, rows)
    return ReferenceProfile(
        rows=rows.height,
        features=profiles,
        outputs={},
        task=BINARY,
        performance={},
        feature_blocks=blocks,
        projections=projections,
    )


@pytest.mark.medium
@given(st.one_of(st.integers(1, 40), st.integers(500, 530), st.integers(1_000, 3_000)), st.integers(0, 1_000))
def test_the_stretches_are_what_the_monitor_computes_of_the_same_rows(count: int, seed: int) -> None:
    rows = rows_of(count, seed)
    profile = reference(rows)
    blocks = profile.feature_blocks
    assert blocks
    stretches, left_out = divmod(count, blocks.rows)
    assert (stretches <= 512, blocks.rows == 1 or stretches >= 256) == (True, True)
    logged, binning = as_logged(rows), Binning.of(profile)
    groups = np.repeat(np.arange(stretches), blocks.rows)
    counts = binning.count_groups(logged.slice(left_out), groups, stretches)
    assert (counts.sum(axis=0) + row_counts(binning, logged.slice(0, left_out))).tolist() == binning.reference(
        profile
    ).tolist()
    profiles, columns = dict(profile.features), dict(blocks.columns)
    # With many rows x and few vary, so there is something to project.
    assert profile.projections or count < 500
    if profile.projections:
        profiles |= profile.projections.profiles
        columns |= profile.projections.blocks
    assert [column.name for column in binning.watched] == list(profiles)
    for column in binning.watched:
        watched, found = components(profiles[column.name]), columns[column.name]
        expected = watched.means(counts[:, column.offset : column.offset + column.size])
        assert [name for name in found.means if name != OUT_OF_RANGE] == list(watched.names)
        for name, values in zip(watched.names, expected.T, strict=True):
            # The rows of a stretch say nothing of what is unseen in it (`test_unseen_categories.py`).
            if name != UNSEEN:
                # `approx` takes two seconds for a million numbers.
                assert np.abs(np.array(found.means[name]) - values).max(initial=0.0) <= 1e-9


def test_a_reference_of_one_row_is_one_stretch() -> None:
    blocks = reference(rows_of(1, 0)).feature_blocks
    assert blocks
    assert (blocks.rows, {len(m) for c in blocks.columns.values() for m in c.means.values()}) == (1, {1})
    assert {column.autocorrelation_rows for column in blocks.columns.values()} == {1.0}


@given(st.integers(2, 40), st.integers(0, 1_000))
def test_each_stretch_is_compared_with_the_range_of_all_other_rows(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(count) < 0.2, np.nan, rng.integers(12, size=count)).astype(np.float32)
    rows = pl.DataFrame({"x": x}).fill_nan(None)
    blocks, _ = of_features(profiles_of({"x": FEATURES["x"]}, rows), rows)
    assert blocks.rows == 1
    others = [np.delete(x, at) for at in range(count)]
    if np.isnan(x).all():
        assert OUT_OF_RANGE not in blocks.columns["x"].means
    else:
        expected = [
            not np.isnan(x[at]) and (np.isnan(each).all() or x[at] < np.nanmin(each) or x[at] > np.nanmax(each))
            for at, each in enumerate(others)
        ]
        assert blocks.columns["x"].means[OUT_OF_RANGE] == tuple(map(float, expected))


def test_only_features_that_are_numbers_have_a_reference_of_their_range() -> None:
    profile = reference(rows_of(2_000, 3))
    assert profile.feature_blocks
    assert profile.projections
    found = {name for name, each in profile.feature_blocks.columns.items() if OUT_OF_RANGE in each.means}
    assert found == {"x", "constant", "few"}
    assert not any(OUT_OF_RANGE in each.means for each in profile.projections.blocks.values())
    x = np.array(profile.feature_blocks.columns["x"].means[OUT_OF_RANGE]) * profile.feature_blocks.rows
    assert 1 <= (x > 0).sum() <= 2, "the stretches with the least and the greatest value"


def test_the_newest_rows_fill_the_stretches() -> None:
    values = [*[0.0] * 1_000, *[1.0] * 1_001]
    rows = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float32)})
    profiles = profiles_of({"x": FEATURES["x"]}, rows)
    blocks, _ = of_features(profiles, rows)
    level = blocks.columns["x"].means["level"]
    assert (blocks.rows, len(level)) == (4, 500)
    # The second row is the first of a stretch, so the 1,000th ends the 250th but for one row.
    assert [level[at] == level[0] for at in (248, 249, 250)] == [True, False, False]
    assert len(set(level)) == 3


def autoregressive(count: int) -> np.ndarray:
    rng, values = np.random.default_rng(4), np.zeros(count)
    for at in range(1, count):
        values[at] = 0.9 * values[at - 1] + rng.normal()
    return values.astype(np.float32)


def test_the_autocorrelation_time_is_that_of_rows_within_a_stretch() -> None:
    rows = pl.DataFrame({"x": autoregressive(12_800)})
    profiles = profiles_of({"x": FEATURES["x"]}, rows)
    blocks, _ = of_features(profiles, rows)
    profile = ReferenceProfile(rows=12_800, features=profiles, outputs={}, task=BINARY, performance={})
    bins = Binning.of(profile).columns[0].bins(as_logged(rows))
    of_rows = components(profiles["x"]).values[bins].T
    assert blocks.rows == 25
    assert blocks.columns["x"].autocorrelation_rows == pytest.approx(autocorrelation_time(of_rows, 1, below=25))
    # 19 rows, and what is added to the estimate for its errors.
    assert 15 < blocks.columns["x"].autocorrelation_rows < 60


def scored(count: int, **outputs: Any) -> Scored:
    rng = np.random.default_rng(1)
    score = rng.random(count).astype(np.float32)
    found = {"score": score, "label": (score > 0.5).astype(np.int64)} | outputs
    return Scored(BINARY, rng.integers(2, size=count).astype(np.float32), found)


def test_the_autocorrelation_time_is_that_of_the_latest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_blocks, "_ROWS_OF_AUTOCORRELATION", 4_000)
    early = np.repeat(np.random.default_rng(1).random(100), 50)
    late = np.random.default_rng(2).random(4_000)
    rows = pl.DataFrame({"x": np.concatenate([early, late]).astype(np.float32)})
    features = {"x": Feature(type="float")}
    blocks, _ = of_features(profiles_of(features, rows), rows)
    assert blocks.columns["x"].autocorrelation_rows < 1.2


def test_outputs_move_as_the_monitor_sees_them() -> None:
    task = FittedTask(task="multiclass", labels=("ash", "elm", "oak"))
    label = np.random.default_rng(2).integers(3, size=1_025)
    holdout = Scored(task, label.astype(np.float32), {"label": label, "score": scored(1_025).outputs["score"]})
    profiles = profiles_of_outputs(holdout)
    blocks = of_outputs(profiles, holdout)
    logged = pa.table({"output.label": np.array(task.labels)[label], "output.score": holdout.outputs["score"]})
    binning = Binning.of_columns({}, profiles)
    counts = binning.count_groups(logged.slice(2), np.repeat(np.arange(341), 3), 341)
    assert (blocks.rows, tuple(blocks.columns)) == (3, ("label", "score"))
    for name, column in zip(profiles, binning.columns, strict=True):
        expected = components(profiles[name]).means(counts[:, column.offset : column.offset + column.size])
        assert np.column_stack(list(blocks.columns[name].means.values())) == pytest.approx(expected, abs=1e-9)


def test_of_a_refitted_model_one_stretch_of_outputs_is_left_which_live_rows_extend() -> None:
    profiles = profiles_of_outputs(scored(2_100))
    whole, latest = (of_outputs(profiles, scored(2_100), refitted=refitted) for refitted in (False, True))
    assert (latest.rows, latest.columns.keys()) == (whole.rows, whole.columns.keys())
    for name, means in latest.columns["score"].means.items():
        assert means == whole.columns["score"].means[name][-1:]
    profile = ReferenceProfile(
        rows=2_100, features={}, outputs=profiles, task=BINARY, performance={}, output_blocks=latest
    )
    (watched,) = VersionEvidence.of("digest", profile).watched
    assert isinstance(watched.state, Learning)
    assert watched.state.needed > latest.rows


def test_losses_are_means_of_stretches_of_the_holdout() -> None:
    task = FittedTask(task="regression")
    # The first row fills no stretch.
    errors = np.append(np.float32(0), np.tile(np.array([1, -1, 2], np.float32), 400))
    holdout = Scored(task, errors, {"value": np.zeros(1_201, np.float32)})
    found = of_losses(task, counted_rows(holdout))
    assert found
    # The 99th percentile of the squared errors is 4, so the losses are 1/4, 1/4 and 1.
    assert (found.rows, found.largest, found.means) == (3, 4.0, (0.5,) * 400)
    assert found.uncovered is None
    # Errors of the largest loss and beyond count as 1, and the others as a share of it.
    assert found.bias == (pytest.approx((0.5 - 0.5 + 1) / 3),) * 400


def test_losses_with_intervals_have_the_share_of_outcomes_outside_of_them() -> None:
    task = FittedTask(task="regression", interval=Interval(coverage=0.7, half_width=1.0))
    errors = np.tile(np.array([1, -1, 2], np.float32), 400)
    value = np.zeros(1_200, np.float32)
    holdout = Scored(task, errors, {"value": value, "low": value - 1, "high": value + 1})
    found = of_losses(task, counted_rows(holdout))
    assert found
    # An outcome on the end of its interval is covered.
    assert (found.rows, found.uncovered) == (3, (pytest.approx(1 / 3),) * 400)


def test_without_a_loss_there_is_no_reference_of_losses() -> None:
    nothing = Scored(BINARY, np.array([np.nan], np.float32), {"score": np.array([0.5], np.float32)})
    assert of_losses(BINARY, counted_rows(nothing)) is None
    found = of_losses(BINARY, counted_rows(scored(1)))
    assert found
    assert (found.rows, found.autocorrelation_rows, len(found.means), found.largest) == (1, 1.0, 1, None)

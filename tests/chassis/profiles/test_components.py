"""Components of columns: bounded, centred on the reference, and computed from counts."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.chassis.profiles.components import OUT_OF_RANGE, components
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile
from rondo.trainer.evaluation.reference_profile import numeric


def counts_of(profile: NumericProfile, values: np.ndarray) -> np.ndarray:
    codes = np.searchsorted(np.asarray(profile.edges, np.float32), values[~np.isnan(values)], side="right")
    return np.append(np.bincount(codes, minlength=len(profile.counts)), np.isnan(values).sum())


def test_level_and_spread_are_0_on_average_and_of_variance_1_on_the_reference() -> None:
    values = np.random.default_rng(1).lognormal(size=20_000).astype(np.float32)
    profile = numeric(values)
    found = components(profile)
    assert found.names == ("level", "spread", "missing")
    counts = counts_of(profile, values)
    assert found.means(counts) == pytest.approx([0.0, 0.0, 0.0], abs=0.01)
    assert (counts @ found.values**2)[:2] / counts.sum() == pytest.approx([1.0, 1.0], abs=0.05)


def test_a_shift_moves_the_level_a_wider_spread_the_spread_and_gaps_the_missing_share() -> None:
    rng = np.random.default_rng(2)
    profile = numeric(rng.standard_normal(20_000).astype(np.float32))
    found = components(profile)

    def means(values: np.ndarray) -> list[float]:
        return found.means(counts_of(profile, values.astype(np.float32))).tolist()

    level, spread, missing = means(rng.standard_normal(20_000) + 0.5)
    assert (level > 0.3, abs(spread) < 0.2, missing) == (True, True, 0.0)
    level, spread, missing = means(rng.standard_normal(20_000) * 2)
    assert (abs(level) < 0.05, spread > 0.4) == (True, True)
    _, _, missing = means(np.where(np.arange(20_000) % 4, rng.standard_normal(20_000), np.nan))
    assert missing == 0.25


def test_a_number_is_out_of_range_beyond_the_values_of_the_reference() -> None:
    profile = numeric(np.array([*range(100), np.nan], np.float32))
    found, without = components(profile, out_of_range=True), components(profile)
    assert found.names == (*without.names, OUT_OF_RANGE)
    assert (found.values[:, :3] == without.values).all()
    for values, share in (([-1, 0, 99, 100], 0.5), ([0, 50, 99, np.nan], 0.0), ([-np.inf, np.inf, 1, 2], 0.5)):
        assert found.means(counts_of(profile, np.array(values, np.float32)))[3] == share
    nothing = components(numeric(np.full(3, np.nan, np.float32)), out_of_range=True)
    assert nothing.values[:, 3].tolist() == [1.0, 0.0], "every number is out of the range of none"


def test_one_wild_value_moves_a_block_by_no_more_than_its_share() -> None:
    profile = numeric(np.random.default_rng(3).standard_normal(5_000).astype(np.float32))
    found = components(profile)
    ordinary = np.zeros(32, np.float32)
    wild = np.append(ordinary[1:], np.float32(1e30))
    moved = found.means(counts_of(profile, wild)) - found.means(counts_of(profile, ordinary))
    assert np.abs(moved).max() <= 2 * np.sqrt(5) / 32


def test_the_most_frequent_categories_are_watched_and_those_that_the_reference_lacks() -> None:
    profile = CategoricalProfile(counts={name: 10 + ord(name) for name in "abcdefghij"}, other=3, missing=1)
    found = components(profile)
    assert found.names == (*(f"share of {name}" for name in "jihgfedc"), "unseen", "missing")
    rows = np.zeros((2, 12), np.int64)
    rows[0, [0, 9]] = 4  # half a, half j
    rows[1, [10, 11]] = 1, 3
    assert found.means(rows)[0].tolist() == [0.5] + [0.0] * 9
    assert found.means(rows)[1].tolist() == [0.0] * 8 + [0.25, 0.75]

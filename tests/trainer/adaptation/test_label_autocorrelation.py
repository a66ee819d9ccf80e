"""The number of rows over which labels depend on each other."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.trainer.adaptation.label_autocorrelation import block_means, dependent_rows, inflation, rows_of_blocks


def days(rows: int, length: int, spread: float, seed: int) -> np.ndarray:
    """Return labels, shape `[1, rows]`, whose log odds have a level for each day of `length` rows."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.normal(0, spread, rows // length + 1), length)[:rows]
    return (rng.random(rows) < 1 / (1 + np.exp(-level))).astype(np.float64)[None]


def test_independent_labels_show_no_dependence() -> None:
    rng = np.random.default_rng(1)
    found = [dependent_rows((rng.random((1, 3_000)) < 0.3).astype(np.float64)) for _ in range(50)]
    assert sum(each > 1 for each in found) <= 3


@pytest.mark.parametrize("length", [50, 300])
def test_labels_with_a_level_for_each_day_depend_on_each_other_over_a_day(length: int) -> None:
    found = [dependent_rows(days(200 * length, length, 0.8, seed)) for seed in range(10)]
    assert 0.5 * length < np.median(found) < 3 * length


@pytest.mark.parametrize("after", [np.full(6_000, 0.6), np.linspace(0.2, 0.6, 6_000)])
def test_a_level_that_changes_once_or_slowly_is_no_dependence(after: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    level = np.concatenate([np.full(4_000, 0.2), after])
    found = [dependent_rows((rng.random((1, 10_000)) < level).astype(np.float64)) for _ in range(50)]
    assert sum(each > 1 for each in found) <= 3


def test_a_few_days_unlike_all_others_are_a_dependence() -> None:
    rng = np.random.default_rng(1)
    level = np.repeat(np.where(rng.random(100) < 0.06, 0.9, 0.2), 50)
    assert dependent_rows((rng.random((1, 5_000)) < level).astype(np.float64)) > 20


def test_the_series_that_depends_over_the_most_rows_counts() -> None:
    rng = np.random.default_rng(2)
    series = np.concatenate([(rng.random((1, 10_000)) < 0.5).astype(np.float64), days(10_000, 50, 0.8, 3)])
    assert dependent_rows(series) == dependent_rows(series[1:]) > 20


def test_indicators_are_numbers_or_booleans() -> None:
    labels = days(10_000, 50, 0.8, 3)
    assert dependent_rows(labels == 1) == dependent_rows(labels) == pytest.approx(dependent_rows(labels == 0))


def test_without_labels_or_with_few_or_constant_ones_nothing_is_known() -> None:
    assert dependent_rows(None) == 1
    assert dependent_rows(np.empty((0, 500))) == 1
    assert dependent_rows(days(79, 20, 3.0, 1)) == 1
    assert dependent_rows(np.ones((2, 5_000))) == 1


def test_blocks_and_errors_of_independent_rows_are_as_they_were() -> None:
    assert (rows_of_blocks(1, 10), rows_of_blocks(2.5, 10)) == (0, 25)
    assert (inflation(1, 50), inflation(200, 50)) == (1, 2)
    values = np.arange(40.0)
    assert len(block_means(values, 1)) == 40
    assert block_means(values, 8).tolist() == [3.5, 11.5, 19.5, 27.5, 35.5]
    assert len(block_means(values, 30)) == 4, "four at least"
    assert len(block_means(values[:2], 30)) == 2

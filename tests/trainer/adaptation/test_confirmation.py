"""The decision whether the rows before a change are dropped."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.trainer.adaptation.confirmation import confirm, gap, held_back, rows_before_look, window_start

RNG = np.random.default_rng(3)
LOSSES = RNG.uniform(0.2, 0.4, 400)


@pytest.mark.parametrize(
    ("since", "features", "first"),
    [(600, 3, 600), (900, 3, 800), (900, 50, 500), (-5, 3, 0), (600, 500, 0)],
)
def test_the_window_keeps_200_rows_and_ten_for_each_feature(since: int, features: int, first: int) -> None:
    assert window_start(np.arange(1_000), since, features) == first


def test_half_of_the_rows_since_the_change_are_left_to_fit_to() -> None:
    assert (held_back(10_000, 200), held_back(300, 200)) == (200, 150)


def test_a_model_since_the_change_that_is_better_is_taken() -> None:
    found = confirm(LOSSES - 0.05, LOSSES)
    assert found.moves
    assert found.advantage == pytest.approx(0.05)


def test_a_model_since_the_change_that_is_worse_beyond_chance_is_not_taken() -> None:
    found = confirm(LOSSES + 0.05 + RNG.normal(0, 0.01, 400), LOSSES)
    assert not found.moves
    assert found.advantage == pytest.approx(-0.05, abs=0.002)


def test_a_model_since_the_change_that_is_better_by_chance_alone_is_not_taken() -> None:
    noise = RNG.normal(0, 0.2, 400)
    found = confirm(LOSSES + noise - noise.mean() - 0.005, LOSSES)
    assert 0 < found.advantage < found.error
    assert not found.moves


def test_an_advantage_of_one_day_in_ten_is_chance_where_rows_of_a_day_depend_on_each_other() -> None:
    day = np.repeat(np.arange(10), 40)
    since = LOSSES - np.where(day == 2, 0.2, -0.012) + RNG.normal(0, 0.01, 400)
    independent, dependent = confirm(since, LOSSES), confirm(since, LOSSES, dependent=40)
    assert independent.error < 0.75 * dependent.error
    assert dependent.error == pytest.approx(0.0212, rel=0.1)
    assert not dependent.moves


@pytest.mark.parametrize(
    ("dependent", "window", "floor", "rows"),
    [(1.0, 50_000, 0, 0), (300.0, 50_000, 0, 3_000), (300.0, 2_000, 0, 2_000), (300.0, 50_000, 40_000, 40_000)],
)
def test_a_change_is_looked_into_with_ten_independent_blocks_or_as_many_rows_as_before_it(
    dependent: float, window: int, floor: int, rows: int
) -> None:
    assert rows_before_look(dependent, window, floor) == rows


def test_of_dependent_rows_five_blocks_decide_and_those_between_do_not() -> None:
    assert (held_back(10_000, 200, 300), gap(10_000, 300)) == (1_500, 300)
    assert (held_back(1_000, 200, 300), gap(1_000, 300)) == (500, 250)
    assert gap(1_000, 1) == 0

"""The rows that the strategies fit to."""

from __future__ import annotations

import numpy as np
from rondo.trainer.adaptation.strategies import Strategy, strategies


def firsts(found: tuple[Strategy, ...]) -> dict[str, int]:
    return {each.name: each.first for each in found}


def test_the_last_rows_grow_fourfold_up_to_half_of_all() -> None:
    found = strategies(26_000, 20_000, features=3, first=2_000, fades=True)
    assert firsts(found) == {
        "since": 20_000,
        "all": 0,
        "last 800": 25_200,
        "last 3200": 22_800,
        "last 12800": 13_200,
        "fading": 0,
    }
    assert found[0].name == "since"


def test_all_fits_together_cost_at_most_four() -> None:
    for rows in range(1_000, 500_000, 1_777):
        found = strategies(rows, 0, features=3, first=1_000, fades=True)
        # One more is the last fit, to the rows of the one that leads.
        assert sum(rows - each.first for each in found) + rows <= 4 * rows


def test_many_features_need_more_last_rows() -> None:
    assert firsts(strategies(26_000, 0, features=100, first=2_000, fades=False)) == {"since": 0, "last 4000": 22_000}


def test_without_a_confirmed_alarm_all_rows_are_one_strategy() -> None:
    assert firsts(strategies(1_000, 0, features=3, first=1_000, fades=False)) == {"since": 0}


def test_weights_halve_in_half_of_the_rows_of_the_first_training() -> None:
    (fading,) = (each for each in strategies(1_000, 0, 3, first=200, fades=True) if each.name == "fading")
    weights = fading.weights(1_000)
    assert weights is not None
    assert len(weights) == 1_000
    np.testing.assert_allclose(weights[[-1, -101, -201]], [1, 0.5, 0.25])
    assert Strategy("all", 0).weights(10) is None

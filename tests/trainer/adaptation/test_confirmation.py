"""Whether the rows before a change are left out."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.trainer.adaptation.confirmation import confirm, held_back, window_start

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


def test_a_model_since_the_change_that_is_no_worse_than_by_chance_is_taken() -> None:
    noise = RNG.normal(0, 0.2, 400)
    found = confirm(LOSSES + noise - noise.mean() + 0.005, LOSSES)
    assert found.error > 0.005
    assert found.moves

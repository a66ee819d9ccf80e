"""The weights of an ensemble follow from the errors of its members on recent rows."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.trainer.ensemble.weights import mean_squared_error, reference_error, weigh


def test_a_weight_is_the_benefit_over_the_shares_of_the_classes() -> None:
    assert weigh([0.10, 0.15, 0.25, 0.40], 0.25) == (0.6, 0.4, 0.0, 0.0)


def test_weights_are_thousandths_that_add_up_to_one() -> None:
    weights = weigh([0.1, 0.1, 0.1], 0.25)
    assert weights == (0.334, 0.333, 0.333)
    assert weigh([0.1, 0.2499], 0.25) == (1.0, 0.0)


def test_where_no_member_is_better_than_chance_the_first_has_all_the_weight() -> None:
    assert weigh([0.3, 0.26], 0.25) == (1.0, 0.0)
    assert weigh([float("inf"), 0.1], 0.25) == (0.0, 1.0)


def test_the_error_of_a_probability_is_that_of_the_right_class() -> None:
    targets = np.array([0, 1, 1, 3], np.float32)
    binary = np.array([[0.1], [0.9], [0.5], [1.0]])
    assert mean_squared_error("probability", binary[:3], targets[:3]) == pytest.approx((0.01 + 0.01 + 0.25) / 3)
    several = np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0, 1, 0], [0.2, 0.2, 0.6]])
    # The last row has a class that the model does not know.
    assert mean_squared_error("probabilities", several, targets) == pytest.approx((0.04 + 0.16 + 0 + 1) / 4)
    assert mean_squared_error("number", binary * 10, targets) == pytest.approx((1 + 64 + 16 + 49) / 4)


def test_a_model_that_gives_no_number_has_an_infinite_error() -> None:
    assert mean_squared_error("probability", np.array([[0.5], [np.nan]]), np.array([0, 1], np.float32)) == float("inf")


def test_the_reference_knows_the_shares_alone() -> None:
    assert reference_error("probability", np.array([0, 0, 0, 1], np.float32)) == pytest.approx(0.75 * 0.25)
    assert reference_error("probabilities", np.array([0, 0, 1, 2], np.float32)) == pytest.approx(
        0.5 * 0.25 + 2 * 0.25 * 0.75**2
    )
    assert reference_error("number", np.array([1, 3], np.float32)) == 1

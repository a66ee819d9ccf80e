"""A model predicts its holdout once, and other rows than those that evaluate it choose its threshold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.trainer.evaluation.holdout import score_holdout

from tests.trainer.builders import rows, spec


@pytest.mark.parametrize(
    ("prediction", "evaluated"), [({}, 400), ({"cost": {"false_positive": 1, "false_negative": 3}}, 200)]
)
def test_rows_are_predicted_once(prediction: dict[str, object], evaluated: int) -> None:
    predicted = []

    def predict(part: pl.DataFrame) -> np.ndarray:
        predicted.append(part)
        return np.linspace(0, 1, part.height)[:, None]

    holdout = rows(400)
    evaluating, scored = score_holdout(spec(prediction=prediction), ("0", "1"), holdout, predict)
    # A model has the matrix of this object.
    assert len(predicted) == 1
    assert predicted[0] is holdout
    assert evaluating.height == len(scored) == evaluated
    assert scored.targets.tolist() == evaluating["late"].to_list()
    np.testing.assert_array_equal(scored.outputs["score"], np.linspace(0, 1, 400).astype(np.float32)[-evaluated:])


def test_the_earlier_half_chooses_the_threshold_that_costs_least() -> None:
    """Each half has a threshold that makes no error, and they are not the same."""
    earlier = pl.int_range(pl.len()) < 200
    late = pl.col("distance") >= pl.when(earlier).then(900.0).otherwise(2_100.0)
    holdout = rows(400).with_columns(late=late.cast(pl.Float64))

    def predict(part: pl.DataFrame) -> np.ndarray:
        return part.select(pl.col("distance").cast(pl.Float64) / 3_000).to_numpy()

    cost = {"cost": {"false_positive": 1, "false_negative": 1}}
    evaluating, scored = score_holdout(spec(prediction=cost), ("0", "1"), holdout, predict)
    most, least = (
        np.float32(of(predict(holdout[:200].filter(pl.col("late") == late)))) for late, of in ((0, np.max), (1, np.min))
    )
    assert most < scored.task.threshold < least
    np.testing.assert_array_equal(
        scored.outputs["label"], predict(evaluating)[:, 0].astype(np.float32) >= scored.task.threshold
    )
    assert 0.28 < most < 0.3 <= least < 0.32
    assert scored.task.chosen_on == 200


def test_a_threshold_of_the_spec_is_taken_as_it_is() -> None:
    raw = np.linspace(0, 1, 400)[:, None]
    _, scored = score_holdout(spec(prediction={"threshold": 0.3}), ("0", "1"), rows(400), lambda _: raw)
    assert scored.task.threshold == np.float32(0.3)
    assert scored.task.chosen_on is None
    np.testing.assert_array_equal(scored.outputs["label"], raw[:, 0].astype(np.float32) >= np.float32(0.3))

"""A model predicts its holdout once, and other rows than those that evaluate it choose its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.trainer.evaluation.holdout import score_holdout

from tests.trainer.builders import rows, spec

if TYPE_CHECKING:
    import polars as pl


@pytest.mark.parametrize(
    ("prediction", "predicted"), [({}, [400]), ({"cost": {"false_positive": 1, "false_negative": 3}}, [200, 200])]
)
def test_rows_are_predicted_once(prediction: dict[str, object], predicted: list[int]) -> None:
    heights = []

    def predict(part: pl.DataFrame) -> np.ndarray:
        heights.append(part.height)
        return np.full((part.height, 1), 0.25)

    evaluating, scored = score_holdout(spec(prediction=prediction), ("0", "1"), rows(400), predict)
    assert heights == predicted
    assert evaluating.height == len(scored) == predicted[-1]
    assert scored.targets.tolist() == evaluating["late"].to_list()

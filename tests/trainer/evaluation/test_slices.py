"""Metrics by the values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import SliceMetrics
from rondo.trainer.evaluation import slices
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS
from rondo.trainer.evaluation.slices import evaluate_slices

if TYPE_CHECKING:
    import pytest


def scored(labels: list[float], scores: list[float]) -> Scored:
    task = FittedTask(task="binary", labels=("0", "1"), threshold=0.5)
    score = np.array(scores, np.float32)
    outputs: dict[str, Any] = {"score": score, "label": (score >= 0.5).astype(np.int64)}
    return Scored(task, np.array(labels, np.float32), outputs)


def test_a_slice_has_its_rows_and_the_metrics_that_are_defined_on_them() -> None:
    rows = pl.Series("carrier", ["AA", "AA", "UA", None])
    found = evaluate_slices(rows, scored([1, 0, 1, 1], [0.9, 0.1, 0.5, 0.4]), ("roc_auc", "true_positive_rate"))
    assert list(found) == [
        SliceMetrics(column="carrier", value="", rows=1, metrics={"true_positive_rate": 0.0}),
        SliceMetrics(column="carrier", value="AA", rows=2, metrics={"roc_auc": 1.0, "true_positive_rate": 1.0}),
        SliceMetrics(column="carrier", value="UA", rows=1, metrics={"true_positive_rate": 1.0}),
    ]


def test_a_column_may_be_called_count() -> None:
    found = evaluate_slices(pl.Series("count", ["1", "2", "2"]), scored([1, 0, 1], [0.9, 0.1, 0.5]), ("accuracy",))
    assert [(part.column, part.value, part.rows) for part in found] == [("count", "1", 1), ("count", "2", 2)]


def test_a_column_of_many_values_is_cut_to_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MAX_SLICES", 20)
    values = [str(i) for i in range(25)] + ["often"] * 3
    nothing = scored([0] * len(values), [0] * len(values))
    found = list(evaluate_slices(pl.Series("dest", values), nothing, ("accuracy",)))
    assert len(found) == 20
    assert "often" in {part.value for part in found}


def test_a_long_text_is_no_slice() -> None:
    values = ["a" * MAX_CATEGORY_CHARACTERS, "b" * (MAX_CATEGORY_CHARACTERS + 1)]
    found = evaluate_slices(pl.Series("note", values), scored([0, 0], [0, 0]), ("accuracy",))
    assert [part.value for part in found] == values[:1]

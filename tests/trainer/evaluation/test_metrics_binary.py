"""Metrics of all rows and of slices; where one class is absent, none that needs both."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.training_evidence import SliceMetric
from rondo.trainer.evaluation.metrics_binary import MAX_SLICES, evaluate, roc_auc
from rondo.trainer.evaluation.reference_profile import MAX_CATEGORY_CHARACTERS

row = st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.1, 0.25, 0.5, 0.9]))


@given(st.lists(row, min_size=1, max_size=40))
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, float]]) -> None:
    positive, negative = ([s for label, s in rows if label == wanted] for wanted in (1, 0))
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    labels, scores = np.array(rows, dtype=np.float32).T
    expected = sum(pairs) / len(pairs) if pairs else None
    assert roc_auc(labels, scores) == (None if expected is None else pytest.approx(expected))


def test_metrics_of_known_scores() -> None:
    labels, scores = np.array([1, 0], dtype=np.float32), np.array([0.75, 0.25], dtype=np.float32)
    metrics = evaluate(labels, scores, pl.DataFrame(), ()).metrics
    assert metrics == pytest.approx({"roc_auc": 1.0, "log_loss": -np.log(0.75), "brier": 0.0625})


def test_a_certain_and_wrong_score_has_a_finite_loss() -> None:
    labels, scores = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    assert np.isfinite(evaluate(labels, scores, pl.DataFrame(), ()).metrics["log_loss"])


def test_slices_name_rows_positives_and_auc() -> None:
    labels, scores = np.array([1, 0, 1, 1], dtype=np.float32), np.array([0.9, 0.1, 0.5, 0.6], dtype=np.float32)
    slices = evaluate(labels, scores, pl.DataFrame({"carrier": ["AA", "AA", "UA", None]}), ["carrier"]).slices
    assert slices == (
        SliceMetric(column="carrier", value="", rows=1, positives=1, roc_auc=None),
        SliceMetric(column="carrier", value="AA", rows=2, positives=1, roc_auc=1.0),
        SliceMetric(column="carrier", value="UA", rows=1, positives=1, roc_auc=None),
    )


def test_a_column_of_many_values_is_cut_to_the_largest() -> None:
    values = [str(i) for i in range(MAX_SLICES + 5)] + ["often"] * 3
    zeros = np.zeros(len(values), dtype=np.float32)
    slices = evaluate(zeros, zeros, pl.DataFrame({"dest": values}), ["dest"]).slices
    assert len(slices) == MAX_SLICES
    assert "often" in {part.value for part in slices}


def test_a_long_text_is_no_slice() -> None:
    values = ["a" * MAX_CATEGORY_CHARACTERS, "b" * (MAX_CATEGORY_CHARACTERS + 1)]
    slices = evaluate(np.zeros(2, np.float32), np.zeros(2, np.float32), pl.DataFrame({"note": values}), ["note"]).slices
    assert [part.value for part in slices] == values[:1]

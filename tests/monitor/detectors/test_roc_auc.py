"""ROC AUC from histograms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.monitor.detectors.roc_auc import RocAuc, roc_auc
from rondo.monitor.windows.window_counts import score_histogram

from tests.monitor.builders import REFERENCE
from tests.monitor.detectors.windows import statistics, window


def exact_auc(scores: np.ndarray, outcomes: np.ndarray) -> float:
    positive, negative = scores[outcomes > 0.5], scores[outcomes < 0.5]
    pairs = positive[:, None] - negative[None, :]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


@given(st.integers(0, 2**32 - 1), st.integers(5, 300), st.floats(0.2, 8))
def test_the_auc_of_the_histograms_is_that_of_the_scores(seed: int, count: int, width: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.beta(width, 3, 2 * count).astype(np.float32)
    outcomes = np.repeat([0.0, 1.0], count)
    area = roc_auc(score_histogram(scores, outcomes))
    bins = (scores * 1024).astype(int)
    shared = (bins[:count, None] == bins[None, count:]).mean()
    assert area is not None
    assert abs(area - exact_auc(scores, outcomes)) <= shared / 2 + 1e-9


def test_without_both_outcomes_there_is_no_auc() -> None:
    scores = np.array([0.1, 1.0], np.float32)
    assert roc_auc(score_histogram(scores, np.zeros(2))) is None
    labelled = window({}).with_outcomes(score_histogram(scores, np.ones(2)))
    assert list(statistics(RocAuc(), labelled)) == []


def labelled(skill: float, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    scores = rng.random(count).astype(np.float32)
    return score_histogram(scores, (rng.random(count) < skill * scores + (1 - skill) / 2).astype(np.float64))


@pytest.mark.parametrize(
    ("skill", "count", "degraded"), [(1.0, 5_000, False), (0.4, 5_000, True), (0.4, 60, False), (0.97, 100_000, False)]
)
def test_a_drop_beyond_the_spec_and_chance_is_degraded(skill: float, count: int, degraded: bool) -> None:  # noqa: FBT001
    holdout = roc_auc(labelled(1.0, 100_000))
    assert holdout is not None
    reference = replace(REFERENCE, roc_auc=holdout, roc_auc_error=0.002)
    counts = window({}).with_outcomes(labelled(skill, count))
    ((statistic, exceeded),) = statistics(RocAuc(), counts, reference, tail=0.003)
    assert (exceeded, statistic.reference) == (degraded, holdout)
    assert statistic.p_value is not None

"""Performance estimated from scores alone, beside the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.binary import BINARY, ScoreHistograms
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.monitor.estimates.calibration import Calibration, calibrate
from rondo.monitor.estimates.expected_performance import expected_performance, score_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKETCH = ScoreHistograms()
FITTED = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)


def table(scores: NDArray[np.float32], outcomes: NDArray[np.int64]) -> pa.Table:
    columns = {"number": scores, "outcome": outcomes.astype(np.float64)}
    fields = [*PREDICTED, *OBSERVED]
    return pa.table({f.name: pa.array(columns.get(f.name, [None] * len(scores)), f.type) for f in fields})


def rows(centre: float, count: int, seed: int, *, opposite: bool = False) -> pa.Table:
    """Return rows of an overconfident model: the logit of its score is twice that of the outcome's probability."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(centre, 1.0, count)
    outcome = rng.random(count) < 1 / (1 + np.exp(logit if opposite else -logit))
    return table((1 / (1 + np.exp(-2 * logit))).astype(np.float32), outcome)


def learned(reference: pa.Table) -> Calibration:
    found = calibrate(SKETCH.count(reference))
    assert found
    return found


def truth(of: pa.Table) -> dict[str, float]:
    scores, outcomes = of["number"].to_numpy(), of["outcome"].to_numpy()
    auc = SKETCH.figures(SKETCH.count(of))["roc_auc"].value
    loss = float(BINARY.losses(FITTED, of, None).mean())
    return {"roc_auc": auc, "accuracy": float(((scores >= 0.5) == outcomes).mean()), "loss": loss}


@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_is_near_the_truth_after_a_shift_of_the_inputs(seed: int) -> None:
    calibration, live = learned(rows(0.0, 20_000, seed)), rows(1.5, 5_000, 100 + seed)
    found = expected_performance(calibration, score_counts(live["number"].to_numpy(), SKETCH.bins), 0.5)
    assert found.keys() == {"roc_auc", "accuracy", "loss"}
    for name, figure in found.items():
        assert figure.error
        assert abs(figure.value - truth(live)[name]) < 4 * figure.error, name
        assert figure.error < 0.02


def test_the_raw_scores_would_be_wrong_by_more() -> None:
    """The calibration is what makes it right: this model is far more certain than it may be."""
    live = rows(0.0, 20_000, 7)
    uncalibrated = Calibration((np.arange(SKETCH.bins) + 0.5) / SKETCH.bins, 10_000, 10_000)
    counts = score_counts(live["number"].to_numpy(), SKETCH.bins)
    wrong, right = (expected_performance(each, counts, 0.5)["accuracy"].value for each in (uncalibrated, learned(live)))
    assert wrong - truth(live)["accuracy"] > 0.05
    assert abs(right - truth(live)["accuracy"]) < 0.01


def test_outcomes_that_change_for_the_same_inputs_are_not_seen() -> None:
    """This is the assumption: the estimate is of a world in which a score means what it meant on the holdout."""
    calibration, live = learned(rows(0.0, 20_000, 1)), rows(0.0, 5_000, 2, opposite=True)
    found = expected_performance(calibration, score_counts(live["number"].to_numpy(), SKETCH.bins), 0.5)
    assert found["roc_auc"].value > 0.7
    assert truth(live)["roc_auc"] < 0.3


def test_estimates_of_the_holdout_itself_are_its_figures_where_more_score_is_more_positive() -> None:
    scores = np.repeat(np.array([0.1, 0.3, 0.6, 0.9], np.float32), 100)
    outcomes = np.concatenate([np.arange(100) < positives for positives in (5, 20, 55, 95)]).astype(np.int64)
    holdout = table(scores, outcomes)
    found = expected_performance(learned(holdout), score_counts(scores, SKETCH.bins), 0.5)
    assert found["roc_auc"].value == pytest.approx(truth(holdout)["roc_auc"], abs=1e-9)
    assert found["accuracy"].value == pytest.approx(truth(holdout)["accuracy"], abs=1e-9)
    assert found["loss"].value == pytest.approx(truth(holdout)["loss"], abs=2e-3)  # by the middles of the bins


def test_the_threshold_decides_the_accuracy() -> None:
    calibration = Calibration(np.linspace(0.0, 1.0, 1_000), 500, 500)
    counts = np.ones(1_000, np.int64)
    accuracies = [expected_performance(calibration, counts, each)["accuracy"].value for each in (0.5, 0.5005, 0.9)]
    assert accuracies[0] == pytest.approx(0.75, abs=1e-3)
    assert accuracies[0] > accuracies[1] > accuracies[2]


def test_a_calibration_never_falls_and_fills_empty_bins() -> None:
    counts = np.zeros((2, 5), np.int64)
    counts[0], counts[1] = (6, 0, 2, 0, 0), (4, 0, 8, 0, 5)
    assert calibrate(counts.ravel()).probabilities.tolist() == pytest.approx([0.4, 0.6, 0.8, 0.9, 1.0])  # type: ignore[union-attr]
    counts[1, 0] = 60
    pooled = calibrate(counts.ravel())
    assert pooled
    assert pooled.probabilities[0] == pooled.probabilities[2]


def test_without_rows_or_with_one_outcome_alone_there_is_no_estimate() -> None:
    assert calibrate(SKETCH.count(table(np.array([0.1, 0.9], np.float32), np.array([1, 1])))) is None
    assert expected_performance(learned(rows(0.0, 100, 1)), np.zeros(SKETCH.bins, np.int64), 0.5) == {}
    certain = expected_performance(Calibration(np.zeros(4), 1, 1), np.array([9, 0, 0, 0]), 0.5)
    assert "roc_auc" not in certain
    assert certain["accuracy"].value == 1.0


def test_scores_count_as_the_sketch_counts_them() -> None:
    live = rows(0.5, 1_000, 3)
    scores = np.append(live["number"].to_numpy(), np.array([np.nan, 0.0, 1.0], np.float32))
    counted = score_counts(scores, SKETCH.bins)
    assert counted.sum() == 1_002
    assert (counted[1:-1] == SKETCH.count(live).reshape(2, -1).sum(axis=0)[1:-1]).all()

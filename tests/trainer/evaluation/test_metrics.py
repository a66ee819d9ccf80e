"""Metrics: one that needs two classes is absent without them, and each has the expected value on known rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.base import Costs, FittedTask, Interval, Output
from rondo.contracts.tasks.registry import TASKS
from rondo.trainer.evaluation import bootstrap, weighted_metrics
from rondo.trainer.evaluation.bootstrap import compare
from rondo.trainer.evaluation.metrics.metrics import compute, compute_all
from rondo.trainer.evaluation.metrics.scored import Scored
from sklearn import metrics as sk

row = st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
RNG = np.random.default_rng(5)
COST = Costs(false_positive=2, false_negative=5)


@pytest.fixture
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer resamples: scikit-learn takes 1 to 2 ms for a metric of each."""
    monkeypatch.setattr(bootstrap, "_LEAST", 50)
    monkeypatch.setattr(bootstrap, "_MOST", 200)


def binary(labels: Any, scores: Any) -> Scored:
    score = np.asarray(scores, np.float32)
    outputs = {"score": score, "label": (score >= 0.5).astype(np.int64)}
    task = FittedTask(task="binary", labels=("0", "1"), threshold=0.5, cost=COST)
    return Scored(task, np.asarray(labels, np.float32), outputs)


def classes(labels: Any, raw: Any) -> Scored:
    task = FittedTask(task="multiclass", labels=("ash", "elm", "oak"))
    outputs = TASKS["multiclass"].predictions(task, np.asarray(raw, np.float64))
    return Scored(task, np.asarray(labels, np.float32), outputs)


def numbers(labels: Any, values: Any) -> Scored:
    task = FittedTask(task="regression", interval=Interval(coverage=0.8, half_width=1.0))
    outputs = TASKS["regression"].predictions(task, np.asarray(values, np.float64)[:, None])
    return Scored(task, np.asarray(labels, np.float32), outputs)


@given(st.lists(row, min_size=1, max_size=40))
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, float]]) -> None:
    positive, negative = ([s for label, s in rows if label == wanted] for wanted in (1, 0))
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    labels, scores = np.array(rows, dtype=np.float32).T
    expected = sum(pairs) / len(pairs) if pairs else None
    assert compute("roc_auc", binary(labels, scores)) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("decimals", [1, 8], ids=["ties", "none"])
def test_metrics_of_one_probability_are_scikit_learns_to_the_bit(decimals: int) -> None:
    labels, scores = RNG.integers(0, 2, 3_000), RNG.random(3_000).round(decimals).astype(np.float32)
    scored = binary(labels, scores)
    assert compute("roc_auc", scored) == sk.roc_auc_score(labels, scores)
    assert compute("average_precision", scored) == sk.average_precision_score(labels, scores)
    assert compute("log_loss", scored) == sk.log_loss(labels, scores.astype(float))
    assert compute("brier", scored) == sk.brier_score_loss(labels, scores.astype(float))
    weights = RNG.integers(0, 3, 3_000).astype(float)
    assert compute("roc_auc", scored, weights) == sk.roc_auc_score(labels, scores, sample_weight=weights)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1, width=32)), min_size=2, max_size=9))
def test_metrics_of_few_rows_are_scikit_learns_to_the_bit(rows: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    scored = binary(labels, scores.astype(np.float32))
    if 0 < labels.sum() < len(labels):
        assert compute("roc_auc", scored) == sk.roc_auc_score(labels, scores)
    if labels.any():
        assert compute("average_precision", scored) == sk.average_precision_score(labels, scores)
    assert compute("log_loss", scored) == sk.log_loss(labels, scores, labels=[0, 1])
    assert compute("brier", scored) == sk.brier_score_loss(labels, scores, labels=[0, 1], pos_label=1)


def test_metrics_of_known_scores() -> None:
    found = compute_all(TASKS["binary"].metrics, binary([1, 0], [0.75, 0.25]))
    assert found == pytest.approx(
        {
            "roc_auc": 1, "average_precision": 1, "log_loss": -np.log(0.75), "brier": 0.0625, "ece": 0.25,
            "accuracy": 1,
            "balanced_accuracy": 1, "precision": 1, "recall": 1, "f1": 1, "mcc": 1, "cost": 0,
        }
    )  # fmt: skip


def test_the_cost_is_that_of_the_errors_of_a_row() -> None:
    scored = binary([1, 1, 0, 0], [0.1, 0.9, 0.9, 0.1])
    assert compute("cost", scored) == (2 + 5) / 4
    assert compute("cost", scored, np.array([3.0, 1.0, 1.0, 0.0])) == (3 * 5 + 2) / 5
    without = Scored(scored.task.model_copy(update={"cost": None}), scored.targets, scored.outputs)
    assert compute("cost", without) is None


def test_metrics_of_known_classes() -> None:
    found = compute_all(TASKS["multiclass"].metrics, classes([0, 1, 1], [[0.5, 0.5, 0], [0.2, 0.8, 0], [1, 0, 0]]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["brier"] == pytest.approx((0.5 + 0.08 + 2) / 3)
    # No row has the third class. Of the first the second of two rows is right, of the second the first and the third.
    assert found["average_precision"] == pytest.approx((1 / 2 + (1 + 2 / 3) / 2) / 2)


class _Renamed:
    """A task whose outputs have other names. All else is that of a known task."""

    def __init__(self, known: Any) -> None:
        self._known = known
        self.counted = {name: f"my_{output}" for name, output in known.counted.items()}
        self.answer = f"my_{known.answer}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._known, name)

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:
        return tuple(replace(each, name=f"my_{each.name}") for each in self._known.outputs(fitted))


@pytest.mark.parametrize("task", TASKS)
def test_metrics_do_not_depend_on_the_names_of_outputs(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = RNG.random((200, 3))
    raw /= raw.sum(axis=1, keepdims=True)
    known = {
        "binary": lambda: binary(RNG.integers(0, 2, 200), raw[:, 0]),
        "multiclass": lambda: classes(RNG.integers(0, 3, 200), raw),
        "regression": lambda: numbers(RNG.normal(size=200), raw[:, 0]),
    }[task]()
    monkeypatch.setitem(TASKS, "renamed", _Renamed(TASKS[task]))
    outputs = {f"my_{name}": each for name, each in known.outputs.items()}
    renamed = Scored(known.task.model_copy(update={"task": "renamed"}), known.targets, outputs)
    weights = RNG.integers(0, 3, 200).astype(float)
    for name in (*TASKS[task].metrics, *TASKS[task].rates):
        assert compute(name, renamed) == compute(name, known) is not None, name
        assert compute(name, renamed, weights) == compute(name, known, weights), name
        ours, theirs = (weighted_metrics.of_weights(name, each) for each in (renamed, known))
        assert (ours is None) == (theirs is None)
        assert ours is None or theirs is None or ours(weights) == theirs(weights), name


def test_metrics_of_known_numbers() -> None:
    found = compute_all(TASKS["regression"].metrics, numbers([1, 2, 4], [1, 3, 2]))
    assert found["mae"] == pytest.approx(1.0)
    assert found["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert found["interval_coverage"] == pytest.approx(2 / 3)
    assert found["r2"] == pytest.approx(1 - 5 / (14 / 3))


def test_a_certain_and_wrong_prediction_has_a_finite_loss() -> None:
    for scored in (binary([1, 0], [0, 1]), classes([0, 3], [[0, 0, 1], [0, 1, 0]])):
        value = compute("log_loss", scored)
        assert value is not None
        assert np.isfinite(value)


def test_no_rows_have_no_metrics() -> None:
    assert compute_all(TASKS["binary"].metrics, binary([], [])) == {}


@pytest.mark.medium
@pytest.mark.usefixtures("_few_resamples")
@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "brier", "accuracy", "f1", "average_precision"])
def test_equal_models_have_no_loss_and_a_better_one_a_negative_loss(name: str) -> None:
    labels = (RNG.random(2_000) < 0.5).astype(np.float32)
    good, bad = np.clip(labels * 0.4 + RNG.random(2_000) * 0.6, 0, 1), RNG.random(2_000)
    same = compare(name, binary(labels, good), binary(labels, good), 0.95, seed=7)
    assert same is not None
    assert (same.loss, same.low, same.high) == (0, 0, 0)
    better = compare(name, binary(labels, good), binary(labels, bad), 0.95, seed=7)
    assert better is not None
    assert better.low <= better.loss <= better.high < 0
    assert better == compare(name, binary(labels, good), binary(labels, bad), 0.95, seed=7)


@pytest.mark.medium
@pytest.mark.usefixtures("_few_resamples")
@pytest.mark.parametrize("name", ["mae", "rmse", "r2", "median_absolute_error", "interval_coverage"])
def test_numbers_are_compared_too(name: str) -> None:
    labels = RNG.normal(size=500)
    worse = compare(name, numbers(labels, labels + RNG.normal(size=500) * 2), numbers(labels, labels), 0.95, seed=7)
    assert worse is not None
    assert 0 < worse.low <= worse.loss <= worse.high


@pytest.mark.usefixtures("_few_resamples")
@pytest.mark.slow
def test_the_bounds_hold_the_true_loss_as_often_as_they_say() -> None:
    """For two equally good models, the lower bound is above 0 in about one of twenty holdouts."""
    rng, above = np.random.default_rng(11), 0
    for trial in range(200):
        labels = (rng.random(300) < 0.5).astype(np.float32)
        one, other = (np.clip(labels * 0.3 + rng.random(300) * 0.7, 0, 1) for _ in range(2))
        found = compare("accuracy", binary(labels, one), binary(labels, other), 0.95, seed=trial)
        above += found is not None and found.low > 0
    # The standard error of the share of 200 trials is 0.015.
    assert above / 200 <= 0.05 + 3 * 0.0155


def test_with_a_confidence_of_one_half_the_difference_decides() -> None:
    labels = (RNG.random(100) < 0.5).astype(np.float32)
    found = compare("roc_auc", binary(labels, RNG.random(100)), binary(labels, RNG.random(100)), 0.5, seed=7)
    assert found is not None
    assert found.low == found.high == found.loss


@pytest.mark.medium
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1_macro", "mcc"])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40))
def test_a_metric_of_pairs_is_that_of_their_rows(name: str, rows: list[Any]) -> None:
    """The pairs include the unknown class 3."""
    labels, decided, weights = (np.array(column) for column in zip(*rows, strict=True))
    scored = classes(labels, np.eye(3)[decided])
    targets, found = np.repeat(labels, weights), np.repeat(decided, weights)
    if not len(targets):
        return
    of_rows = {
        "accuracy": sk.accuracy_score,
        "balanced_accuracy": lambda true, found: sk.recall_score(
            true, found, labels=np.unique(true), average="macro", zero_division=0
        ),
        "f1_macro": lambda true, found: sk.f1_score(true, found, average="macro", zero_division=0),
        "mcc": lambda true, found: sk.matthews_corrcoef(true, found) if len({*true, *found}) > 1 else 0,
    }[name]
    expected = pytest.approx(of_rows(targets, found))
    assert compute(name, scored, weights.astype(float)) == expected
    assert compute(name, classes(targets, np.eye(3)[found])) == expected

"""Performance sketches: figures against scikit-learn, and exact addition and subtraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.base import Costs, FittedTask, ResidualScale
from rondo.contracts.tasks.binary import roc_auc_error
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.tasks.sketches import OBSERVED, PREDICTED
from rondo.contracts.vocabularies import StatisticName, known
from rondo.trainer.evaluation.metrics.metrics import compute
from rondo.trainer.evaluation.metrics.scored import Scored
from sklearn import metrics

if TYPE_CHECKING:
    from rondo.contracts.tasks.sketches import PerformanceSketch

CLASSES = ("ash", "elm", "oak")
SCALE = ResidualScale(residual=2.0**-10, label=2.0**-8, center=100.0)
FITTED = {
    "binary": FittedTask(task="binary", labels=("0", "1"), threshold=0.5),
    "multiclass": FittedTask(task="multiclass", labels=CLASSES),
    "regression": FittedTask(task="regression", scale=SCALE),
}
SCHEMA = pa.schema([*PREDICTED, *OBSERVED])


def sketch(name: str) -> PerformanceSketch:
    return TASKS[name].sketch(FITTED[name])


def table(**columns: Any) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({field.name: columns.get(field.name, [None] * rows) for field in SCHEMA}, schema=SCHEMA)


def rows(name: str, count: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    if name == "binary":
        score = rng.random(count)
        return table(number=score, outcome=(rng.random(count) < score).astype(float))
    if name == "multiclass":
        number, label = rng.random(count), rng.choice(CLASSES, count)
        return table(number=number, label=label, outcome_label=rng.choice([*CLASSES, "yew"], count))
    value = rng.normal(100, 10, count)
    outcome = value + rng.normal(0, 1, count)
    return table(number=value, outcome=outcome, low=value - 2, high=value + 2)


@pytest.mark.parametrize("name", TASKS)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_the_counts_of_parts_add_up_and_subtract_exactly(name: str, sizes: list[int]) -> None:
    mine, everything = sketch(name), rows(name, sum(sizes))
    starts = np.cumsum([0, *sizes])
    parts = [mine.count(everything.slice(start, size)) for start, size in zip(starts, sizes, strict=False)]
    total = mine.count(everything)
    np.testing.assert_array_equal(sum(parts), total)
    np.testing.assert_array_equal(total - parts[0], sum(parts[1:], np.zeros(mine.size, np.int64)))
    assert mine.labelled(total) == sum(sizes)


@pytest.mark.medium
@pytest.mark.parametrize("name", TASKS)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_the_counts_of_groups_add_up_and_their_figures_are_those_of_all_rows(name: str, sizes: list[int]) -> None:
    of_groups, everything = TASKS[name].group_sketch(FITTED[name]), rows(name, sum(sizes))
    starts = np.cumsum([0, *sizes])
    parts = [of_groups.count(everything.slice(start, size)) for start, size in zip(starts, sizes, strict=False)]
    total = of_groups.count(everything)
    assert total.shape == (of_groups.size,)
    np.testing.assert_array_equal(sum(parts), total)
    assert of_groups.labelled(total) == sum(sizes)
    found, expected = of_groups.figures(total), sketch(name).figures(sketch(name).count(everything))
    assert set(found) - set(TASKS[name].rates) - {"accuracy"} <= set(expected)
    for metric in set(found) & set(expected):
        assert found[metric].value == pytest.approx(expected[metric].value, abs=0.02)


def test_the_rates_of_decisions_are_those_of_scikit_learn() -> None:
    fitted = FittedTask(task="binary", labels=("0", "1"), threshold=0.3)
    of_groups, drawn = TASKS["binary"].group_sketch(fitted), rows("binary", 5_000)
    observed, decided = drawn["outcome"].to_numpy(), drawn["number"].to_numpy() >= np.float32(0.3)
    figures = {name: each.value for name, each in of_groups.figures(of_groups.count(drawn)).items()}
    assert figures.pop("roc_auc") == pytest.approx(
        metrics.roc_auc_score(observed, drawn["number"].to_numpy()), abs=0.005
    )
    assert figures == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(observed, decided),
            "selection_rate": decided.mean(),
            "true_positive_rate": metrics.recall_score(observed, decided),
            "false_positive_rate": decided[observed == 0].mean(),
        }
    )
    ones = of_groups.figures(of_groups.count(table(number=[0.9, 0.1], outcome=[1.0, 1.0])))
    assert ones.keys() == {"accuracy", "selection_rate", "true_positive_rate"}


@pytest.mark.parametrize("name", TASKS)
def test_no_rows_have_no_figures(name: str) -> None:
    counts = sketch(name).count(rows(name, 0))
    assert counts.shape == (sketch(name).size,)
    assert sketch(name).figures(counts) == {}


@pytest.mark.parametrize("name", TASKS)
def test_rows_without_an_outcome_or_a_finite_number_do_not_count(name: str) -> None:
    nothing = table(number=[0.5, float("nan"), None], label=["oak", "oak", "oak"], outcome=[None, 1.0, 1.0])
    assert sketch(name).labelled(sketch(name).count(nothing)) == 0


@given(st.integers(0, 2**32 - 1), st.integers(5, 300), st.floats(0.2, 8))
def test_the_roc_auc_of_bins_is_off_by_half_the_pairs_that_share_one(seed: int, count: int, width: float) -> None:
    score = np.random.default_rng(seed).beta(width, 3, 2 * count).astype(np.float32)
    mine = sketch("binary")
    figures = mine.figures(mine.count(table(number=score, outcome=np.repeat([0.0, 1.0], count))))
    pairs = score[count:, None] - score[None, :count]
    bins = (score * 1024).astype(int)
    shared = (bins[:count, None] == bins[None, count:]).mean()
    exact = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert abs(figures["roc_auc"].value - exact) <= shared / 2 + 1e-9


def test_the_standard_error_of_an_auc_follows_hanley_and_mcneil() -> None:
    # The area and the sizes of their example (51 abnormal and 58 normal images), in formula 2 computed by hand.
    assert roc_auc_error(0.893, 51, 58) == pytest.approx(0.0325, abs=0.0001)


def test_roc_auc_is_that_of_scikit_learn_but_for_the_bins() -> None:
    mine = rows("binary", 5_000)
    figures = sketch("binary").figures(sketch("binary").count(mine))
    expected = metrics.roc_auc_score(mine["outcome"].to_numpy(), mine["number"].to_numpy())
    assert figures["roc_auc"].value == pytest.approx(expected, abs=1e-3)
    assert figures["roc_auc"].error == pytest.approx(0.006, abs=0.002)


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_figures_of_scores_are_those_of_the_evaluation_but_for_the_bins(threshold: float) -> None:
    mine, rng = sketch_of(threshold), np.random.default_rng(7)
    score = rng.beta(0.5, 2, 20_000).astype(np.float32)
    # The probabilities are too low, so the calibration error is more than chance.
    observed = (rng.random(20_000) < 0.1 + 0.8 * score).astype(np.float64)
    label = (score >= np.float32(threshold)).astype(np.int64)
    figures = mine.figures(mine.count(table(number=score, outcome=observed)))
    scored = Scored(FITTED["binary"], observed.astype(np.float32), {"score": score, "label": label})
    for name, within in (
        ("roc_auc", 1e-3), ("average_precision", 1e-3), ("brier", 1e-3), ("ece", 1e-3), ("accuracy", 1e-3),
        # The lowest probabilities count as half a bin.
        ("log_loss", 0.02),
    ):  # fmt: skip
        expected = compute(name, scored)
        assert figures[name].value == pytest.approx(expected, abs=within), name
    assert figures["ece"].value > 0.05
    assert figures["accuracy"].value == metrics.accuracy_score(
        observed, np.floor(score * 1024) >= int(threshold * 1024)
    )
    losses = -np.log(np.where(observed == 1, score, 1 - score).clip(1 / 2_048))
    assert figures["log_loss"].error == pytest.approx(losses.std() / 20_000**0.5, rel=0.02)


@pytest.mark.parametrize(("threshold", "decided"), [(0.0005, False), (0.3001, True), (2 / 1024, True)])
def test_labels_of_rare_events_that_share_a_bin_with_the_threshold_have_no_figures(
    threshold: float,
    decided: bool,  # noqa: FBT001
) -> None:
    mine, score = sketch_of(threshold), np.linspace(0, 0.002, 1_000)
    figures = mine.figures(mine.count(table(number=score, outcome=(score > 0.0019).astype(np.float64))))
    assert ("accuracy" in figures) == decided
    assert "brier" in figures


def sketch_of(threshold: float) -> PerformanceSketch:
    return TASKS["binary"].sketch(FittedTask(task="binary", labels=("0", "1"), threshold=threshold))


@pytest.mark.parametrize("kind", ["sketch", "group_sketch"])
def test_the_mean_cost_is_that_of_the_errors_at_the_threshold(kind: str) -> None:
    cost = Costs(false_positive=1, false_negative=20)
    fitted = FittedTask(task="binary", labels=("0", "1"), threshold=0.25, cost=cost)
    mine, drawn = getattr(TASKS["binary"], kind)(fitted), rows("binary", 5_000)
    observed, decided = drawn["outcome"].to_numpy() == 1, drawn["number"].to_numpy() >= 0.25
    costs = 1.0 * (decided & ~observed) + 20.0 * (observed & ~decided)
    figure = mine.figures(mine.count(drawn))["cost"]
    assert figure.value == pytest.approx(costs.mean())
    assert figure.error == pytest.approx(costs.std() / 5_000**0.5)
    without = getattr(TASKS["binary"], kind)(fitted.model_copy(update={"cost": None}))
    assert "cost" not in without.figures(without.count(drawn))


def test_ties_of_scores_count_as_in_scikit_learn() -> None:
    """Scores are in the middle of their bins, which stands for all scores of a bin."""
    rng = np.random.default_rng(8)
    score = (rng.integers(100, 130, 3_000) + 0.5) / 1_024
    observed = (rng.random(3_000) < 0.02 + score).astype(np.float64)
    figures = sketch("binary").figures(sketch("binary").count(table(number=score, outcome=observed)))
    assert figures["average_precision"].value == pytest.approx(metrics.average_precision_score(observed, score))
    assert figures["roc_auc"].value == pytest.approx(metrics.roc_auc_score(observed, score))
    assert figures["log_loss"].value == pytest.approx(metrics.log_loss(observed, score))
    assert figures["brier"].value == pytest.approx(metrics.brier_score_loss(observed, score))


@pytest.mark.parametrize(("outcome", "ranked"), [(1.0, {"average_precision"}), (0.0, set[str]())])
def test_one_class_only_has_no_roc_auc(outcome: float, ranked: set[str]) -> None:
    only = table(number=[0.2, 0.8], outcome=[outcome, outcome])
    figures = sketch("binary").figures(sketch("binary").count(only))
    assert figures.keys() == {"log_loss", "brier", "ece", "accuracy", *ranked}
    assert figures["accuracy"].value == 0.5


def test_figures_of_classes_are_those_of_scikit_learn() -> None:
    mine = rows("multiclass", 4_000)
    without = mine.filter(pa.compute.not_equal(mine["outcome_label"], "yew"))
    figures = sketch("multiclass").figures(sketch("multiclass").count(without))
    observed, predicted = without["outcome_label"].to_pylist(), without["label"].to_pylist()
    assert figures["accuracy"].value == pytest.approx(metrics.accuracy_score(observed, predicted))
    assert figures["balanced_accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(observed, predicted))
    assert figures["f1_macro"].value == pytest.approx(metrics.f1_score(observed, predicted, average="macro"))


@pytest.mark.parametrize(("middles", "within"), [(True, 1e-6), (False, 1 / 40)], ids=["middles of bins", "any score"])
def test_the_calibration_error_of_classes_is_that_of_the_evaluation_but_for_the_bins(
    middles: bool,  # noqa: FBT001
    within: float,
) -> None:
    """A predicted class is correct less often than its probability says. Windows use the middle of a bin instead."""
    rng = np.random.default_rng(3)
    score = (rng.integers(7, 20, 4_000) + (0.5 if middles else rng.random(4_000))) / 20
    predicted = rng.integers(0, 3, 4_000)
    observed = np.where(rng.random(4_000) < 0.7 * score, predicted, (predicted + 1) % 3)
    named = np.array(CLASSES)
    mine = table(number=score, label=named[predicted], outcome_label=named[observed])
    figures = sketch("multiclass").figures(sketch("multiclass").count(mine))
    # The other two classes share the rest, so the predicted class is the most probable one.
    of_class = np.repeat((1 - score)[:, None] / 2, 3, axis=1)
    of_class[np.arange(4_000), predicted] = score
    outputs = {"label": predicted, "probabilities": of_class.astype(np.float32)}
    scored = Scored(FITTED["multiclass"], observed.astype(np.float32), outputs)
    expected = compute("ece", scored)
    assert expected is not None
    assert expected > 0.15
    assert figures["ece"].value == pytest.approx(expected, abs=within)


@pytest.mark.parametrize("error", [3.0, -3.0])
def test_the_mean_error_is_how_much_outcomes_are_above_the_values(error: float) -> None:
    drawn = rows("regression", 2_000)
    values = drawn["number"].to_numpy()
    mine = table(number=values, outcome=drawn["outcome"].to_numpy() + error)
    figures = sketch("regression").figures(sketch("regression").count(mine))
    assert figures["mean_error"].value == pytest.approx(error, abs=0.1)


@pytest.mark.parametrize("name", TASKS)
def test_every_figure_has_a_word_in_the_vocabulary_of_statistics(name: str) -> None:
    assert set(sketch(name).figures(sketch(name).count(rows(name, 500)))) <= set(known(StatisticName))


def test_an_outcome_of_a_new_class_counts_as_wrong_and_its_share_is_known() -> None:
    mine = rows("multiclass", 4_000)
    figures = sketch("multiclass").figures(sketch("multiclass").count(mine))
    observed, predicted = mine["outcome_label"].to_pylist(), mine["label"].to_pylist()
    assert figures["unknown_classes"].value == observed.count("yew") / 4_000
    assert figures["accuracy"].value == pytest.approx(metrics.accuracy_score(observed, predicted))
    expected = metrics.f1_score(observed, predicted, average="macro", labels=[*CLASSES, "yew"], zero_division=0)
    assert figures["f1_macro"].value == pytest.approx(expected)


def test_figures_of_numbers_are_those_of_scikit_learn_but_for_rounding() -> None:
    mine = rows("regression", 20_000)
    figures = sketch("regression").figures(sketch("regression").count(mine))
    observed, predicted = mine["outcome"].to_numpy(), mine["number"].to_numpy()
    assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(observed, predicted), rel=1e-3)
    assert figures["rmse"].value == pytest.approx(metrics.root_mean_squared_error(observed, predicted), rel=1e-3)
    assert figures["r2"].value == pytest.approx(metrics.r2_score(observed, predicted), abs=1e-4)
    median = metrics.median_absolute_error(observed, predicted)
    assert figures["median_absolute_error"].value == pytest.approx(median, rel=0.03)
    assert figures["interval_coverage"].value == pytest.approx(0.954, abs=0.01)
    # The standard error of a mean absolute error of 0.8 over 20,000 rows.
    assert figures["mae"].error == pytest.approx(0.6 / 20_000**0.5, rel=0.05)


def test_residuals_beyond_all_units_are_counted_at_the_end() -> None:
    far = table(number=[0.0, 0.0], outcome=[1e30, -1e30])
    figures = sketch("regression").figures(sketch("regression").count(far))
    assert figures["mae"].value == pytest.approx((2**31 - 1) * SCALE.residual)
    assert figures["mean_error"].value == 0.0

"""Strategies are fitted, scored and chosen, for every task, and where some of them can't be fitted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rondo.trainer.adaptation.strategies import Strategy
from rondo.trainer.adaptation.training_window import WINDOW, AdaptationState
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.errors import LeakError, NoTrainingRowsError, OneClassError, SharedEventTimeError
from rondo.trainer.estimators.boosting import FitFailedError
from rondo.trainer.estimators.lightgbm import LightGbm, LightGbmModel
from rondo.trainer.fitting.report import report
from rondo.trainer.worker.app import pipeline

from tests.trainer import test_kinds
from tests.trainer.test_kinds import LATER, START, TASKS, rows, trainer_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rondo.trainer.fitting.choose import Chosen

PIPELINE = pipeline(threads=1)


def spec(task: str = "binary", kind: str = "lightgbm", **parts: Any) -> Any:
    described = test_kinds.spec(task, trainer_of(kind, task)).as_dict()
    return test_kinds.ModelSpec.model_validate(described | {"retrain": {"policy": "auto"}} | parts)


def training_set(frame: pl.DataFrame) -> TrainingSet:
    return TrainingSet(frame, (), LATER, None, LATER)


def chosen(frame: pl.DataFrame, asked: Any, since: Any = None, state: AdaptationState | None = None) -> Chosen:
    planned = PIPELINE.plan(asked, training_set(frame), state, None, since)
    return PIPELINE.choose(asked, planned, None)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
@pytest.mark.medium
def test_every_task_compares_strategies_and_serves_a_refitted_model(task: str, kind: str) -> None:
    frame, asked = rows(task, 2_000), spec(task, kind)
    if kind == "linear":
        frame = frame.with_columns(pl.col("temp").fill_null(0.0))
    found = chosen(frame, asked)
    assert set(found.losses) == {"since", "last 800", "fading"}
    assert len(set(found.losses.values())) > 1
    fitted = PIPELINE.fit(asked, training_set(frame), (), None, found)
    assert fitted.adaptation is not None
    assert (fitted.adaptation.refitted, fitted.rows, fitted.rows_trained) == (True, 2_000, found.fitted["since"])
    evaluated = PIPELINE.fit(asked.model_copy(update={"trainer": asked.trainer.model_copy(update={"refit": False})}),
                             training_set(frame), (), None, found)  # fmt: skip
    assert evaluated.model != fitted.model
    assert evaluated.scored.outputs.keys() == fitted.scored.outputs.keys()
    for name, values in evaluated.scored.outputs.items():
        assert (fitted.scored.outputs[name] == values).all(), "the evaluation is of the fit without the holdout"


@pytest.mark.parametrize(("task", "series"), [("binary", 1), ("multiclass", 3), ("regression", 1)])
def test_dependence_is_estimated_from_an_indicator_of_each_class_or_from_ranks(task: str, series: int) -> None:
    """One indicator suffices for two classes. An indicator has a byte per row, and there may be millions of rows."""
    labels = PIPELINE.plan(spec(task), training_set(rows(task, 2_000)), None, None, None).at.labels
    assert labels is not None
    assert labels.shape == (series, 2_000)
    assert labels.itemsize == (8 if task == "regression" else 1)
    assert labels.max() <= (2_000 if task == "regression" else 1)


def test_each_model_predicts_the_holdout_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chosen strategy is evaluated on the same predictions that decided the choice."""
    lengths: list[int] = []

    def predict(model: LightGbmModel, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        lengths.append(len(matrix))
        return predicted(model, matrix)

    predicted = LightGbmModel.predict
    monkeypatch.setattr(LightGbmModel, "predict", predict)
    frame = rows("binary", 2_000)
    found = chosen(frame, spec())
    fitted = PIPELINE.fit(spec(), training_set(frame), (), None, found)
    assert lengths.count(fitted.holdout.height) == len(found.losses)


@pytest.mark.medium
def test_two_strategies_are_fitted_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two threads each fit has one. The result is the same as that of fits in sequence."""
    both, fit = Barrier(2, timeout=10), LightGbm.fit
    overlapping: list[int] = []

    def fit_beside(estimator: LightGbm, target: Any, params: Any, seed: int, matrix: Any, *labels: Any) -> Any:
        if len(matrix) > 800:
            both.wait()
            overlapping.append(len(matrix))
        return fit(estimator, target, params, seed, matrix, *labels)

    frame = rows("binary", 2_000)
    alone = chosen(frame, spec())
    monkeypatch.setattr(LightGbm, "fit", fit_beside)
    planned = PIPELINE.plan(spec(), training_set(frame), None, None, None)
    beside = pipeline(threads=2).choose(spec(), planned, None)
    assert (overlapping[0], len(overlapping)) == (overlapping[1], 2), "all rows, with and without weights"
    assert beside.losses == alone.losses
    assert beside.model.onnx_nodes("raw") == alone.model.onnx_nodes("raw")


def test_after_a_fit_that_fails_no_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread takes the second of three strategies at once, and the third would follow."""
    fits, cancelled, shutdown = list[int](), Event(), ThreadPoolExecutor.shutdown

    def fail(*given: Any) -> Any:
        fits.append(len(given[4]))
        if len(fits) > 1:
            cancelled.wait(10)
        raise FitFailedError("LightGBM", "as asked")

    def shut_down(pool: ThreadPoolExecutor, **how: Any) -> None:
        shutdown(pool, **how)
        cancelled.set()

    monkeypatch.setattr(LightGbm, "fit", fail)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    with pytest.raises(FitFailedError):
        chosen(rows("binary", 2_000), spec())
    assert len(fits) <= 2


def test_the_reason_has_the_figures_that_decided() -> None:
    found = chosen(rows("binary", 2_000), spec())
    nearest = max(found.choice.comparisons, key=lambda each: each.advantage - each.needed)
    reason = report(found, refitted=True).reason
    assert (nearest.strategy in reason, f"{abs(nearest.advantage):.4f}" in reason) == (True, True)
    by_fading = replace(found, choice=replace(found.choice, leader="fading"))
    (fading,) = (each for each in found.choice.comparisons if each.strategy == "fading")
    reason = report(by_fading, refitted=True).reason
    assert [f"{figure:.4f}" in reason for figure in (fading.advantage, fading.needed)] == [True, True]


def test_a_strategy_whose_rows_have_one_class_is_left_out() -> None:
    frame = rows("binary", 2_000)
    middle = pl.int_range(2_000).is_between(900, 1_850)
    frame = frame.with_columns(label=pl.when(middle).then(0.0).otherwise("label"))
    found = chosen(frame, spec())
    assert set(found.losses) == {"since", "fading"}


def test_where_no_strategy_has_two_classes_the_training_says_so() -> None:
    frame = rows("binary", 2_000).with_columns(label=pl.lit(0.0))
    with pytest.raises(OneClassError):
        chosen(frame, spec())


def test_a_leak_is_refused_before_any_fit() -> None:
    frame = rows("binary", 2_000).with_columns(distance=pl.col("label").cast(pl.Int64))
    with pytest.raises(LeakError):
        chosen(frame, spec())


def test_rows_of_one_event_time_leave_none_to_train_on() -> None:
    frame = rows("binary", 2_000).with_columns(at=pl.lit(START).cast(pl.Datetime("us", "UTC")))
    with pytest.raises(SharedEventTimeError):
        chosen(frame, spec())


def test_a_holdout_of_all_rows_leaves_none_to_train_on() -> None:
    with pytest.raises(NoTrainingRowsError):
        chosen(rows("binary", 2_000), spec(trainer={"holdout_rows": 2_000}))


@pytest.mark.medium
def test_a_class_that_only_the_holdout_has_is_not_refitted_to() -> None:
    frame = rows("multiclass", 2_000)
    late = pl.int_range(2_000) > 1_990
    frame = frame.with_columns(label=pl.when(late).then(pl.lit("yew")).otherwise("label"))
    found = chosen(frame, spec("multiclass"))
    fitted = PIPELINE.fit(spec("multiclass"), training_set(frame), (), None, found)
    assert fitted.adaptation is not None
    assert not fitted.adaptation.refitted
    assert fitted.scored.task.labels == ("ash", "elm", "oak")


def test_a_suspicion_whose_rows_have_one_class_leaves_the_window() -> None:
    frame = rows("binary", 2_000)
    latest = pl.int_range(2_000) >= 1_600
    frame = frame.with_columns(label=pl.when(latest).then(0.0).otherwise("label"))
    found = chosen(frame, spec(), since=START + timedelta(hours=1_600))
    assert found.choice.confirmation is None
    assert set(found.losses) > {"since"}


def test_a_suspicion_with_one_model_serves_the_rows_of_that_and_names_them() -> None:
    frame = rows("binary", 2_000)
    without = pl.int_range(2_000) >= 1_600
    # A column without any value since then has no median.
    frame = frame.with_columns(temp=pl.when(without).then(None).otherwise("temp"))
    asked = spec(prepare={"impute": {"temp": "median"}})
    found = chosen(frame, asked, START + timedelta(hours=1_600), AdaptationState(2_000, leader="fading"))
    assert set(found.fitted) == {WINDOW}
    assert (found.served, found.choice.state.leader) == (Strategy("since", 0), "fading")
    fitted = PIPELINE.fit(asked, training_set(frame), (), None, found)
    assert fitted.adaptation is not None
    assert (fitted.adaptation.strategy, fitted.adaptation.rows, fitted.adaptation.half_life) == ("since", 2_000, None)

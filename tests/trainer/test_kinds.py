"""Every kind of trainer makes a model for every task, whose graph agrees with it on ordinary and on edge rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import ModelSpec
from rondo.registry.registration.onnx_check import check_onnx
from rondo.serving.models.loaded_version import ServedModel
from rondo.trainer.dataset.training_set import TrainingSet
from rondo.trainer.estimators.sklearn_matrix import MissingValuesError
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.worker.app import pipeline

from tests.serving.builders import infer_values, version_of
from tests.support.parameters import combinations

if TYPE_CHECKING:
    from rondo.trainer.evaluation.candidate import FittedCandidate

pytestmark = pytest.mark.medium
START = datetime(2013, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=10_000)
TASKS = ("binary", "multiclass", "regression")
# "two classes" is a multiclass model whose rows have two of the classes.
LABELS = (*TASKS, "two classes")
FEATURES = {
    "carrier": {"type": "category"},
    "temp": {"type": "float", "optional": True},
    "distance": {"type": "int"},
    "same": {"type": "float"},
}
IMPUTED = [{"use": "sklearn.impute.SimpleImputer"}, {"use": "sklearn.preprocessing.StandardScaler"}]
KINDS: dict[str, dict[str, Any]] = {
    "lightgbm": {"kind": "lightgbm", "params": {"n_estimators": 50, "num_leaves": 7}},
    "xgboost": {"kind": "xgboost", "params": {"n_estimators": 50, "max_depth": 3}},
    "linear": {"kind": "sklearn", "steps": [*IMPUTED, {"use": "sklearn.linear_model."}]},
    "network": {
        "kind": "sklearn",
        "steps": [
            *IMPUTED,
            {"use": "sklearn.neural_network.MLP", "params": {"hidden_layer_sizes": [8], "solver": "lbfgs"}},
        ],
    },
    "forest": {
        "kind": "sklearn",
        "steps": [{"use": "sklearn.ensemble.RandomForest", "params": {"n_estimators": 20, "min_samples_leaf": 5}}],
    },
    "boosting": {
        "kind": "sklearn",
        "steps": [IMPUTED[0], {"use": "sklearn.ensemble.GradientBoosting", "params": {"n_estimators": 30}}],
    },
}
# What the last step is called for classes and for numbers.
ENDINGS = {"sklearn.linear_model.": ("LogisticRegression", "Ridge")}


def rows(task: str, count: int = 1_000) -> pl.DataFrame:
    """Return rows an hour apart, with missing temperatures and a feature that is always the same."""
    rng = np.random.default_rng(11)
    temp, distance = rng.normal(size=count), rng.integers(50, 2_500, size=count)
    carrier = rng.choice(["AA", "UA", "Ünïcode"], size=count)
    value = temp + distance / 1_000 + (carrier == "AA") + rng.normal(size=count) / 5
    labels = {
        "binary": pl.Series((value > 1.5).astype(float)),
        "multiclass": pl.Series(np.array(["ash", "elm", "oak"])[np.digitize(value, [1, 2])]),
        "two classes": pl.Series(np.array(["ash", "elm"])[(value > 1.5).astype(int)]),
        "regression": pl.Series(value * 100 + 500),
    }
    frame = pl.DataFrame({"carrier": carrier, "temp": temp, "distance": distance}).with_columns(
        at=pl.datetime_range(START, START + timedelta(hours=count - 1), "1h", time_unit="us", eager=True),
        id=pl.int_range(count).cast(pl.String),
        temp=pl.when(pl.int_range(count) % 10 > 0).then("temp"),
        same=pl.lit(7.0),
        label=labels[task],
    )
    return frame.cast({"temp": pl.Float32, "same": pl.Float32})


def trainer_of(kind: str, task: str) -> dict[str, Any]:
    """Return the trainer of a kind, whose last step is a classifier or a regressor."""
    trainer = dict(KINDS[kind])
    if steps := trainer.get("steps"):
        ending = ENDINGS.get(steps[-1]["use"], ("Classifier", "Regressor"))[task == "regression"]
        trainer["steps"] = [*steps[:-1], steps[-1] | {"use": steps[-1]["use"] + ending}]
    return trainer


def spec(task: str, trainer: dict[str, Any]) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "late",
            "task": "multiclass" if task == "two classes" else task,
            "data": {"dataset": "flights", "entity": "id", "event_time": "at", "label": "label"},
            "features": FEATURES,
            "trainer": trainer,
            "retrain": {"policy": "triggers"},
        }
    )


def fit(task: str, trainer: dict[str, Any], frame: pl.DataFrame, threads: int = 1) -> FittedCandidate:
    return pipeline(threads).fit(spec(task, trainer), TrainingSet(frame, (), LATER, None, LATER))


@cache
def small(kind: str, task: str) -> FittedCandidate:
    """Return a model of as few rows as are enough, fitted once for all tests."""
    return fit(task, trainer_of(kind, task), rows(task, 200))


every_kind_and_task = pytest.mark.parametrize(("kind", "task"), combinations(list(KINDS), list(LABELS)))


@every_kind_and_task
def test_a_model_is_better_than_chance_and_its_graph_agrees_with_it(kind: str, task: str) -> None:
    frame = rows(task)
    fitted = fit(task, trainer_of(kind, task), frame)
    assert fitted.parity.rows > 2_000
    assert fitted.parity.native_difference is not None
    assert fitted.parity.native_difference < 1e-5
    found = Scorer(1)(fitted.model, onnx_inputs(spec(task, trainer_of(kind, task)).features, frame))
    label = frame["label"]
    if task == "regression":
        assert np.corrcoef(found["value"], label)[0, 1] > 0.8
    else:
        classes = [0.0, 1.0] if task == "binary" else ["ash", "elm", "oak"]
        assert np.mean([classes[index] == true for index, true in zip(found["label"], label, strict=True)]) > 0.75


@pytest.mark.sampled(1)
@every_kind_and_task
def test_the_same_rows_give_the_same_bytes_whatever_the_threads(kind: str, task: str) -> None:
    again = fit(task, trainer_of(kind, task), rows(task, 200), threads=2)
    assert again.model == small(kind, task).model


@every_kind_and_task
def test_200_rows_are_enough(kind: str, task: str) -> None:
    fitted = small(kind, task)
    assert (fitted.rows_trained, fitted.holdout.height) == (180, 20)


@every_kind_and_task
def test_features_that_are_all_the_same_give_one_prediction(kind: str, task: str) -> None:
    frame = rows(task, 300).with_columns(carrier=pl.lit("AA"), temp=pl.lit(1.5, pl.Float32), distance=pl.lit(9))
    fitted = fit(task, trainer_of(kind, task), frame)
    outputs = Scorer(1)(fitted.model, onnx_inputs(spec(task, trainer_of(kind, task)).features, frame))
    assert all(np.isfinite(values).all() and (values == values[0]).all() for values in outputs.values())


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("kind", "size"), combinations(list(KINDS), [1e6, 1e-6]))
def test_labels_may_be_large_or_small(kind: str, size: float) -> None:
    """Their mean is 0, so that sums of large leaves give some small predictions."""
    label = pl.col("label") - pl.col("label").mean()
    fitted = fit(
        "regression", trainer_of(kind, "regression"), rows("regression", 4_000).with_columns(label=label * size)
    )
    assert fitted.parity.max_difference < 1e-5


def test_a_missing_value_without_an_imputer_is_refused_before_the_fit() -> None:
    """The error has the name of the feature, if training rows or holdout have the missing value."""
    steps = [{"use": "sklearn.ensemble.GradientBoostingClassifier", "params": {"n_estimators": 5_000}}]
    for frame in (rows("binary"), rows("binary").with_columns(temp=pl.when(pl.int_range(pl.len()) < 950).then(1.0))):
        with pytest.raises(MissingValuesError) as refusal:
            fit("binary", {"kind": "sklearn", "steps": steps}, frame)
        assert refusal.value.columns == ["temp"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_registry_accepts_the_model(kind: str) -> None:
    model = small(kind, "multiclass").model
    check_onnx(model, len(model))


@pytest.mark.parametrize(("count", "better_than"), [(20, 0.4), pytest.param(200, 0.04, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_as_many_classes_as_a_model_may_have_are_trained_and_answered(
    kind: str, count: int, better_than: float
) -> None:
    step = 2_500 / count
    distance = pl.Series(np.random.default_rng(5).integers(0, 2_500, 10 * count + 2_000))
    named = [f"class {int(each / step):03}" for each in distance]
    frame = rows("binary", len(named)).with_columns(distance=distance, label=pl.Series(named))
    small = {"lightgbm": {"n_estimators": 2, "min_data_in_leaf": 5}, "xgboost": {"n_estimators": 2, "max_depth": 8}}
    fitted = fit("multiclass", {"kind": kind, "params": small[kind]}, frame)
    classes = tuple(sorted(set(named)))
    assert (len(classes), fitted.scored.task.labels) == (count, classes)
    assert (fitted.scored.outputs["label"] == fitted.scored.targets).mean() > better_than
    served = ServedModel("late", 1, (version_of("late", 1, fitted.model, spec("multiclass", {}).features),), (1.0,))
    asked = [{name: row[name] for name in FEATURES if row[name] is not None} for row in frame.tail(50).to_dicts()]
    requests = [json.dumps({"id": str(at), "model": "late", "features": each}) for at, each in enumerate(asked)]
    found = infer_values([each.encode() for each in requests], served)
    assert found.refused == {}
    answered = [classes[found.outputs[place]["label"]] for place in range(50)]
    assert np.mean([answer == true for answer, true in zip(answered, named[-50:], strict=True)]) > better_than / 2
    assert sum(found.outputs[0]["probabilities"]) == pytest.approx(1, abs=1e-4)

"""Permutation importance of every task, with a limit on the number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.base import FittedTask
from rondo.trainer.evaluation.importance import MOST_ROWS, permutation_importance
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.onnx_graph.errors import GraphFailedError
from rondo.trainer.preparation.inputs import onnx_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from rondo.trainer.preparation.inputs import Inputs

SPEC = ModelSpec.model_validate(
    {
        "model": "loans",
        "data": {"dataset": "loans", "entity": "who", "event_time": "at", "label": "late"},
        "features": {"city": {"type": "category"}, "income": {"type": "float"}, "age": {"type": "float"}},
    }
)
TASKS = {
    "binary": FittedTask(task="binary", labels=("0", "1"), threshold=0.5),
    "multiclass": FittedTask(task="multiclass", labels=("a", "b")),
    "regression": FittedTask(task="regression"),
}


def frame(count: int) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "city": rng.choice(["a", "b"], count).tolist(),
            "income": rng.normal(size=count).astype(np.float32),
            "age": rng.normal(size=count).astype(np.float32),
        }
    )


def outputs(task: str, inputs: Inputs) -> Mapping[str, NDArray[Any]]:
    """Return the outputs of a model that uses the income, slightly the city, and not the age."""
    city = (inputs["city"].reshape(-1) == "a").astype(np.float32)
    value = 3 * inputs["income"].reshape(-1).astype(np.float32) + 0.3 * city
    score = (1 / (1 + np.exp(-value))).astype(np.float32)
    if task == "binary":
        return {"score": score, "label": (score >= 0.5).astype(np.int64)}
    if task == "multiclass":
        probabilities = np.column_stack([1 - score, score])
        return {
            "label": probabilities.argmax(axis=1),
            "score": probabilities.max(axis=1),
            "probabilities": probabilities,
        }
    return {"value": value}


def scored(task: str, rows: pl.DataFrame) -> Scored:
    found = outputs(task, onnx_inputs(SPEC.features, rows))
    rng = np.random.default_rng(2)
    if task == "regression":
        targets = found["value"] + rng.normal(size=rows.height)
    else:
        chance = found["score"] if task == "binary" else found["probabilities"][:, 1]
        targets = rng.random(rows.height) < chance
    return Scored(TASKS[task], targets.astype(np.float32), found)


@pytest.mark.parametrize("task", TASKS)
def test_a_feature_matters_as_much_as_the_loss_rises_without_it(task: str) -> None:
    rows = frame(5_000)
    found = permutation_importance(SPEC, rows, scored(task, rows), lambda inputs: outputs(task, inputs))
    assert found
    assert [each.feature for each in found.features] == ["income", "city", "age"]
    income, city, age = found.features
    assert income.loss_increase > max(10 * income.error, 10 * abs(city.loss_increase))
    assert (age.loss_increase, age.error) == (0, 0)
    assert found.rows == MOST_ROWS
    assert found.of("city") == city
    assert found.of("other") is None


@pytest.mark.medium
def test_the_error_is_that_of_the_mean_over_samples() -> None:
    increases, errors = [], []
    for first in range(0, 30_000, 1_000):
        rows = frame(30_000)[first : first + 1_000]
        found = permutation_importance(SPEC, rows, scored("binary", rows), lambda inputs: outputs("binary", inputs))
        assert found
        increases.append(found.features[0].loss_increase)
        errors.append(found.features[0].error)
    assert np.std(increases) == pytest.approx(np.mean(errors), rel=0.5)


def test_the_same_rows_have_the_same_importance() -> None:
    rows = frame(3_000)
    of_all = scored("binary", rows)
    first, second = (
        permutation_importance(SPEC, rows, of_all, lambda inputs: outputs("binary", inputs)) for _ in range(2)
    )
    assert first == second


def test_many_features_have_fewer_rows_so_that_the_work_is_bounded() -> None:
    described = SPEC.as_dict()
    wide = {f"x{number}": {"type": "float"} for number in range(200)}
    spec = ModelSpec.model_validate(described | {"features": described["features"] | wide})
    rows = frame(2_000).with_columns(**{name: pl.lit(1.0) for name in wide})
    predicted: list[int] = []

    def predict(inputs: Inputs) -> Mapping[str, NDArray[Any]]:
        predicted.append(len(inputs["age"]))
        return outputs("binary", inputs)

    found = permutation_importance(spec, rows, scored("binary", rows), predict)
    assert found
    assert len(found.features) == 203
    assert sum(predicted) <= 20_100
    assert max(predicted) <= 5_000


def test_few_rows_have_none_nor_has_a_model_that_fails_on_them() -> None:
    rows = frame(29)
    assert permutation_importance(SPEC, rows, scored("binary", rows), lambda inputs: outputs("binary", inputs)) is None

    def fails(_: Inputs) -> Mapping[str, NDArray[Any]]:
        raise GraphFailedError("unknown category")

    rows = frame(100)
    assert permutation_importance(SPEC, rows, scored("binary", rows), fails) is None

"""The graph predicts like the model on ordinary and on edge rows, and a second build has the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import onnx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature, Prepare, Trainer
from rondo.contracts.tasks.base import FittedTask
from rondo.trainer.estimators.base import Target
from rondo.trainer.estimators.lightgbm import LightGbm, LightGbmModel
from rondo.trainer.onnx_graph import builder
from rondo.trainer.onnx_graph.feature_model import PreparedModel
from rondo.trainer.onnx_graph.runtime import Scorer
from rondo.trainer.preparation.inputs import onnx_inputs
from rondo.trainer.preparation.preparation import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rondo.trainer.preparation.inputs import Inputs

FEATURES = {
    "temp": Feature(type="float", optional=True),
    "carrier": Feature(type="category"),
    "distance": Feature(type="int"),
}
TARGET = Target("probability", 2)
TASK = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
PARAMS = LightGbm(1).check_params(
    "binary", Trainer(params={"n_estimators": 20, "num_leaves": 15, "min_data_in_leaf": 5})
)
UNTIL = datetime(2013, 3, 1, tzinfo=UTC)


def _rows(count: int = 2_000) -> tuple[pl.DataFrame, NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    temp = rng.normal(size=count).astype(np.float32)
    carrier = rng.choice(["AA", "B6", "UA", "Ünïcode"], size=count)
    distance = rng.integers(-500, 500, size=count)
    chance = 1 / (1 + np.exp(-(temp + (carrier == "AA") + distance / 300)))
    temp[rng.random(count) < 0.1] = np.nan
    rows = pl.DataFrame({"temp": temp, "carrier": carrier, "distance": distance}).with_columns(
        pl.col("temp").fill_nan(None)
    )
    return rows, (rng.random(count) < chance).astype(np.float32)


ROWS, LABELS = _rows()
PREPARATION, MATRIX = fit(FEATURES, Prepare(), ROWS, LABELS[:, None])
FITTED: LightGbmModel = LightGbm(1).fit(TARGET, PARAMS, 7, MATRIX, LABELS)
METADATA = {builder.TRAINED_UNTIL: UNTIL.isoformat()}
GRAPH = builder.build(PreparedModel(PREPARATION, FITTED), TASK, METADATA)


def score(model: bytes, inputs: Inputs) -> NDArray[np.float32]:
    return np.asarray(Scorer(1)(model, inputs)["score"], np.float32)


numbers = st.none() | st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1e-36, -1e-36])
strange = st.tuples(numbers, st.none() | st.text(max_size=5) | st.sampled_from(["AA", "UA"]), numbers)


def test_the_graph_scores_as_the_model_does() -> None:
    difference = np.abs(score(GRAPH, onnx_inputs(FEATURES, ROWS)) - FITTED.predict(PREPARATION.apply(ROWS))[:, 0])
    assert difference.max() < 1e-6


@given(st.lists(strange, min_size=1, max_size=20))
def test_it_does_so_for_missing_unseen_and_extreme_values(
    values: list[tuple[float | None, str | None, float | None]],
) -> None:
    schema = {"temp": pl.Float32, "carrier": pl.String, "distance": pl.Float32}
    rows = pl.DataFrame(values, schema=schema, orient="row")
    difference = np.abs(score(GRAPH, onnx_inputs(FEATURES, rows)) - FITTED.predict(PREPARATION.apply(rows))[:, 0])
    assert difference.max() < 1e-6


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.finfo(np.float32).max])
def test_it_does_so_for_infinity(value: float) -> None:
    rows = ROWS.with_columns(temp=pl.lit(value, dtype=pl.Float32))
    difference = np.abs(score(GRAPH, onnx_inputs(FEATURES, rows)) - FITTED.predict(PREPARATION.apply(rows))[:, 0])
    assert difference.max() < 1e-6


def test_a_value_missing_for_the_first_time_takes_the_branch_of_zero() -> None:
    missing, zero = (ROWS.with_columns(distance=pl.lit(value, dtype=pl.Float32)) for value in (None, 0.0))
    np.testing.assert_array_equal(
        score(GRAPH, onnx_inputs(FEATURES, missing)), score(GRAPH, onnx_inputs(FEATURES, zero))
    )


def test_the_same_rows_give_the_same_bytes() -> None:
    again = LightGbm(1).fit(TARGET, PARAMS, 7, MATRIX, LABELS)
    assert builder.build(PreparedModel(PREPARATION, again), TASK, METADATA) == GRAPH


def test_another_seed_gives_other_trees() -> None:
    params = LightGbm(1).check_params("binary", Trainer(params={"n_estimators": 5, "feature_fraction": 0.5}))
    one, other = (LightGbm(1).fit(TARGET, params, seed, MATRIX, LABELS) for seed in (1, 2))
    assert builder.build(PreparedModel(PREPARATION, one), TASK, {}) != builder.build(
        PreparedModel(PREPARATION, other), TASK, {}
    )


def test_inputs_are_named_as_the_features_and_outputs_as_the_task_has_them() -> None:
    graph = onnx.load_from_string(GRAPH).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    text, number = onnx.TensorProto.STRING, onnx.TensorProto.FLOAT
    assert kinds == {"temp": number, "carrier": text, "distance": number}
    assert list(kinds) == list(FEATURES)
    assert [value.name for value in graph.output] == ["output.score", "output.label"]
    assert builder.read_task(GRAPH) == TASK
    assert graph.name == "rondo"


def test_the_graph_has_its_signature_and_training_time() -> None:
    assert builder.read_signature(GRAPH) == FEATURES
    assert list(builder.read_signature(GRAPH)) == list(FEATURES)
    assert builder.trained_until(GRAPH) == UNTIL


def test_a_graph_without_metadata_has_no_training_time() -> None:
    assert builder.trained_until(builder.build(PreparedModel(PREPARATION, FITTED), TASK, {})) is None


def test_a_feature_may_be_called_as_an_output_is() -> None:
    features = {"score": Feature(type="float"), "label": Feature(type="category")}
    rows = pl.DataFrame({"score": [7.0, 8.0] * 500, "label": ["a"] * 1_000})
    prepared, matrix = fit(features, Prepare(), rows, LABELS[:1_000, None])
    model = LightGbm(1).fit(TARGET, PARAMS, 7, matrix, LABELS[:1_000])
    assert score(builder.build(PreparedModel(prepared, model), TASK, {}), onnx_inputs(features, rows)).shape == (1_000,)


def test_a_model_of_a_single_leaf_has_one_score() -> None:
    flat = LightGbm(1).fit(
        TARGET,
        LightGbm(1).check_params("binary", Trainer(params={"n_estimators": 1, "min_data_in_leaf": 100_000})),
        7,
        MATRIX,
        LABELS,
    )
    scores = score(builder.build(PreparedModel(PREPARATION, flat), TASK, {}), onnx_inputs(FEATURES, ROWS))
    np.testing.assert_allclose(scores, flat.predict(PREPARATION.apply(ROWS))[:, 0], atol=1e-6)


def test_a_feature_without_a_split_gives_a_constant_score() -> None:
    """The margin of half positives is the whole number 0."""
    features = {"same": Feature(type="float"), "word": Feature(type="category")}
    rows = pl.DataFrame({"same": [7.0] * 1_000, "word": ["a"] * 1_000})
    labels = np.array([0, 1] * 500, dtype=np.float32)
    prepared, matrix = fit(features, Prepare(), rows, labels[:, None])
    model = LightGbm(1).fit(TARGET, LightGbm(1).check_params("binary", Trainer()), 7, matrix, labels)
    scores = score(builder.build(PreparedModel(prepared, model), TASK, {}), onnx_inputs(features, rows))
    np.testing.assert_array_equal(scores, np.full(1_000, 0.5, np.float32))

"""The features that the inputs of a graph hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from rondo.contracts.spec.model import Feature
from rondo.trainer.external_models.errors import UnmatchedInputsError

from tests.trainer.external_models.graphs import COLUMNS, FLOAT, NUMBERS, TEXT, X, column, given, graph, scored

MIXED = {
    "temp": Feature(type="float", optional=True),
    "carrier": Feature(type="category"),
    "stops": Feature(type="int"),
}
ROWS = {
    "temp": X[:, [0]],
    "carrier": np.array([["AA"], ["B6"]] * 100, dtype=object),
    "stops": np.arange(200, dtype=np.float32).reshape(-1, 1),
}


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + np.exp(-value.astype(np.float64)))


def test_one_input_has_the_features_in_the_order_of_the_spec() -> None:
    model = given(graph(*column(at=2)))
    np.testing.assert_allclose(model.predict(X)[:, 0], _sigmoid(X[:, 2]), atol=1e-6)


def test_the_metadata_may_name_another_order_and_fewer_features() -> None:
    model = given(graph(*column(at=0), inputs={"x": (FLOAT, ["N", 2])}, metadata={"rondo.features": '["d", "a"]'}))
    np.testing.assert_allclose(model.predict(X)[:, 0], _sigmoid(X[:, 3]), atol=1e-6)
    np.testing.assert_allclose(scored(model, NUMBERS, COLUMNS), model.predict(X), atol=1e-6)
    assert model.unused == ("b", "c")


def test_double_and_whole_inputs_are_cast_and_a_flat_one_is_reshaped() -> None:
    add = [
        helper.make_node("Cast", ["stops"], ["n"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["temp", "n"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["y"]),
    ]
    inputs: Any = {"temp": (TensorProto.DOUBLE, ["N"]), "stops": (TensorProto.INT64, ["N"])}
    model = given(graph(*add, inputs=inputs, outputs={"y": (TensorProto.DOUBLE, ["N"])}), features=MIXED, columns=ROWS)
    expected = _sigmoid(ROWS["temp"] + ROWS["stops"])
    np.testing.assert_allclose(model.predict_columns(ROWS), expected, atol=1e-6)
    np.testing.assert_allclose(scored(model, MIXED, ROWS), expected, atol=1e-6)
    assert model.unused == ("carrier",)


@pytest.mark.parametrize(
    ("inputs", "facts"),
    [
        ({"temperature": (FLOAT, ["N", 1])}, ["temperature"]),
        ({"temp": (TEXT, ["N", 1])}, ["'temp'", "string", "float", "double"]),
        ({"temp": (TensorProto.INT64, ["N", 1])}, ["'temp'", "int64"]),
        ({"carrier": (FLOAT, ["N", 1])}, ["'carrier'", "float", "string"]),
        ({"temp": (FLOAT, [1, 1])}, ["'temp'", " 1 "]),
        ({"temp": (FLOAT, ["N", 3])}, ["'temp'", "[N, 3]"]),
        ({"x": (FLOAT, ["N", 3])}, ["carrier", "category"]),
        ({"x": (FLOAT, ["N", 2])}, ["'x'", " 2 ", " 3"]),
        ({"x": (FLOAT, [1, 3])}, ["'x'", " 1 "]),
        ({"x": (TEXT, ["N", 3])}, ["'x'", "string"]),
    ],
)
def test_other_inputs_are_refused_with_the_features_that_there_are(inputs: Any, facts: list[str]) -> None:
    source = next(iter(inputs))
    kept = [helper.make_node("Identity", [source], ["z"]), helper.make_node("Constant", [], ["y"], value_floats=[0.5])]
    with pytest.raises(UnmatchedInputsError) as refused:
        given(graph(*kept, inputs=inputs), features=MIXED, columns=ROWS)
    assert any(all(fact in each for fact in facts) for each in refused.value.problems)
    assert "temp, carrier, stops" in str(refused.value)


@pytest.mark.parametrize("written", ["no JSON", '"a"', '["a", "z"]', "[" * 100_000])
def test_names_that_are_no_features_are_refused(written: str) -> None:
    with pytest.raises(UnmatchedInputsError):
        given(graph(*column(), metadata={"rondo.features": written}))

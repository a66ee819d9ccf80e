"""The inputs of a graph: text for a category, float32 for anything else, whatever the type of the column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.trainer.preparation.inputs import MissingColumnsError, onnx_inputs
from rondo.trainer.preparation.levels import encoded

FEATURES = {"carrier": Feature(type="category", optional=True), "temp": Feature(type="float", optional=True)}
ROWS = pl.DataFrame({"carrier": ["AA", "AA", "UA", None], "temp": [1.5, None, 3.0, 4.0]})


def test_inputs_are_one_column_per_feature() -> None:
    columns = onnx_inputs(FEATURES, ROWS)
    assert {name: (column.shape, column.dtype) for name, column in columns.items()} == {
        "carrier": ((4, 1), np.dtype(object)),
        "temp": ((4, 1), np.dtype(np.float32)),
    }
    assert columns["carrier"][3, 0] == ""
    assert np.isnan(columns["temp"][1, 0])


def test_a_bool_is_one_or_zero() -> None:
    features = {"holiday": Feature(type="bool")}
    assert onnx_inputs(features, pl.DataFrame({"holiday": [True, False]}))["holiday"][:, 0].tolist() == [1.0, 0.0]


def test_rows_without_a_feature_are_refused_by_name() -> None:
    with pytest.raises(MissingColumnsError) as refusal:
        onnx_inputs(FEATURES, ROWS.drop("temp"))
    assert refusal.value.missing == ["temp"]


@given(texts=st.lists(st.none() | st.sampled_from(["AA", "UA", "", "Ünïcode"])), repeated=st.integers(1, 20))
def test_encoded_rows_have_the_inputs_of_their_texts(texts: list[str | None], repeated: int) -> None:
    numbers = [None if text is None else float(len(text)) for text in texts]
    schema = {"carrier": pl.String, "temp": pl.Float64}
    rows = pl.concat([pl.DataFrame({"carrier": texts, "temp": numbers}, schema=schema)] * repeated)
    wanted = onnx_inputs(FEATURES, rows)
    for name, values in onnx_inputs(FEATURES, encoded(FEATURES, rows)).items():
        assert values.dtype == wanted[name].dtype
        np.testing.assert_array_equal(values, wanted[name])

"""The inputs of a graph: text for a category, float32 for anything else, whatever the type of the column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature
from rondo.trainer.preparation.inputs import MissingColumnsError, onnx_inputs

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

"""Encoding: numbers as they are, categories as their share of positives, and a number for unknown categories."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature
from rondo.trainer.onnx_graph.encoding import PRIOR_ROWS, MissingColumnsError, encode, fit, onnx_inputs

FEATURES = {"carrier": Feature(type="category", optional=True), "temp": Feature(type="float", optional=True)}
ROWS = pl.DataFrame({"carrier": ["AA", "AA", "UA", None], "temp": [1.5, None, 3.0, 4.0]})
LABELS = np.array([1, 1, 0, 0], dtype=np.float32)


def test_a_category_is_its_share_of_positives_drawn_to_the_mean() -> None:
    codes = fit(FEATURES, ROWS, LABELS).categories["carrier"]
    assert codes.table["AA"] == pytest.approx((2 + PRIOR_ROWS * 0.5) / (2 + PRIOR_ROWS))
    assert codes.table["UA"] == pytest.approx((0 + PRIOR_ROWS * 0.5) / (1 + PRIOR_ROWS))


def test_a_category_never_seen_counts_as_the_mean() -> None:
    prepared = fit(FEATURES, ROWS, LABELS)
    unseen = encode(prepared, pl.DataFrame({"carrier": ["ZZ"], "temp": [0.0]}))
    assert unseen[0, 0] == np.float32(0.5)


def test_a_missing_category_is_one_of_its_own_once_it_was_seen() -> None:
    prepared = fit(FEATURES, ROWS, LABELS)
    null, empty = encode(prepared, pl.DataFrame({"carrier": [None, ""], "temp": [0.0, 0.0]}))[:, 0]
    assert null == empty == np.float32(PRIOR_ROWS * 0.5 / (1 + PRIOR_ROWS))


def test_a_missing_category_counts_as_the_mean_where_none_was_ever_missing() -> None:
    prepared = fit(FEATURES, ROWS.drop_nulls("carrier"), LABELS[:3])
    coded = encode(
        prepared, pl.DataFrame({"carrier": [None], "temp": [0.0]}, schema={"carrier": pl.String, "temp": pl.Float32})
    )
    assert coded[0, 0] == np.float32(2 / 3)


def test_numbers_pass_and_a_missing_one_is_nan() -> None:
    numbers = encode(fit(FEATURES, ROWS, LABELS), ROWS)
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers[:, 1], np.array([1.5, np.nan, 3.0, 4.0], dtype=np.float32))


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert fit(FEATURES, ROWS, LABELS) == fit(FEATURES, ROWS.reverse(), LABELS[::-1])


def test_inputs_are_one_column_per_feature() -> None:
    columns = onnx_inputs(FEATURES, ROWS)
    assert {name: (column.shape, column.dtype) for name, column in columns.items()} == {
        "carrier": ((4, 1), np.dtype(object)),
        "temp": ((4, 1), np.dtype(np.float32)),
    }
    assert columns["carrier"][3, 0] == ""


def test_a_bool_is_one_or_zero() -> None:
    features = {"holiday": Feature(type="bool")}
    assert onnx_inputs(features, pl.DataFrame({"holiday": [True, False]}))["holiday"][:, 0].tolist() == [1.0, 0.0]


def test_rows_without_a_feature_are_refused_by_name() -> None:
    with pytest.raises(MissingColumnsError) as refusal:
        fit(FEATURES, ROWS.drop("temp"), LABELS)
    assert refusal.value.missing == ["temp"]

"""The matrix of a preparation: numbers as they are, categories as their numbers, in the order of the features."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature, Prepare
from rondo.trainer.preparation.inputs import MissingColumnsError
from rondo.trainer.preparation.preparation import fit

FEATURES = {"carrier": Feature(type="category", optional=True), "temp": Feature(type="float", optional=True)}
ROWS = pl.DataFrame({"carrier": ["AA", "AA", "UA", None], "temp": [1.5, None, 3.0, 4.0]})
TARGETS = np.array([[1], [1], [0], [0]], dtype=np.float32)


def test_numbers_pass_and_a_missing_one_is_nan() -> None:
    prepared, matrix = fit(FEATURES, Prepare(), ROWS, TARGETS)
    expected = np.array([1.5, np.nan, 3.0, 4.0], dtype=np.float32)
    for numbers in (matrix, prepared.apply(ROWS)):
        assert numbers.dtype == np.float32
        np.testing.assert_array_equal(numbers[:, 0], expected)


def test_a_column_has_the_name_of_its_feature_and_of_its_class() -> None:
    classes = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)
    assert fit(FEATURES, Prepare(), ROWS, TARGETS)[0].columns == ("temp", "carrier")
    prepared, matrix = fit(FEATURES, Prepare(), ROWS, classes)
    assert prepared.columns == ("temp", "carrier.0", "carrier.1", "carrier.2")
    assert matrix.shape == prepared.apply(ROWS).shape == (4, 4)


def test_rows_without_a_feature_are_refused_by_name() -> None:
    prepared, _ = fit(FEATURES, Prepare(), ROWS, TARGETS)
    for refused in (lambda rows: fit(FEATURES, Prepare(), rows, TARGETS), prepared.apply):
        with pytest.raises(MissingColumnsError) as refusal:
            refused(ROWS.drop("temp"))
        assert refusal.value.missing == ["temp"]

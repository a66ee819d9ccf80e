"""The share of training rows that repeat earlier ones. The monitor compares it with the requests."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from rondo.chassis.profiles.row_hashes import repeated_shares, row_hashes
from rondo.contracts.spec.model import Feature
from rondo.trainer.evaluation import feature_reference

FEATURES = {
    "x": Feature.model_validate({"type": "float"}),
    "n": Feature.model_validate({"type": "int"}),
    "city": Feature.model_validate({"type": "category"}),
}


def rows(count: int) -> pl.DataFrame:
    """Return rows. In the second half every second row repeats the features of its predecessor."""
    numbers = np.arange(count)
    numbers = np.where(numbers < count // 2, numbers, numbers - numbers % 2)
    return pl.DataFrame({"x": numbers / 3, "n": numbers % 7, "city": [f"c{n % 5}" for n in numbers.tolist()]})


@pytest.mark.parametrize(("count", "block"), [(320, 16), (1_100, 16), (2_048, 32), (70_000, 1_024)])
def test_the_shares_are_of_blocks_as_long_as_the_rows_allow(count: int, block: int) -> None:
    found = feature_reference.of_rows(FEATURES, rows(count)).repeated_rows
    assert found is not None
    assert (found.rows, len(found.shares)) == (block, count // block)
    assert (found.shares[0], found.shares[-1]) == (0.0, 0.5)


def test_few_rows_have_none() -> None:
    assert feature_reference.of_rows(FEATURES, rows(319)).repeated_rows is None


@pytest.mark.slow
def test_the_newest_blocks_are_kept() -> None:
    found = feature_reference.of_rows(FEATURES, rows(1_200_000)).repeated_rows
    assert found is not None
    assert (found.rows, len(found.shares), set(found.shares)) == (1_024, 512, {0.5})


def test_requests_have_the_hashes_of_the_rows_of_the_training() -> None:
    """The log has float32 and texts, in any order of columns."""
    some = rows(1_600)
    logged = pa.table({f"feature.{name}": some[name].to_arrow() for name in ("n", "x", "city")})
    columns = [
        logged.column(name).cast(pa.string() if name.endswith("city") else pa.float32())
        for name in sorted(logged.column_names)
    ]
    found = feature_reference.of_rows(FEATURES, some).repeated_rows
    assert found is not None
    assert tuple(repeated_shares(row_hashes(columns), 16).tolist()) == found.shares

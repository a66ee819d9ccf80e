"""Arrow columns of types that polars does not have."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest
from rondo.ingestion.validation.arrow_columns import from_arrow

TIME = datetime(2013, 1, 1, 10)  # noqa: DTZ001 - Arrow takes it as UTC


@pytest.mark.parametrize("zone", ["+05:30", "-08:00", "Asia/Kolkata", "UTC", "No/Such_Zone"])
def test_a_time_keeps_its_moment_whatever_its_zone(zone: str) -> None:
    batch = from_arrow(pa.table({"at": pa.array([TIME], pa.timestamp("us", zone))}))
    assert batch.frame["at"].to_list() == [TIME.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([Decimal("1.5")], pa.decimal256(50, 2)), Decimal("1.50")),
        (pa.RunEndEncodedArray.from_arrays([1], ["a"]), "a"),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array(["a"], pa.string_view()), "a"),
    ],
)
def test_a_type_with_an_equal_one_is_converted(column: pa.Array, value: object) -> None:
    batch = from_arrow(pa.table({"x": column}))
    assert (batch.frame["x"].to_list(), batch.unsupported) == ([value], {})


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]], pa.list_view(pa.int64())),
        pa.array([Decimal(10**49)], pa.decimal256(50, 0)),
        pa.array([{"x": Decimal(1)}], pa.struct([("x", pa.decimal256(50, 0))])),  # polars panics on it
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
    ],
)
def test_an_unsupported_type_affects_only_its_column(column: pa.Array) -> None:
    batch = from_arrow(pa.table({"x": column, "y": [1]}))
    assert batch.frame.equals(pl.DataFrame({"y": [1]}))
    assert list(batch.unsupported) == ["x"]

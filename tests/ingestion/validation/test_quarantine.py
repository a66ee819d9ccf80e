"""Rows as JSON texts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import orjson
import polars as pl
import pytest
from rondo.ingestion.validation.quarantine import as_json


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pl.Series([7]), 7),
        (pl.Series(["a\x00"]), "a\x00"),
        (pl.Series([True]), True),
        (pl.Series([0.5]), 0.5),
        (pl.Series([float("nan")]), "NaN"),
        (pl.Series([float("-inf")]), "-inf"),
        (pl.Series([b"\xff"]), "/w=="),
        (pl.Series([2**100], dtype=pl.Int128), "1267650600228229401496703205376"),
        (pl.Series([Decimal("1.50")]), "1.50"),
        (pl.Series([time(1)]), "01:00:00"),
        (pl.Series([datetime(2020, 1, 1, tzinfo=UTC)]), "2020-01-01 00:00:00.000000+00:00"),
        (pl.Series(["a"], dtype=pl.Categorical), "a"),
        (pl.Series([[1, 2]]), "[1,2]"),
        (pl.Series([[b"\xff"]]), "[\"b'\\\\xff'\"]"),
        (pl.Series([{"x": 1}]), '{"x":1}'),
        (pl.Series([timedelta(1)]), '"datetime.timedelta(days=1)"'),
        (pl.Series([None]), None),
    ],
)
def test_a_value_of_any_type_is_kept(column: pl.Series, kept: object) -> None:
    [text, missing] = as_json(pl.DataFrame({"x": column.extend_constant(None, 1)}))
    assert orjson.loads(text) == {"x": kept}
    assert orjson.loads(missing) == {"x": None}

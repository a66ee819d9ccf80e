"""A column that becomes text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.tasks.label_values import label_text
from rondo.ingestion.delta.column_types import as_text

NUMBERS = st.none() | st.integers(-(2**60), 2**60).map(float) | st.floats(allow_nan=False)


def texts(values: list[float | None], kind: pa.DataType) -> list[str | None]:
    table = as_text(pa.table({"a": pa.array(values, kind), "b": pa.array(values, kind)}), {"a"})
    assert table.schema == pa.schema([("a", pa.string()), ("b", kind)])
    found: list[str | None] = table["a"].to_pylist()
    return found


@given(st.lists(NUMBERS, max_size=20))
def test_a_number_reads_back_and_a_whole_one_is_its_digits(values: list[float | None]) -> None:
    for value, text in zip(values, texts(values, pa.float64()), strict=True):
        assert (text is None) == (value is None)
        if value is not None and text is not None:
            assert float(text) == value
            assert text == (label_text(value) or text)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([2.5, 16777215.0, None], pa.float32(), ["2.5", "16777215", None]),
        ([True, False, None], pa.bool_(), ["true", "false", None]),
        ([2**63 - 1, None], pa.int64(), ["9223372036854775807", None]),
        (["a", None], pa.string(), ["a", None]),
    ],
)
def test_other_types_are_written_as_arrow_does(
    values: list[float | None], kind: pa.DataType, expected: list[str]
) -> None:
    assert texts(values, kind) == expected

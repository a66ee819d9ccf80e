"""The slices that a row belongs to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.profiles.slices import MOST_COLUMNS, MOST_VALUES, Slices, texts
from rondo.contracts.training_evidence import SliceReference


def slices(**columns: list[str]) -> Slices:
    named = [(column, value) for column, values in columns.items() for value in values]
    return Slices.of([SliceReference(column=column, value=value, rows=9, performance={}) for column, value in named])


SOME = slices(sex=["f", "m"], age=["", "1", "2.5"])
VALUES = {"sex": ["f", "m", "x", None], "age": [None, 1.0, 2.5, 7.0]}


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_a_row_belongs_to_the_slice_of_each_of_its_values(rows: list[tuple[int, int]]) -> None:
    table = pa.table(
        {
            "feature.sex": pa.array([VALUES["sex"][sex] for sex, _ in rows], pa.string()),
            "feature.age": pa.array([VALUES["age"][age] for _, age in rows], pa.float32()),
        }
    )
    found = {number: mask.tolist() for number, mask in SOME.members(SOME.codes(table))}
    sexes, ages = zip(*rows, strict=True) if rows else ((), ())
    expected = {0: [s == 0 for s in sexes], 1: [s == 1 for s in sexes]}
    expected |= {2: [a == 0 for a in ages], 3: [a == 1 for a in ages], 4: [a == 2 for a in ages]}
    assert found == {number: mask for number, mask in expected.items() if any(mask)}


def test_a_column_that_a_table_lacks_has_no_slices() -> None:
    codes = SOME.codes(pa.table({"feature.sex": ["m"]}))
    assert [number for number, _ in SOME.members(codes)] == [1]
    assert list(Slices(()).members(Slices(()).codes(pa.table({"feature.sex": ["m"]})))) == []


def test_the_codes_of_as_many_columns_and_values_as_there_may_be_fit() -> None:
    values = [str(n) for n in range(MOST_VALUES)]
    many = slices(**{f"c{n}": values for n in range(MOST_COLUMNS)})
    table = pa.table({f"feature.c{n}": [values[-1]] for n in range(MOST_COLUMNS)})
    found = sorted(number for number, _ in many.members(many.codes(table)))
    assert found == [MOST_VALUES * (n + 1) - 1 for n in range(MOST_COLUMNS)]


@pytest.mark.parametrize(("number", "text"), [(1.0, "1"), (-0.0, "0"), (0.1, "0.1"), (1e9, "1000000000"), (None, "")])
def test_a_number_is_written_as_its_shortest_decimal(number: float | None, text: str) -> None:
    assert texts(pa.array([number], pa.float32())).to_pylist() == [text]
    assert texts(pa.array([float("nan")], pa.float32())).to_pylist() == [""]


def test_a_missing_text_is_the_empty_one() -> None:
    assert texts(pa.array(["a", None, ""])).to_pylist() == ["a", "", ""]
    assert np.array_equal(SOME.codes(pa.table({"feature.sex": pa.array([], pa.string())})), np.zeros(0))

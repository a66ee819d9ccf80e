"""Rows into bins."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.profiles.binning import Binning
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, ReferenceProfile

from tests.chassis.profiles.counts import row_counts

PROFILE = ReferenceProfile(
    rows=6,
    features={
        "x": NumericProfile(edges=(0.0, 1.0), counts=(1, 2, 3), missing=4),
        "city": CategoricalProfile(counts={"a": 5, "b": 6}, other=7, missing=8),
    },
    outputs={"score": NumericProfile(edges=(0.5,), counts=(9, 10))},
    task=FittedTask(task="binary"),
    performance={},
)
BINNING = Binning.of(PROFILE)
ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(width=32),
        st.none() | st.sampled_from(["a", "b", "c", ""]),
        st.floats(0, 1, width=32),
        st.booleans(),
    )
)
Row = tuple[float | None, str | None, float, bool]


def table(rows: list[Row]) -> pa.Table:
    return pa.table(
        {
            "feature.x": pa.array([r[0] for r in rows], pa.float32()),
            "feature.city": pa.array([r[1] for r in rows], pa.string()),
            "output.score": pa.array([r[2] for r in rows], pa.float32()),
        }
    )


def test_the_reference_is_laid_out_as_the_counts_are() -> None:
    assert BINNING.reference(PROFILE).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]


def test_a_value_on_an_edge_belongs_to_the_bin_above_and_null_and_nan_are_missing() -> None:
    rows: list[Row] = [(-5, "a", 0.1, True), (0.0, "b", 0.5, True), (1.0, "z", 0.9, True), (None, None, 0.2, True)]
    rows.append((float("nan"), "a", 0.2, True))
    x, city, score = (column.of(row_counts(BINNING, table(rows))).tolist() for column in BINNING.columns)
    assert (x, city, score) == ([1, 1, 1, 2], [2, 1, 1, 1], [3, 2, 0])


def test_the_empty_text_is_missing_as_it_is_in_the_reference() -> None:
    counts = row_counts(BINNING, table([(1.0, "", 0.1, True), (1.0, None, 0.1, True), (1.0, "z", 0.1, True)]))
    assert BINNING.columns[1].of(counts).tolist() == [0, 0, 1, 2]


@given(ROWS)
def test_dictionary_encoded_texts_have_the_bins_of_the_texts(rows: list[Row]) -> None:
    plain, city = table(rows), BINNING.columns[1]
    encoded = plain.set_column(1, city.column, plain.column(city.column).dictionary_encode())
    assert city.bins(encoded).tolist() == city.bins(plain).tolist()


def test_an_absent_column_is_missing_in_every_row() -> None:
    counts = row_counts(BINNING, table([(1.0, "a", 0.1, True)] * 3).drop_columns(["feature.city"]))
    assert BINNING.columns[1].of(counts).tolist() == [0, 0, 0, 3]


@given(ROWS)
def test_every_row_is_counted_once_in_every_column(rows: list[Row]) -> None:
    counts = row_counts(BINNING, table(rows))
    assert [int(column.of(counts).sum()) for column in BINNING.columns] == [len(rows)] * 3


@given(ROWS, st.integers(1, 4), st.integers(0))
def test_groups_are_counted_as_if_each_came_alone(rows: list[Row], number: int, seed: int) -> None:
    groups = np.random.default_rng(seed).integers(number, size=len(rows))
    counts = BINNING.count_groups(table(rows), groups, number)
    alone = [
        row_counts(BINNING, table([row for row, at in zip(rows, groups, strict=True) if at == g]))
        for g in range(number)
    ]
    assert counts.tolist() == [each.tolist() for each in alone]


def test_many_rows_are_binned_as_few_are() -> None:
    rng = np.random.default_rng(1)
    x = rng.choice(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.inf, -np.inf, np.nan]), 20_000).astype(np.float32)
    many = pa.table({"feature.x": x})
    few = [row_counts(BINNING, many.slice(start, 100)) for start in range(0, 20_000, 100)]
    assert row_counts(BINNING, many).tolist() == np.sum(few, axis=0).tolist()


def test_long_texts_are_compared_as_texts() -> None:
    texts = pa.array(["a", "b", "z", "", None], pa.large_string())
    assert BINNING.columns[1].bins(pa.table({"feature.city": texts})).tolist() == [0, 1, 2, 3, 3]

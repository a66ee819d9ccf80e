"""Equal rows have equal hashes, with any type and any chunks. Different rows have different hashes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.chassis.profiles.row_hashes import repeated_shares, row_hashes

TEXTS = st.lists(st.text(max_size=6), min_size=1, max_size=20)
NUMBERS = st.floats(width=32, allow_nan=False)


@pytest.mark.medium
@given(st.lists(st.tuples(st.text(alphabet="ab\0é", max_size=4), NUMBERS), min_size=1, max_size=30))
def test_rows_have_one_hash_exactly_where_their_values_are_equal(rows: list[tuple[str, float]]) -> None:
    texts, numbers = pa.array([text for text, _ in rows]), pa.array([n for _, n in rows], pa.float32())
    hashes = row_hashes([texts, numbers]).tolist()
    values = [(text, float(np.float32(number)) + 0.0) for text, number in rows]
    assert len(set(hashes)) == len(set(values))
    assert len(set(zip(hashes, values, strict=True))) == len(set(values))


@pytest.mark.slow
@given(TEXTS, st.integers(0, 5))
def test_a_part_of_a_column_and_its_chunks_have_the_hashes_of_the_whole(texts: list[str], first: int) -> None:
    column = pa.array(texts)
    whole = row_hashes([column])
    assert row_hashes([column[first:]]).tolist() == whole[first:].tolist()
    chunked = pa.chunked_array([column[:first], column[first:]])
    assert row_hashes([chunked]).tolist() == whole.tolist()


@pytest.mark.medium
@given(st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=30), st.integers(0, 5))
def test_dictionary_encoded_texts_have_the_hashes_of_the_texts(texts: list[str | None], first: int) -> None:
    column = pa.array(texts, pa.string())
    assert row_hashes([column.dictionary_encode()[first:]]).tolist() == row_hashes([column[first:]]).tolist()


def test_many_texts_have_the_hashes_of_few() -> None:
    texts = pa.array([f"text {number}" for number in range(40_000)])
    assert (
        row_hashes([texts])[[0, 16_383, 16_384, 39_999]].tolist()
        == row_hashes([pa.array(["text 0", "text 16383", "text 16384", "text 39999"])]).tolist()
    )


def test_missing_values_are_equal_and_the_order_of_columns_counts() -> None:
    missing = row_hashes([pa.array([None, float("nan"), 0.0, -0.0], pa.float32())]).tolist()
    assert (missing[0] == missing[1], missing[2] == missing[3], missing[0] == missing[2]) == (True, True, False)
    assert len(set(row_hashes([pa.array([None, ""], pa.string())]).tolist())) == 1
    a, b = pa.array(["a", "b"]), pa.array(["b", "a"])
    first, second = row_hashes([a, b]).tolist()
    assert first != second


def test_hashes_stay_the_same_from_release_to_release() -> None:
    """The monitor compares with hashes of its checkpoints."""
    columns = pa.array(["EWR"]), pa.array([1.5], pa.float32()), pa.array([7], pa.timestamp("us", "UTC"))
    assert row_hashes(columns).tolist() == [11061433773763967370]


def test_the_share_of_a_block_counts_all_but_the_first_of_equal_rows() -> None:
    hashes = np.array([1, 2, 1, 1, 5, 6, 7, 8, 1, 1], np.uint64)
    assert repeated_shares(hashes, 4).tolist() == [0.5, 0.0]

"""One-hot and hash encoding: one column is 1, or none for a text without a place. The same in the graph."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import polars as pl
from rondo.trainer.preparation import hashing, one_hot

from tests.trainer.preparation.graphs import run_on_text

TEXT = pl.Series(["b", "a", "b", "", "c", "b", "a", "é"])
STRANGE = pl.Series(["", "a", "A", " a", "zz", "é", "é", "b" * 10_000])


def test_each_of_the_most_frequent_levels_has_a_column() -> None:
    encoding, columns = one_hot.fit(TEXT, 2)
    assert encoding.names("x") == ("x=a", "x=b")
    np.testing.assert_array_equal(columns, [[0, 1], [1, 0], [0, 1], [0, 0], [0, 0], [0, 1], [1, 0], [0, 0]])
    assert columns.dtype == np.float32


def test_levels_that_are_equally_frequent_are_taken_in_their_order() -> None:
    assert one_hot.fit(pl.Series(["c", "b", "a", ""]), 2)[0].names("x") == ("x=", "x=a")


def test_there_are_no_more_columns_than_levels() -> None:
    assert one_hot.fit(TEXT, 100)[0].names("x") == ("x=", "x=a", "x=b", "x=c", "x=é")


def test_a_level_is_in_the_column_of_its_hash() -> None:
    encoding, columns = hashing.fit(TEXT, 8)
    assert encoding.names("x") == tuple(f"x#{bucket}" for bucket in range(8))
    assert columns.argmax(axis=1).tolist() == [crc32(text.encode()) % 8 for text in TEXT]
    assert columns.sum(axis=1).tolist() == [1] * 8


def test_a_text_that_was_not_seen_is_in_no_column() -> None:
    for encoding, _ in (one_hot.fit(TEXT, 100), hashing.fit(TEXT, 8)):
        assert encoding.apply(pl.Series(["zz", "A", "b"])).sum(axis=1).tolist() == [0, 0, 1]


def test_the_graph_encodes_the_same() -> None:
    for encoding, _ in (one_hot.fit(TEXT, 3), hashing.fit(TEXT, 5), one_hot.fit(pl.Series(["only"]), 3)):
        for rows in (TEXT, STRANGE, STRANGE[:1]):
            np.testing.assert_array_equal(run_on_text(encoding.onnx_nodes, rows), encoding.apply(rows))


def test_ten_thousand_levels_are_encoded_alike() -> None:
    rng = np.random.default_rng(6)
    text = pl.Series([f"level-{level}" for level in rng.integers(0, 10_000, size=20_000)])
    for encoding, columns in (hashing.fit(text, 64), one_hot.fit(text, 100)):
        np.testing.assert_array_equal(encoding.apply(text), columns)
        rows = pl.concat([text[:500], pl.Series(["other"])])
        np.testing.assert_array_equal(run_on_text(encoding.onnx_nodes, rows), encoding.apply(rows))

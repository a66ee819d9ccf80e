"""Categories as codes: a column of codes is prepared and profiled as its texts are."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import Feature, Prepare
from rondo.trainer.evaluation import feature_reference
from rondo.trainer.onnx_graph.parity import compared_rows
from rondo.trainer.preparation import levels, preparation
from rondo.trainer.preparation.inputs import MissingColumnsError

FEATURES = {"carrier": Feature(type="category"), "empty": Feature(type="category"), "temp": Feature(type="float")}
RNG = np.random.default_rng(3)
ROWS = pl.DataFrame(
    {
        "carrier": [*RNG.choice(["UA", "AA", "", "Ünïcode"], 1_000), *["late"] * 24],
        "empty": pl.Series([None] * 1_024, dtype=pl.String),
        "temp": RNG.normal(size=1_024).astype(np.float32),
        "label": RNG.integers(0, 2, 1_024).astype(np.float32),
    }
).with_columns(carrier=pl.when(pl.int_range(pl.len()) % 7 > 0).then("carrier"))
ENCODED = levels.encoded(FEATURES, ROWS)


def test_the_codes_are_of_sorted_texts() -> None:
    assert ENCODED["carrier"].dtype == pl.Enum(["", "AA", "UA", "late", "Ünïcode"])
    assert ENCODED["empty"].dtype == pl.Enum([])
    assert ENCODED["carrier"].cast(pl.String).to_list() == ROWS["carrier"].to_list()


def test_rows_without_a_feature_are_refused() -> None:
    with pytest.raises(MissingColumnsError):
        levels.encoded(FEATURES, ROWS.drop("carrier"))


@pytest.mark.parametrize("encode", ["target", "one_hot", "hash"])
def test_codes_are_prepared_as_their_texts(encode: str) -> None:
    prepare = Prepare.model_validate({"encode": {"carrier": encode, "empty": encode}, "hash_buckets": 4})
    # "late" occurs in the other rows alone.
    labels = ROWS["label"][:1_000].to_numpy().reshape(-1, 1)
    of_texts, matrix = preparation.fit(FEATURES, prepare, ROWS[:1_000], labels)
    of_codes, same = preparation.fit(FEATURES, prepare, ENCODED[:1_000], labels)
    np.testing.assert_array_equal(matrix, same)
    assert of_texts.onnx_nodes("matrix") == of_codes.onnx_nodes("matrix")
    assert "late" not in str(of_codes.onnx_nodes("matrix"))
    expected = of_texts.apply(ROWS)
    np.testing.assert_array_equal(of_codes.apply(ROWS), expected)
    np.testing.assert_array_equal(of_codes.apply(ENCODED), expected)


def test_codes_have_the_reference_of_their_texts() -> None:
    assert feature_reference.of_rows(FEATURES, ENCODED) == feature_reference.of_rows(FEATURES, ROWS)
    # A text that only other rows have is none of these.
    first = feature_reference.of_rows(FEATURES, ENCODED[:1_000])
    assert first == feature_reference.of_rows(FEATURES, ROWS[:1_000])
    assert "late" not in str(first.profile["carrier"])


def test_codes_are_compared_as_texts_with_edges() -> None:
    found = compared_rows(FEATURES, ENCODED, seed=7)
    assert found.equals(compared_rows(FEATURES, ROWS, seed=7))
    assert "\U0001f30d" in found["carrier"].to_list()


@pytest.mark.parametrize("known", [["AA", None, "UA"], ["UA", "AA", "AA"]])
def test_a_missing_category_is_the_empty_text(known: list[str | None]) -> None:
    texts = pl.Series("carrier", [*known, None, "ZZ"], pl.String)
    codes = levels.encoded({"carrier": FEATURES["carrier"]}, pl.DataFrame([texts]))["carrier"]
    found = levels.distinct(texts[:3])
    assert levels.distinct(codes[:3]) == found
    assert levels.positions(codes, found).tolist() == levels.positions(texts, found).tolist()

"""The reference profile counts every row once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_profile import (
    BINS,
    MAX_CATEGORIES,
    MAX_CATEGORY_CHARACTERS,
    categorical,
    feature_column,
    numeric,
    of_column,
    of_features,
    of_outputs,
)


@given(st.lists(st.floats(width=32), max_size=200))
def test_every_value_is_in_one_bin_or_missing(values: list[float]) -> None:
    found = numeric(np.array(values, dtype=np.float32))
    assert sum(found.counts) + found.missing == len(values)
    assert len(found.counts) == len(found.edges) + 1
    assert list(found.edges) == sorted(set(found.edges))


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=100))
def test_a_bin_begins_with_its_edge(values: list[float]) -> None:
    found = numeric(np.array(values, dtype=np.float32))
    bounds = [-np.inf, *found.edges, np.inf]
    inner = [sum(low <= v < high for v in values) for low, high in pairwise(bounds)]
    assert inner[:-1] == list(found.counts[:-1])


def test_negative_zero_is_written_as_zero() -> None:
    assert str(numeric(np.array([-0.0, -0.0, 1.0], np.float32)).edges[0]) == "0.0"


@pytest.mark.parametrize("scale", [1, 1e-40, 1e37])
def test_infinite_and_missing_values_are_beside_the_bins(scale: float) -> None:
    column = np.random.default_rng(1).normal(size=5_000).astype(np.float32) * np.float32(scale)
    column[:7], column[7:12], column[12:15] = -np.inf, np.inf, np.nan
    found = numeric(column)
    assert (found.counts[0], found.counts[-1], found.missing) == (7, 5, 3)
    assert found.edges[0] == column[15:].min()
    assert found.edges[-1] == np.nextafter(column[15:].max(), np.float32(np.inf))


def test_bins_hold_about_as_many_each() -> None:
    assert numeric(np.arange(2_000, dtype=np.float32)).counts == (0, 99, *[100] * (BINS - 2), 101, 0)


def test_fine_tails_halve_the_outer_bins_as_long_as_they_have_enough_values() -> None:
    plain, fine = (numeric(np.arange(2_000, dtype=np.float32), fine_tails=fine) for fine in (False, True))
    assert set(plain.edges) < set(fine.edges)
    assert fine.counts[:4] == (0, 49, 50, 100)
    assert fine.counts[-4:] == (100, 50, 51, 0)
    many = numeric(np.arange(100_000, dtype=np.float32), fine_tails=True)
    assert min(many.counts[1:-1]) < 100
    assert len(many.edges) <= len(plain.edges) + 18


def test_the_profile_of_scores_has_fine_tails_and_that_of_a_feature_has_none() -> None:
    task = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
    scores = np.linspace(0, 1, 2_000, dtype=np.float32)
    found = of_outputs(Scored(task, np.zeros(2_000, np.float32), {"score": scores}))
    assert found == {"score": numeric(scores, fine_tails=True)}
    features = of_features({"x": Feature(type="float")}, pl.DataFrame({"x": scores}))
    assert features == {"x": numeric(scores)}


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([7] * 30, (0, 30, 0)),
        ([0] * 97 + [1] * 3, (0, 97, 3, 0)),
        ([0, 1] * 50, (0, 50, 0, 50, 0)),
        ([float(np.finfo(np.float32).max)] * 5, (0, 5)),
    ],
    ids=["constant", "mostly one value", "two values", "greatest value"],
)
def test_values_that_the_training_data_lacks_have_bins_of_their_own(
    values: list[float], counts: tuple[int, ...]
) -> None:
    assert numeric(np.array(values, dtype=np.float32)).counts == counts


def test_a_column_without_values_has_a_profile() -> None:
    assert numeric(np.full(3, np.nan, dtype=np.float32)) == NumericProfile(edges=(), counts=(0,), missing=3)


def test_categories_null_and_empty() -> None:
    assert categorical(pl.Series(["b", "a", "b", None, ""])) == CategoricalProfile(counts={"a": 1, "b": 2}, missing=2)


@given(st.lists(st.none() | st.sampled_from(["", "a", "b", "c"])))
def test_a_column_of_distinct_texts_has_the_profile_of_its_rows(texts: list[str | None]) -> None:
    values = pl.Series("city", texts, pl.String)
    assert of_column(feature_column(values, is_category=True)) == categorical(values)


def test_the_rarest_categories_are_counted_together() -> None:
    values = [str(i) for i in range(MAX_CATEGORIES)] * 2 + ["x", "y"]
    found = categorical(pl.Series(values))
    assert (len(found.counts), found.other) == (MAX_CATEGORIES, 2)


def test_each_feature_has_the_profile_of_its_type() -> None:
    rows = pl.DataFrame({"carrier": ["AA", "UA"], "temp": [1.0, None]})
    features = {"carrier": Feature(type="category"), "temp": Feature(type="float", optional=True)}
    assert of_features(features, rows) == {
        "carrier": CategoricalProfile(counts={"AA": 1, "UA": 1}),
        "temp": NumericProfile(
            edges=(1.0, float(np.nextafter(np.float32(1), np.float32(2)))), counts=(0, 1, 0), missing=1
        ),
    }


def test_a_long_text_is_counted_with_the_rare_categories() -> None:
    """The monitor counts it the same way: it has only the listed categories."""
    longest = "é" * MAX_CATEGORY_CHARACTERS
    values = pl.Series(["AA", longest] * 2 + [longest + "x"] * 5)
    assert categorical(values) == CategoricalProfile(counts={"AA": 2, longest: 2}, other=5)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=100))
def test_quantiles_are_values_of_the_data(values: list[float]) -> None:
    quantiles = np.quantile(np.array(values, np.float32), np.arange(1, BINS) / BINS, method="lower")
    assert set(quantiles.tolist()) <= set(numeric(np.array(values, dtype=np.float32)).edges)

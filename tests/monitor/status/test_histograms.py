"""Bars of a column's distribution: equal widths for numbers, the most frequent categories, shares that add up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import (
    CategoricalProfile,
    FeatureProfile,
    NumericProfile,
    ReferenceProfile,
    UnknownProfile,
)
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.status.histograms import Histogram, histograms

from tests.chassis.profiles.counts import row_counts

TWENTIETHS = NumericProfile(edges=tuple(float(n) for n in range(101)), counts=(0, *[10] * 100, 0), missing=0)


def histogram(profile: FeatureProfile, values: pa.Array) -> Histogram:
    """Return the histogram of a column with these values."""
    task = FittedTask(task="binary", labels=("0", "1"), numbers=True, threshold=0.5)
    reference = Reference.of(
        ReferenceProfile(rows=1_000, features={"c": profile}, outputs={}, task=task, performance={})
    )
    counts = row_counts(reference.binning, pa.table({"feature.c": values}))
    (found,) = histograms(counts, reference)
    return found


def test_bars_of_numbers_have_equal_widths_and_all_rows() -> None:
    values = pa.array(np.append(np.linspace(50, 60, 199, endpoint=False), np.nan), pa.float32(), from_pandas=True)
    bars = histogram(TWENTIETHS, values).bars
    widths = {round(bar.high - bar.low, 6) for bar in bars if bar.low is not None and bar.high is not None}
    assert min(widths) == pytest.approx(100 / 14, abs=0.02)
    assert max(widths) == pytest.approx(100 / 14, abs=0.02), "limits are rounded to four digits"
    assert (bars[0].low, bars[0].high, bars[-2].low, bars[-2].high) == (None, 0.0, 100.0, None)
    assert (bars[-1].kind, bars[-1].window, bars[-1].reference) == ("missing", 0.005, 0)
    assert sum(bar.window for bar in bars) == pytest.approx(1)
    assert sum(bar.reference for bar in bars) == pytest.approx(1)
    inside = sum(bar.window for bar in bars if bar.low is not None and 42 < bar.low < 60)
    assert inside == pytest.approx(0.995)


def test_an_outlier_of_the_reference_does_not_widen_the_bars() -> None:
    edges = (*(float(n) for n in range(20)), 1e9)
    profile = NumericProfile(edges=edges, counts=(0, *[50] * 20, 0), missing=0)
    bars = histogram(profile, pa.array([5.0, 1e12], pa.float32())).bars
    assert bars[-1].low is not None
    assert bars[-1].low < 30
    assert bars[-1].window == 0.5


def test_a_column_of_one_value_has_a_bar_for_it() -> None:
    above = float(np.nextafter(np.float32(7), np.float32(np.inf)))
    profile = NumericProfile(edges=(7.0, above), counts=(0, 1_000, 0), missing=0)
    bars = histogram(profile, pa.array([6.0, 7.0, 7.0, 9.0], pa.float32())).bars
    assert [(bar.label, bar.window, bar.reference) for bar in bars] == [
        ("below 7", 0.25, 0), ("7", 0.5, 1), ("from 7", 0.25, 0)
    ]  # fmt: skip


def test_a_column_without_a_number_has_its_missing_ones_alone() -> None:
    profile = NumericProfile(edges=(), counts=(0,), missing=1_000)
    assert [bar.kind for bar in histogram(profile, pa.array([None], pa.float32())).bars] == ["missing"]


def test_rare_categories_share_a_bar_unless_they_are_frequent_now() -> None:
    counts = {"a": 500, "b": 300, **{f"rare{n:02}": 10 for n in range(20)}}
    values = pa.array(["a", "rare19", "rare19", "new", "", None])
    bars = histogram(CategoricalProfile(counts=counts), values).bars
    assert [bar.kind for bar in bars] == [*["category"] * 12, "others", "unseen", "missing"]
    shown = {bar.label: bar for bar in bars}
    assert shown["rare19"].window == pytest.approx(1 / 3)
    assert (bars[0].label, bars[1].label, bars[-3].label) == ("a", "b", "10 others")
    assert bars[-3].reference == pytest.approx(0.1)
    assert (bars[-2].window, bars[-1].window) == (pytest.approx(1 / 6), pytest.approx(1 / 3))
    assert sum(bar.window for bar in bars) == pytest.approx(1)


def test_a_category_may_be_named_as_a_bar_is() -> None:
    bars = histogram(CategoricalProfile(counts={"missing": 900, "unseen": 100}), pa.array(["missing", None])).bars
    assert [(bar.kind, bar.label) for bar in bars] == [
        ("category", "missing"), ("category", "unseen"), ("missing", "missing")
    ]  # fmt: skip


def test_no_rows_are_shares_of_zero() -> None:
    assert {bar.window for bar in histogram(TWENTIETHS, pa.array([], pa.float32())).bars} == {0.0}


def test_a_column_of_an_unknown_kind_has_no_histogram() -> None:
    with pytest.raises(ValueError, match="unpack"):
        histogram(UnknownProfile(kind="later"), pa.array([1.0]))

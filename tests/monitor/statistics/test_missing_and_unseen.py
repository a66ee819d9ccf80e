"""Missing values and unseen categories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, OUT_OF_RANGE, UNSEEN_CATEGORIES
from rondo.monitor.windows.window_counts import WindowCounts
from rondo.trainer.evaluation.reference_profile import numeric

from tests.monitor.builders import PROFILE, REFERENCE
from tests.monitor.statistics.windows import window


def found(missing: int, unseen: int, rows: int = 1_000) -> list[Statistic]:
    counts = window({"city": [rows - missing - unseen, 0, 0, unseen, missing], "x": [rows, *[0] * 10]})
    return [*MISSING_VALUES.of(counts, REFERENCE), *UNSEEN_CATEGORIES.of(counts, REFERENCE)]


def test_where_neither_side_has_such_rows_there_is_no_figure() -> None:
    assert found(0, 0) == []


@pytest.mark.parametrize(("missing", "unseen", "statistic"), [(100, 0, "missing"), (0, 100, "unseen")])
def test_missing_and_unseen_values_are_shares_of_the_rows(missing: int, unseen: int, statistic: str) -> None:
    assert found(missing, unseen) == [Statistic(feature="city", statistic=statistic, value=0.1, reference=0.0)]


def test_only_a_column_with_categories_has_unseen_values() -> None:
    counts = window({"x": [0] * 9 + [500, 500]})
    assert [s.feature for s in MISSING_VALUES.of(counts, REFERENCE)] == ["x"]
    assert list(UNSEEN_CATEGORIES.of(counts, REFERENCE)) == []


@pytest.mark.parametrize(
    ("values", "share"), [([-9.0, 0.0, 1.0, 9.0], 0.5), ([0.0, 1.0, 1.0, 1.0], None), ([0.5, 0.5, 0.5, np.nan], None)]
)
def test_numbers_beyond_those_of_the_training_are_out_of_range(values: list[float], share: float | None) -> None:
    seen = numeric(np.linspace(0, 1, 1_000, dtype=np.float32))
    reference = Reference.of(PROFILE.model_copy(update={"features": {"x": seen}, "projections": None}))
    counts = _counted(reference, values)
    expected = [] if share is None else [Statistic(feature="x", statistic="out_of_range", value=share, reference=0.0)]
    assert [each for each in OUT_OF_RANGE.of(counts, reference) if each.feature == "x"] == expected


def test_every_number_is_out_of_the_range_of_a_feature_that_was_always_missing() -> None:
    seen = numeric(np.full(10, np.nan, np.float32))
    reference = Reference.of(PROFILE.model_copy(update={"features": {"x": seen}, "projections": None}))
    (found,) = (
        s for s in OUT_OF_RANGE.of(_counted(reference, [1.0, 2.0, np.nan, np.nan]), reference) if s.feature == "x"
    )
    assert (found.value, found.reference) == (0.5, 0.0)


def _counted(reference: Reference, values: list[float]) -> WindowCounts:
    (column,) = (each for each in reference.binning.columns if each.name == "x")
    given, bins = np.array(values, np.float32), np.zeros(reference.binning.size, np.int64)
    edges = np.asarray(column.edges, np.float32)
    at = np.where(np.isnan(given), column.size - 1, np.searchsorted(edges, given, side="right"))
    bins[column.offset : column.offset + column.size] = np.bincount(at, minlength=column.size)
    return replace(WindowCounts.empty(reference, 1), rows=len(values), bins=bins)

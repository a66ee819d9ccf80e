"""Missing values and unseen categories."""

from __future__ import annotations

import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, UNSEEN_CATEGORIES

from tests.monitor.builders import REFERENCE
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

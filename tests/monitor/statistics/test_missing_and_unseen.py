"""Missing values and unseen categories."""

from __future__ import annotations

import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.statistics.missing_and_unseen import MISSING_VALUES, UNSEEN_CATEGORIES

from tests.monitor.builders import REFERENCE
from tests.monitor.statistics.windows import statistics, window


def found(missing: int, unseen: int = 0, rows: int = 1_000) -> list[tuple[Statistic, bool | None]]:
    counts = window({"city": [rows - missing - unseen, 0, 0, unseen, missing]})
    return [*statistics(MISSING_VALUES, counts), *statistics(UNSEEN_CATEGORIES, counts)]


def test_an_unchanged_column_has_no_problem() -> None:
    assert found(0) == []


def test_a_few_missing_values_are_no_problem() -> None:
    assert found(3) == []
    assert found(15) == []


@pytest.mark.parametrize(("missing", "unseen", "problem"), [(100, 0, "missing"), (0, 100, "unseen")])
def test_many_missing_or_unseen_values_are_a_problem(missing: int, unseen: int, problem: str) -> None:
    assert found(missing, unseen) == [(Statistic(feature="city", statistic=problem, value=0.1, reference=0.0), True)]


def test_only_a_categorical_column_is_tested_for_unseen_values() -> None:
    assert (MISSING_VALUES.tests(REFERENCE), UNSEEN_CATEGORIES.tests(REFERENCE)) == (3, 1)

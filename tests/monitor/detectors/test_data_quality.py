"""Missing and unseen values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.monitor.detectors.data_quality import problems

from tests.monitor.builders import REFERENCE

X, CITY = REFERENCE.binning.columns[0], REFERENCE.binning.columns[1]


def found(missing: int, unseen: int = 0, rows: int = 1_000) -> list[Statistic]:
    counts = np.zeros(REFERENCE.binning.size, np.int64)
    column = replace(CITY)
    column.of(counts)[:] = [rows - missing - unseen, 0, 0, unseen, missing]
    return list(problems(column, counts, REFERENCE.counts, 0.001))


def test_an_unchanged_column_has_no_problem() -> None:
    assert found(0) == []


def test_a_few_missing_values_are_no_problem() -> None:
    assert found(3) == []
    assert found(15) == []


@pytest.mark.parametrize(("missing", "unseen", "problem"), [(100, 0, "missing"), (0, 100, "unseen")])
def test_many_missing_or_unseen_values_are_a_problem(missing: int, unseen: int, problem: str) -> None:
    assert found(missing, unseen) == [Statistic(feature="city", statistic=problem, value=0.1, reference=0.0)]


def test_a_number_has_no_unseen_values() -> None:
    counts = np.zeros(REFERENCE.binning.size, np.int64)
    X.of(counts)[-2:] = [500, 500]
    assert [p.statistic for p in problems(X, counts, REFERENCE.counts, 0.001)] == ["missing"]
